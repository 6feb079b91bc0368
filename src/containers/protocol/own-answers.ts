import type { ConnectionInfo } from '../../functions/contract.ts'
import { tooMany } from '../../functions/programs/answers.ts'
import type { RequestHead, ResponseView } from '../../http/message.ts'
import { type Problem, problem } from '../../http/problem.ts'
import { QUEUE_FUNCTION } from '../../platform/queue-settings.ts'
import type { Callee } from './call-context.ts'

/**
 * What a container answers by itself, in the place of its function; undefined: the function answers.
 * @param path of the request, whole
 */
export function ownAnswer(
  functionPath: string,
  {
    functionName,
    functionNames,
    module,
    traffic,
    draining,
  }: Pick<Callee, 'functionName' | 'functionNames' | 'module' | 'traffic' | 'draining'>,
  path = functionPath,
): ResponseView | undefined {
  if (path.charCodeAt(1) === LETTER_A && path.startsWith(ASYNC) && isWithoutQueue(functionNames))
    return NO_QUEUE
  // The paths of OpenFaaS's watchdog; no other one begins so.
  if (functionPath.charCodeAt(1) === UNDERSCORE && functionPath.startsWith('/_/')) {
    if (functionPath === '/_/health') return WELL
    if (functionPath === '/_/ready') {
      if (draining === true) return notReady(`this container of the function ${functionName} is about to go`)
      if (module.ready?.() === false) return notReady(`the program of ${functionName} is not running`)
      return traffic?.full === true ? problem(tooMany(functionName, traffic.most)) : WELL
    }
  }
  if (traffic?.full !== true) return undefined
  const answer = problem(tooMany(functionName, traffic.most))
  traffic.refuse(answer.status)
  return answer
}

/** A request that is answered so, for the access log; what it is about is asked for where there is one. */
export function logOwn(
  { accessLog }: Pick<Callee, 'accessLog'>,
  head: RequestHead,
  connection: () => ConnectionInfo,
  answer: ResponseView | Problem,
): void {
  accessLog?.answered(head, connection(), 'name' in answer ? problem(answer) : answer)
}

const UNDERSCORE = 0x5f
const LETTER_A = 0x61
const ASYNC = `/${QUEUE_FUNCTION}/`

/**
 * Whether no process keeps asynchronous calls. Such paths are the queue's on every host, whatever they name:
 * the function of the host would answer a slip in a name with 200.
 */
function isWithoutQueue(functionNames: ReadonlySet<string> | undefined): boolean {
  return functionNames !== undefined && !functionNames.has(QUEUE_FUNCTION)
}

const NO_QUEUE = problem({
  name: 'no-queue',
  status: 501,
  detail: 'asynchronous calls are not kept here: queue.enabled in the stack file is off',
})

const WELL: ResponseView = {
  status: 200,
  headers: [
    ['content-type', 'text/plain; charset=utf-8'],
    ['cache-control', 'no-store'],
  ],
  body: 'OK\n',
}

function notReady(detail: string): ResponseView {
  return problem({ name: 'not-ready', status: 503, detail, headers: [['retry-after', '1']] })
}
