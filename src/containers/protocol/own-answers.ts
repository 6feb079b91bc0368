import type { ConnectionInfo } from '../../functions/contract.ts'
import { tooMany } from '../../functions/programs/answers.ts'
import type { RequestHead, ResponseView } from '../../http/message.ts'
import { type Problem, problem } from '../../http/problem.ts'
import { isFunctionName } from '../../platform/function-name.ts'
import { QUEUE_FUNCTION } from '../../platform/queue-settings.ts'
import type { Callee } from './call-context.ts'

/**
 * What a container answers by itself, in the place of its function; undefined: the function answers.
 * @param asked the path of the request, whole, and its host
 */
export function ownAnswer(
  functionPath: string,
  callee: Pick<Callee, 'functionName' | 'functionNames' | 'module' | 'traffic' | 'draining' | 'namesNone'>,
  { path, host }: Pick<RequestHead, 'path' | 'host'> = { path: functionPath, host: undefined },
): ResponseView | undefined {
  const { functionName, module, traffic, draining } = callee
  const astray = strayAnswer(functionPath, callee, { path, host })
  if (astray !== undefined) return astray
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

/** The same of a path that leads to no function, whatever is asked for there. */
export function strayAnswer(
  functionPath: string,
  callee: Pick<Callee, 'functionNames' | 'namesNone'>,
  { path, host }: Pick<RequestHead, 'path' | 'host'>,
): ResponseView | undefined {
  if (path.charCodeAt(1) === LETTER_A && path.startsWith(ASYNC) && isWithoutQueue(callee.functionNames))
    return NO_QUEUE
  if (path.charCodeAt(1) !== LETTER_F || functionPath !== path) return undefined
  const missing = callee.namesNone?.(host) === true ? nameIn(path) : undefined
  return missing === undefined ? undefined : noFunction(missing)
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
const LETTER_F = 0x66
const ASYNC = `/${QUEUE_FUNCTION}/`

/**
 * Whether no process keeps asynchronous calls. Such paths are the queue's on every host, whatever they name:
 * the function of the host would answer a slip in a name with 200.
 */
function isWithoutQueue(functionNames: ReadonlySet<string> | undefined): boolean {
  return functionNames !== undefined && !functionNames.has(QUEUE_FUNCTION)
}

/** The name of `/function/NAME` and `/function/NAME/…`, which none that there is has. */
function nameIn(path: string): string | undefined {
  const name = path.startsWith('/function/') ? path.split('/', 3)[2]! : ''
  return isFunctionName(name) ? name : undefined
}

/** As OpenFaaS's gateway has it. Where the host names a function, such a path is that one's own. */
function noFunction(name: string): ResponseView {
  return problem({ name: 'no-such-function', status: 404, detail: `no function is called ${name}` })
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
