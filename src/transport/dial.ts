import type { NetConnectOpts, Socket } from 'node:net'
import type { Clock, Timer } from '../time/clock.ts'
import { familyOf } from '../tls13/io/ip-address.ts'
import { errorOf } from '../wire/thrown.ts'
import { onAbort } from './attempt.ts'
import { ConnectError, shown, type Target } from './connector.ts'
import { type Delays, type Family, HappyEyeballs } from './happy-eyeballs.ts'
import { open } from './kinds/sockets.ts'
import { type Resolver, systemResolver } from './resolve.ts'

/** How a name becomes a connection. */
export interface DialOptions {
  /** Default: the system's. */
  readonly resolver?: Resolver
  readonly delays?: Delays
  /** More for the socket, such as `localAddress`. */
  readonly socket?: Omit<Extract<NetConnectOpts, { port: number }>, 'host' | 'port'>
}

/**
 * A TCP connection to the first address of a name that answers (RFC 8305).
 * @throws ConnectError (as rejection) `resolve`, `connect`, or the reason of the signal: every other attempt
 * is closed
 */
export function dial(
  target: Target,
  { resolver = systemResolver, delays, socket = {} }: DialOptions,
  clock: Clock,
  signal: AbortSignal,
): Promise<Socket> {
  const reach = (host: string, stop: AbortSignal): Promise<Socket> =>
    open({ ...target, host }, { noDelay: true, ...socket, host, port: target.port }, stop)
  if (familyOf(target.host) !== 0) return reach(target.host, signal)
  return new Promise((resolve, reject) => {
    new Race(target, clock, delays, reach, resolve, reject).run(resolver, signal)
  })
}

/** Attempts beside each other. */
class Race {
  readonly #target: Target
  readonly #clock: Clock
  readonly #order: HappyEyeballs
  readonly #reach: (host: string, stop: AbortSignal) => Promise<Socket>
  readonly #won: (socket: Socket) => void
  readonly #lost: (error: unknown) => void
  readonly #stop = new AbortController()
  readonly #timer: Timer
  readonly #errors: Error[] = []
  #release: () => void = () => {}
  #over = false

  constructor(
    target: Target,
    clock: Clock,
    delays: Delays | undefined,
    reach: (host: string, stop: AbortSignal) => Promise<Socket>,
    won: (socket: Socket) => void,
    lost: (error: unknown) => void,
  ) {
    this.#target = target
    this.#clock = clock
    this.#order = new HappyEyeballs(delays)
    this.#reach = reach
    this.#won = won
    this.#lost = lost
    this.#timer = clock.timer(() => this.#step())
  }

  run(resolver: Resolver, signal: AbortSignal): void {
    this.#release = onAbort(signal, reason => this.#end(() => this.#lost(reason)))
    for (const family of [6, 4] as const) void this.#resolve(resolver, family)
  }

  async #resolve(resolver: Resolver, family: Family): Promise<void> {
    let found: readonly string[] = []
    try {
      found = await resolver(this.#target.host, family)
    } catch (error) {
      this.#errors.push(errorOf(error))
    }
    this.#order.resolved(family, found, this.#clock.steady())
    this.#step()
  }

  #step(): void {
    for (;;) {
      if (this.#over) return
      const step = this.#order.next(this.#clock.steady())
      if (step.type === 'attempt') void this.#attempt(step.address)
      else if (step.type === 'exhausted') {
        this.#end(() => this.#lost(this.#failure()))
        return
      } else {
        if (step.until === undefined) this.#timer.stop()
        else this.#timer.at(step.until)
        return
      }
    }
  }

  async #attempt(address: string): Promise<void> {
    try {
      const socket = await this.#reach(address, this.#stop.signal)
      if (this.#over) socket.destroy()
      else this.#end(() => this.#won(socket))
    } catch (error) {
      if (this.#over) return
      this.#errors.push(errorOf(error))
      this.#order.failed(address)
      this.#step()
    }
  }

  #end(tell: () => void): void {
    if (this.#over) return
    this.#over = true
    this.#timer.stop()
    this.#release()
    tell()
    this.#stop.abort()
  }

  #failure(): ConnectError {
    const { host } = this.#target
    const errors = this.#errors
    const tried = errors.filter((one): one is ConnectError => one instanceof ConnectError)
    if (tried.length === 0) {
      const code = (errors[0] as NodeJS.ErrnoException | undefined)?.code ?? 'ENOTFOUND'
      const cause = errors[0] ?? Object.assign(new Error(`no address for ${host}`), { code })
      return new ConnectError('resolve', `no address for ${JSON.stringify(host)}: ${code}`, cause)
    }
    if (tried.length === 1) return tried[0]!
    const why = [...new Set(tried.map(({ code, message }) => code ?? message))].join(', ')
    const [first] = tried
    const what = `cannot connect to ${shown(this.#target)} by any of ${tried.length} addresses: ${why}`
    const cause = Object.assign(new AggregateError(tried, what), { code: first?.code })
    return new ConnectError('connect', what, cause)
  }
}
