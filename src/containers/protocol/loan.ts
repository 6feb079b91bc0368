import type { ConnectionInfo } from '../../functions/contract.ts'
import type { H2Exchange } from '../../http/h2/exchanges/exchange.ts'
import type { Field } from '../../http/message.ts'
import { type Problem, problem } from '../../http/problem.ts'
import type { ContentSink } from '../../http/serving.ts'
import type { LoanAnswer } from '../../transfer/loans/loan.ts'
import type { Guard } from '../../transport/guard.ts'
import { concat } from '../../wire/index.ts'
import type { ConnectionHost } from '../connection/connection-host.ts'
import { LOAN_BYTES } from '../move/policy.ts'
import { misdirected, unavailable } from '../move/unavailable.ts'

/**
 * A request on one stream that is lent: it is gathered here, served by a container of its function, and
 * answered here.
 */
export class Loan implements ContentSink {
  readonly #exchange: H2Exchange
  readonly #host: ConnectionHost
  readonly #functionName: string
  readonly #connection: ConnectionInfo
  readonly #guard: Guard
  /** The function's own time is kept where it is. */
  readonly started = false
  #chunks: Uint8Array[] = []
  #bytes = 0

  constructor(
    exchange: H2Exchange,
    functionName: string,
    connection: ConnectionInfo,
    host: ConnectionHost,
    guard: Guard,
  ) {
    this.#exchange = exchange
    this.#functionName = functionName
    this.#connection = connection
    this.#host = host
    this.#guard = guard
    // Keys are not lent.
    exchange.head.key?.fill(0)
  }

  /** Asks for the content, which travels whole. */
  begin(): void {
    if ((this.#exchange.length ?? 0) > LOAN_BYTES) this.#tooLarge()
    else this.#exchange.content(this)
  }

  data(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    if (this.#bytes > LOAN_BYTES) this.#tooLarge()
    else this.#chunks.push(bytes)
  }

  /** Bytes of content, until there is an answer. */
  get held(): number {
    return this.#bytes
  }

  end(): void {
    const { tls, alpn, serverName, remoteAddress, hops, requestIndex } = this.#connection
    const { method, target, headers, host, path, query } = this.#exchange.head
    const fields = headers.map(([name, value]) => ({ name, value }))
    const body = concat(...this.#chunks)
    this.#chunks = []
    const head = { method, target, headers: fields, host, path, query }
    const request = { ...head, body, tls, alpn, serverName, remoteAddress, hops, requestIndex }
    const settle = this.#guard.entrance((answer: LoanAnswer | undefined) => this.#settle(answer))
    this.#host.lend(this.#functionName, request, settle, () => !this.#exchange.over)
  }

  broken(): void {
    this.#chunks = []
  }

  /** There is no other connection of this client where it would be served better; a new one is. */
  #tooLarge(): void {
    this.#chunks = []
    this.#answer({
      name: 'misdirected-request',
      status: 421,
      detail:
        `this connection is in use by the function ${this.#host.functionName}, and a request ` +
        `for ${this.#functionName} on it may have at most ${LOAN_BYTES} bytes of content`,
    })
  }

  #settle(answer: LoanAnswer | undefined): void {
    if (answer === undefined) this.#answer(unavailable(this.#functionName, 'gone'))
    else if (answer.outcome === 'refused') {
      const { reason, detail } = answer
      if (reason === 'busy') this.#answer(unavailable(this.#functionName, { reason: 'draining', detail }))
      else if (reason === 'policy') this.#answer(misdirected(this.#functionName, detail))
      else this.#answer({ name: 'response-lost', status: 502, detail })
    } else this.#pass(answer)
  }

  /** The answer of the other container, which has said who it is. */
  #pass({ status, headers, length, body, trailers }: Extract<LoanAnswer, { outcome: 'answered' }>): void {
    const exchange = this.#exchange
    const { fields } = exchange
    exchange.fields = [['x-hotpotato-lent-by', this.#host.container]]
    const given = headers.map(fieldOf)
    const told = length === undefined || status === 204 ? [] : [['content-length', String(length)] as const]
    try {
      if (trailers.length === 0) exchange.reply({ status, headers: [...given, ...told], body })
      else {
        exchange.begin({ status, headers: given, length: undefined })
        exchange.write(body)
        exchange.end(trailers.map(fieldOf))
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      if (exchange.begun) {
        exchange.abort()
        return
      }
      exchange.fields = fields
      const detail = `the response cannot be sent: ${error.message}`
      this.#answer({ name: 'function-failed', status: 500, detail })
    }
  }

  #answer(what: Problem): void {
    this.#exchange.reply(problem(what))
  }
}

const fieldOf = ({ name, value }: { readonly name: string; readonly value: string }): Field => [name, value]
