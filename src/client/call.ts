import type { Clock, Timer } from '../time/clock.ts'
import { onAbort } from '../transport/attempt.ts'
import { timedOut } from './error.ts'
import type { Exchange } from './exchange.ts'

/** What one call of `fetch` is bound to, over all of its tries and redirects. */
export class Call {
  readonly #release: () => void
  readonly #timer: Timer | undefined
  readonly #onOver: (call: Call) => void
  #exchange: Exchange | undefined
  #reason: unknown
  #delivered = false
  #over = false

  /**
   * @param total milliseconds for all of it; 0: no matter how long
   * @param onOver called once, when nothing more comes of it
   * @throws the signal's reason, if it was aborted before
   */
  constructor(signal: AbortSignal | undefined, total: number, clock: Clock, onOver: (call: Call) => void) {
    this.#onOver = onOver
    if (signal !== undefined && typeof signal.throwIfAborted !== 'function')
      throw new TypeError('signal is no AbortSignal')
    signal?.throwIfAborted()
    this.#release = onAbort(signal, reason => this.#cancel(reason))
    const late = (): void => this.#cancel(timedOut('total', total, 'the request was not over'))
    this.#timer = total > 0 ? clock.after(total, late) : undefined
  }

  /** @throws what has ended the call */
  begin(exchange: Exchange): void {
    if (this.#reason !== undefined) throw this.#reason
    this.#exchange = exchange
    exchange.onOver = () => this.#ended(exchange)
  }

  /** Its caller gets the response of the exchange that began last. @param decoding of its content */
  deliver(decoding = false): void {
    this.#delivered = true
    if (this.#exchange === undefined) return
    this.#exchange.decoding = decoding
    if (this.#exchange.over) this.over()
  }

  /** @param reason what went wrong, if something did */
  over(reason?: unknown): void {
    if (this.#over) return
    this.#over = true
    this.#release()
    this.#timer?.stop()
    if (reason !== undefined) this.#exchange?.cancel(reason)
    this.#onOver(this)
  }

  #ended(exchange: Exchange): void {
    if (this.#delivered && exchange === this.#exchange) this.over()
  }

  #cancel(reason: unknown): void {
    this.#reason = reason
    this.#exchange?.cancel(reason)
  }
}
