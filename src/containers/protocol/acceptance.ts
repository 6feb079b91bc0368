import { carriedHead } from '../../http/h1/index.ts'
import type { H2Exchange } from '../../http/h2/exchanges/exchange.ts'
import type { H2Serving } from '../../http/h2/serving.ts'
import type { Problem } from '../../http/problem.ts'
import type { Http2Passenger } from '../../transfer/consignments/application.ts'
import { unavailable } from '../move/unavailable.ts'
import { admitSocket } from '../socket/socket-admission.ts'
import type { SocketOpening } from '../socket/socket-call.ts'
import { Tunnel, type TunnelOwner } from '../socket/tunnel.ts'
import { FunctionCall } from './function-call.ts'
import { Loan } from './loan.ts'
import { logOwn, ownAnswer } from './own-answers.ts'
import type { ProtocolOwner } from './protocol.ts'
import type { Waiting } from './waiting.ts'

/**
 * How requests on the streams of one connection are accepted: by the function here, by another one that they
 * are lent to, or by the platform's own answer.
 */
export class Acceptance {
  readonly #owner: ProtocolOwner
  readonly #tunnelOwner: TunnelOwner
  readonly #serving: H2Serving

  constructor(owner: ProtocolOwner, tunnelOwner: TunnelOwner, serving: H2Serving) {
    this.#owner = owner
    this.#tunnelOwner = tunnelOwner
    this.#serving = serving
  }

  /** A function of ours begins with a request. */
  accept(one: Waiting): void {
    const { protocol } = one.request
    this.#begin(one, exchange => {
      if (protocol === undefined) this.#call(exchange)
      else this.#tunnel(exchange)
    })
  }

  /** A container of another function begins with it, and the connection stays. */
  lend(one: Waiting): void {
    const { host, guard } = this.#owner
    const { request, functionName } = one
    if (request.protocol !== undefined && functionName !== host.functionName) {
      const detail =
        `this connection is in use by the function ${host.functionName}: ` +
        `open another one for a WebSocket of ${functionName}`
      this.answer(one, { name: 'misdirected-request', status: 421, detail })
      return
    }
    if (host.reaches(functionName)) {
      this.#begin(one, exchange => {
        const connection = this.#owner.info(exchange.index)
        new Loan(exchange, functionName, connection, host, guard).begin()
      })
    } else if (functionName === host.functionName) this.accept(one)
    else this.answer(one, unavailable(functionName, 'none ready'))
  }

  /** The platform's own answer, without any function. */
  answer({ request, head }: Pick<Waiting, 'request' | 'head'>, what: Problem): void {
    this.#serving.answer(request, what)
    logOwn(this.#owner.host, head, () => this.#owner.info(0), what)
  }

  #begin({ request, head }: Waiting, begin: (exchange: H2Exchange) => void): void {
    this.#serving.accept(request, head, exchange => {
      this.#rate(request.streamId, exchange)
      begin(exchange)
    })
  }

  /** How slowly its content has come so far. */
  #rate(streamId: number, exchange: H2Exchange): void {
    const rate = this.#owner.timers.rates.take(streamId)
    if (rate !== undefined) exchange.resumed(rate.left, rate.counted)
  }

  /** Goes on with what was begun elsewhere. */
  resume({ streamId, index, request, frozen }: Http2Passenger): void {
    const tunnel = frozen.kind === 'websocket'
    const whole = !tunnel && this.#serving.http.ended(streamId)
    const begun = tunnel || frozen.call.status !== 0
    const exchange = this.#serving.resume(streamId, carriedHead(request, '2'), index, {
      whole,
      begun,
      tunnel,
    })
    this.#rate(streamId, exchange)
    const functionPath = this.#functionPath(exchange)
    if (frozen.kind === 'websocket') {
      const { subprotocol: protocol, socket, state } = frozen
      const connection = this.#owner.info(index)
      this.#place({ head: exchange.head, functionPath, connection, protocol, socket, state }, exchange).goOn()
    } else {
      const call = this.#begun(exchange, functionPath)
      call.goOn(frozen, whole, this.#owner.luggage.take(streamId))
      exchange.goOn(call)
    }
  }

  #call(exchange: H2Exchange): void {
    const { host } = this.#owner
    const { head } = exchange
    const functionPath = this.#functionPath(exchange)
    const own = ownAnswer(functionPath, host, head)
    if (own !== undefined) {
      exchange.reply(own)
      logOwn(host, head, () => this.#owner.info(exchange.index), own)
      return
    }
    exchange.content(this.#begun(exchange, functionPath))
  }

  #begun(exchange: H2Exchange, functionPath: string): FunctionCall {
    const { host, guard } = this.#owner
    const place = {
      functionPath,
      connection: () => this.#owner.info(exchange.index),
      timeout: host.limits.timers.handler,
      guard,
    }
    const call = new FunctionCall(exchange.head, host, place, exchange, exchange)
    exchange.onGone = reason => call.cancel(reason)
    return call
  }

  /** A stream becomes a WebSocket. */
  #tunnel(exchange: H2Exchange): void {
    const { host, guard } = this.#owner
    const { head, index } = exchange
    const functionPath = this.#functionPath(exchange)
    const connection = () => this.#owner.info(index)
    const asked = { head, functionPath, connection, response: exchange, guard }
    admitSocket(host, asked, ({ fields, protocol, admitted }) => {
      const opening = { head, functionPath, connection: connection(), protocol, admitted }
      this.#place(opening, exchange).open(fields)
    })
  }

  #place(opening: SocketOpening, exchange: H2Exchange): Tunnel {
    const { host } = this.#owner
    return new Tunnel(this.#tunnelOwner, exchange, host, opening, host.limits.timers['keep-alive'] / 2)
  }

  #functionPath({ head }: H2Exchange): string {
    return this.#owner.host.ownerOf(head.path, head.host)?.functionPath ?? head.path
  }
}
