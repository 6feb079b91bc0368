import type { ResponseView } from '../../http/message.ts'
import { problem } from '../../http/problem.ts'
import type { Callee } from './call-context.ts'

/** What a container answers by itself, in the place of its function; undefined: the function answers. */
export function ownAnswer(
  functionPath: string,
  {
    functionName,
    module,
    traffic,
    draining,
  }: Pick<Callee, 'functionName' | 'module' | 'traffic' | 'draining'>,
): ResponseView | undefined {
  // The paths of OpenFaaS's watchdog; no other one begins so.
  if (functionPath.charCodeAt(1) === UNDERSCORE && functionPath.startsWith('/_/')) {
    if (functionPath === '/_/health') return WELL
    if (functionPath === '/_/ready') {
      if (draining === true) return notReady(`this container of the function ${functionName} is about to go`)
      if (module.ready?.() === false) return notReady(`the program of ${functionName} is not running`)
      return traffic?.full === true ? tooMany(functionName, traffic.most) : WELL
    }
  }
  if (traffic?.full !== true) return undefined
  const answer = tooMany(functionName, traffic.most)
  traffic.refuse(answer.status)
  return answer
}

const UNDERSCORE = 0x5f

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

function tooMany(functionName: string, most: number): ResponseView {
  return problem({
    name: 'too-many-requests',
    status: 429,
    detail: `this container of the function ${functionName} works on ${most} requests, as many as it may`,
    headers: [['retry-after', '1']],
  })
}
