import type { Clock } from '../../time/clock.ts'

/** Wrong keys that one client may bring in a row, and how many milliseconds give one back. */
const BURST = 10
const PAUSE = 6000
/** Clients that are remembered; the one that brought a wrong key longest ago is forgotten first. */
const CLIENTS = 4096

/** How many wrong keys each client has brought lately. */
export class WrongKeys {
  readonly #clock: Pick<Clock, 'steady'>
  /** By client: when all of its wrong keys are forgotten. */
  readonly #until = new Map<string, number>()

  constructor(clock: Pick<Clock, 'steady'>) {
    this.#clock = clock
  }

  /**
   * @param address of the client; those whose address is unknown count as one
   * @returns seconds until that client may try a key again; 0: it may
   */
  wait(address: string | undefined): number {
    const left = (this.#until.get(networkOf(address)) ?? 0) - this.#clock.steady()
    return left <= (BURST - 1) * PAUSE ? 0 : Math.ceil((left - (BURST - 1) * PAUSE) / 1000)
  }

  /** That client has brought a wrong key. */
  count(address: string | undefined): void {
    const network = networkOf(address)
    const now = this.#clock.steady()
    const until = Math.max(now, this.#until.get(network) ?? 0) + PAUSE
    this.#until.delete(network)
    this.#until.set(network, until)
    const [oldest] = this.#until.keys()
    if (this.#until.size > CLIENTS) this.#until.delete(oldest!)
  }
}

/** One client has all of a network of IPv6 (64 bits). */
function networkOf(address = ''): string {
  if (!address.includes(':') || address.includes('.')) return address
  const [front = '', back] = address.split('::')
  const head = front === '' ? [] : front.split(':')
  const missing = back === undefined ? 0 : 8 - head.length - (back === '' ? 0 : back.split(':').length)
  return [...head, ...new Array<string>(missing).fill('0'), ...(back ?? '').split(':')].slice(0, 4).join(':')
}
