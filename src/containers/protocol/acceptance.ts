import { header, type RequestHead } from '../../http/message.ts'
import { type Problem, problem } from '../../http/problem.ts'
import { judgeHandshake } from '../../http/websocket/index.ts'
import { LOAN_BYTES } from '../move/policy.ts'
import { unavailable } from '../move/unavailable.ts'
import { Call, type CallOwner, withLength } from './call.ts'
import type { Calls } from './calls.ts'
import { Loan } from './loan.ts'
import type { ProtocolOwner } from './protocol.ts'
import { Tunnel } from './tunnel.ts'
import type { Waiting } from './waiting.ts'

/**
 * How requests on the streams of one connection are accepted: by the function here, by another one that they
 * are lent to, or by the platform's own answer.
 */
export class Acceptance {
  readonly #owner: ProtocolOwner
  readonly #callOwner: CallOwner
  readonly #calls: Calls
  /** Requests that have been accepted on this connection, wherever it was. */
  count: number

  constructor(owner: ProtocolOwner, callOwner: CallOwner, calls: Calls, count: number) {
    this.#owner = owner
    this.#callOwner = callOwner
    this.#calls = calls
    this.count = count
  }

  /** A function of ours begins with a request. */
  accept({ request, head }: Waiting): void {
    const { streamId, endStream, protocol } = request
    const { host } = this.#owner
    const functionPath = host.ownerOf(head.path, head.host)?.functionPath ?? head.path
    if (protocol !== undefined) {
      this.#tunnel(streamId, head, functionPath)
      if (endStream) this.#calls.get(streamId)?.received()
      return
    }
    const connection = this.#owner.info(this.count++)
    const { bodyBytes } = host.limits.http
    const call = new Call(this.#callOwner, request, head, host, { functionPath, connection }, bodyBytes)
    this.#begin(streamId, endStream, head, call, bodyBytes)
  }

  /** A container of another function begins with it, and the connection stays. */
  lend(one: Waiting): void {
    const { host } = this.#owner
    const { request, head, functionName } = one
    const { streamId, endStream, protocol } = request
    if (protocol !== undefined && functionName !== host.functionName) {
      const detail =
        `this connection is in use by the function ${host.functionName}: ` +
        `open another one for a WebSocket of ${functionName}`
      this.answer(streamId, { name: 'misdirected-request', status: 421, detail })
      return
    }
    if (host.reaches(functionName)) {
      const loan = new Loan(this.#callOwner, host, streamId, one, this.#owner.info(this.count++))
      this.#begin(streamId, endStream, head, loan, LOAN_BYTES)
    } else if (functionName === host.functionName) this.accept(one)
    else this.answer(streamId, unavailable(functionName, 'none ready'))
  }

  /** The platform's own answer, without any function. */
  answer(streamId: number, what: Problem): void {
    const { http } = this.#callOwner
    const { headers = [], ...response } = withLength(problem(what))
    http.accept(streamId)
    http.reply(streamId, { ...response, headers: [...headers, ...this.#owner.fields] }, Date.now())
    this.count++
  }

  /** A stream becomes a WebSocket. */
  #tunnel(streamId: number, head: RequestHead, functionPath: string): void {
    const { host, fields } = this.#owner
    const { http } = this.#callOwner
    const { webSocket, webSocketProtocols = [] } = host.module
    const handshake = judgeHandshake(head, webSocketProtocols)
    if (webSocket === undefined || handshake.problem !== undefined) {
      const detail = `the function ${host.functionName} knows no WebSockets`
      this.answer(streamId, handshake.problem ?? { name: 'not-implemented', status: 501, detail })
      return
    }
    const connection = this.#owner.info(this.count++)
    const opening = { head, functionPath, connection, protocol: handshake.protocol }
    const keepAlive = host.limits.timers['keep-alive'] / 2
    this.#calls.add(streamId, new Tunnel(this.#callOwner, streamId, host, opening, keepAlive))
    http.accept(streamId)
    http.respond(streamId, { status: 200, headers: [...handshake.fields, ...fields] }, Date.now())
  }

  /** What came behind the head follows when the request has been accepted. */
  #begin(streamId: number, endStream: boolean, head: RequestHead, call: Call | Loan, most: number): void {
    const { http } = this.#callOwner
    this.#calls.add(streamId, call, this.#owner.timers.rates)
    http.accept(streamId)
    if (endStream) call.received()
    else if (Number(header(head.headers, 'content-length') ?? 0) > most) call.tooLarge()
    else if (header(head.headers, 'expect')?.toLowerCase() === '100-continue')
      http.respond(streamId, { status: 100 })
  }
}
