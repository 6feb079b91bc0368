import type { ConnectionInfo } from '../../functions/contract.ts'
import type { Field, RequestHead, ResponseView } from '../../http/message.ts'
import { type Problem, problem } from '../../http/problem.ts'
import { steadyNow } from '../../platform/clock.ts'
import type { LoanAnswer } from '../../transfer/loan.ts'
import { concat } from '../../wire/index.ts'
import type { ConnectionHost } from '../connection/connection-host.ts'
import { timeoutProblem } from '../connection/timeout.ts'
import { LOAN_BYTES } from '../move/policy.ts'
import { misdirected, unavailable } from '../move/unavailable.ts'
import { type CallOwner, lengthField, withLength } from './call.ts'

/**
 * A request on one stream that is lent: it is gathered here, served by a container of its function, and
 * answered here.
 */
export class Loan {
  readonly #owner: CallOwner
  readonly #host: ConnectionHost
  readonly #streamId: number
  readonly #functionName: string
  readonly #head: RequestHead
  readonly #connection: ConnectionInfo
  #chunks: Uint8Array[] = []
  #bytes = 0
  #over = false
  /** When content has to have come. */
  #deadline = Infinity
  /** Whether the request has come whole, and has been lent. */
  whole = false

  constructor(
    owner: CallOwner,
    host: ConnectionHost,
    streamId: number,
    request: { readonly head: RequestHead; readonly functionName: string },
    connection: ConnectionInfo,
  ) {
    this.#owner = owner
    this.#host = host
    this.#streamId = streamId
    this.#functionName = request.functionName
    this.#head = request.head
    this.#connection = connection
  }

  /** Content, which travels whole. */
  receive(data: Uint8Array): void {
    this.#bytes += data.length
    if (this.#bytes > LOAN_BYTES) {
      this.tooLarge()
      return
    }
    this.#chunks.push(data)
    this.#deadline = Infinity
    this.#owner.http.consume(this.#streamId, data.length)
    this.#owner.kick()
  }

  /** Bytes of content, until there is an answer. */
  get held(): number {
    return this.#over ? 0 : this.#bytes
  }

  /** Gives up for what it holds. */
  shed(what: Problem): void {
    this.#chunks = []
    if (!this.#over) this.#answer(what)
  }

  received(): void {
    this.whole = true
    const { tls, alpn, serverName, remoteAddress, hops, requestIndex } = this.#connection
    const { method, target, headers, host, path, query } = this.#head
    const fields = headers.map(([name, value]) => ({ name, value }))
    const body = concat(...this.#chunks)
    this.#chunks = []
    const head = { method, target, headers: fields, host, path, query }
    const request = { ...head, body, tls, alpn, serverName, remoteAddress, hops, requestIndex }
    const settle = this.#owner.guard.entrance((answer: LoanAnswer | undefined) => this.#settle(answer))
    this.#host.lend(this.#functionName, request, settle)
  }

  /** There is no other connection of this client where it would be served better; a new one is. */
  tooLarge(): void {
    this.#answer({
      name: 'misdirected-request',
      status: 421,
      detail:
        `this connection is in use by the function ${this.#host.functionName}, and a request ` +
        `for ${this.#functionName} on it may have at most ${LOAN_BYTES} bytes of content`,
    })
  }

  cancel(_reason: Error): void {
    this.#over = true
  }

  /** The function's own time is kept where it is. */
  wait(): void {
    const { 'request-body': most } = this.#owner.settings
    if (this.whole || this.#over || this.#deadline !== Infinity || most === 0) return
    this.#deadline = steadyNow() + most
    this.#owner.wakeBy(this.#deadline)
  }

  tick(now: number): void {
    if (this.#over || this.whole) return
    if (now >= this.#deadline) this.#answer(timeoutProblem('request-body', this.#owner.settings))
    else if (this.#deadline !== Infinity) this.#owner.wakeBy(this.#deadline)
  }

  drained(): void {}

  #settle(answer: LoanAnswer | undefined): void {
    if (this.#over || this.#owner.gone) return
    if (answer === undefined) this.#answer(unavailable(this.#functionName, 'gone'))
    else if (answer.outcome === 'refused') {
      const { reason, detail } = answer
      if (reason === 'busy') this.#answer(unavailable(this.#functionName, { reason: 'draining', detail }))
      else if (reason === 'policy') this.#answer(misdirected(this.#functionName, detail))
      else this.#answer({ name: 'response-lost', status: 502, detail })
    } else {
      const { status, headers, length, body, trailers } = answer
      const fields = headers.map(fieldOf)
      const lent = ['x-hotpotato-lent-by', this.#host.container] as const
      const whole = status === 304 || trailers.length > 0 ? undefined : body.length
      const framing = lengthField(status, length ?? whole)
      this.#reply({ status, headers: [...fields, ...framing, lent], body }, trailers.map(fieldOf))
    }
  }

  #answer(what: Problem): void {
    const { headers = [], ...response } = withLength(problem(what))
    this.#reply({ ...response, headers: [...headers, ...this.#owner.fields] })
  }

  #reply(response: ResponseView, trailers?: readonly Field[]): void {
    try {
      this.#owner.http.reply(this.#streamId, response, Date.now(), trailers)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      const detail = `the response cannot be sent: ${error.message}`
      this.#answer({ name: 'function-failed', status: 500, detail })
      return
    }
    this.#over = true
    this.#owner.ended(this.#streamId)
  }
}

const fieldOf = ({ name, value }: { readonly name: string; readonly value: string }): Field => [name, value]
