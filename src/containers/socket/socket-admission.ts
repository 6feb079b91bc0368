import type { ConnectionInfo } from '../../functions/contract.ts'
import type { SocketAdmission } from '../../functions/web-socket.ts'
import type { Field, RequestHead, ResponseView } from '../../http/message.ts'
import { problem } from '../../http/problem.ts'
import type { HttpResponse } from '../../http/serving.ts'
import { askedProtocols, judgeHandshake } from '../../http/websocket/index.ts'
import type { Guard } from '../../transport/guard.ts'
import type { Callee } from '../protocol/call-context.ts'
import { logOwn, strayAnswer } from '../protocol/own-answers.ts'
import { OneSocketContext } from './socket-call.ts'

/** A WebSocket that is granted. */
export interface Granted {
  /** Of the answer. */
  readonly fields: readonly Field[]
  readonly protocol: string | undefined
  /** What its function gave when it was asked, if it was. */
  readonly admitted: unknown
}

/** A request for a WebSocket, and what may answer it. */
export interface SocketRequest {
  readonly head: RequestHead
  readonly functionPath: string
  readonly connection: () => ConnectionInfo
  readonly response: Pick<HttpResponse, 'reply' | 'over' | 'onGone'>
  readonly guard: Guard
}

/**
 * Judges a request for a WebSocket, and asks the function, if that wants to be: it may take its time.
 * @param grant called at once, or later, if the WebSocket is granted
 */
export function admitSocket(callee: Callee, request: SocketRequest, grant: (granted: Granted) => void): void {
  const { head, functionPath } = request
  const astray = strayAnswer(functionPath, callee, head)
  if (astray !== undefined) {
    refuse(callee, request, astray)
    return
  }
  const { webSocket, webSocketProtocols = [], admitWebSocket } = callee.module
  const handshake = judgeHandshake(head, webSocketProtocols)
  if (webSocket === undefined || handshake.problem !== undefined) {
    const detail = `the function ${callee.functionName} knows no WebSockets`
    refuse(callee, request, problem(handshake.problem ?? { name: 'not-implemented', status: 501, detail }))
  } else if (admitWebSocket === undefined) grant({ ...handshake, admitted: undefined })
  else void ask(callee, request, handshake.fields, grant)
}

function refuse(callee: Callee, { head, response, connection }: SocketRequest, answer: ResponseView): void {
  response.reply(answer)
  logOwn(callee, head, connection, answer)
}

async function ask(
  callee: Callee,
  request: SocketRequest,
  fields: readonly Field[],
  grant: (granted: Granted) => void,
): Promise<void> {
  const { head, functionPath, connection, response, guard } = request
  const context = new OneSocketContext(head, callee, functionPath, connection())
  response.onGone = reason => context.abort(reason)
  let answer: SocketAdmission
  try {
    answer = await callee.module.admitWebSocket!(context, askedProtocols(head.headers))
  } catch (error) {
    callee.log.error({ err: error, callId: context.callId }, 'the function failed over a WebSocket')
    const detail = `the function ${callee.functionName} failed; the log of its container says why`
    answer = { refused: problem({ name: 'function-failed', status: 500, detail }) }
  }
  response.onGone = undefined
  guard.run(() => {
    if ('refused' in answer) {
      if (!response.over) refuse(callee, request, answer.refused)
      return
    }
    const { protocol, state, abandon } = answer
    if (response.over) {
      abandon.call(answer)
      return
    }
    const agreed: Field[] = protocol === undefined ? [] : [['sec-websocket-protocol', protocol]]
    grant({ fields: [...fields, ...agreed, ...answer.fields], protocol, admitted: state })
  })
}
