import type { Clock, Timer } from '../time/clock.ts'
import { type Etcd, EtcdError } from './etcd.ts'

/** How a lease is held. */
export interface LeaseOptions {
  /** Seconds from one sign of life to the end; etcd may make more of it. Default: 10. */
  readonly seconds?: number
  /** Milliseconds before that end after which its holder does nothing any more. Default: a tenth of it. */
  readonly margin?: number
  readonly clock: Clock
  /** It has ended: what was put under it is gone, or will be. Called once, at most. */
  readonly onLost: (reason: string) => void
}

/** So often is it renewed within its time. */
const RENEWALS = 3

/**
 * A host's lease in etcd. It counts its time by our steady clock, from before etcd was asked: so it has ended
 * here, and its holder has stopped, before etcd gives to others what was put under it. What it cannot know is
 * that the machine has slept, in which that clock stands still: {@link held} is to be asked after each wait.
 */
export class Lease {
  readonly id: string
  readonly #etcd: Etcd
  readonly #options: LeaseOptions
  readonly #clock: Clock
  readonly #milliseconds: number
  readonly #margin: number
  readonly #renewal: Timer
  readonly #end: Timer
  /** Until when it lasts, by our clock. */
  #until: number
  #over = false

  /** @throws EtcdAway @throws EtcdError */
  static async grant(etcd: Etcd, options: LeaseOptions): Promise<Lease> {
    const asked = options.clock.steady()
    const { id, seconds } = await etcd.grant(options.seconds ?? 10)
    return new Lease(etcd, id, seconds * 1000, asked, options)
  }

  private constructor(etcd: Etcd, id: string, milliseconds: number, asked: number, options: LeaseOptions) {
    this.id = id
    this.#etcd = etcd
    this.#options = options
    this.#clock = options.clock
    this.#milliseconds = milliseconds
    this.#margin = options.margin ?? milliseconds / 10
    this.#until = asked + milliseconds
    this.#renewal = this.#clock.every(milliseconds / RENEWALS, () => void this.#renew()).unref()
    this.#end = this.#clock.timer(() => this.#lose('etcd has not renewed it in time')).unref()
    this.#end.at(this.#stop)
  }

  /** Whether what is put under it is ours still, for the margin at least. */
  get held(): boolean {
    if (!this.#over && this.#clock.steady() >= this.#stop) this.#lose('etcd has not renewed it in time')
    return !this.#over
  }

  /** When its holder stops. */
  get #stop(): number {
    return this.#until - this.#margin
  }

  /** It ends, with what was put under it: at once, or by its time if etcd is away. */
  async end(): Promise<void> {
    if (this.#over) return
    this.#finish()
    await this.#etcd.revoke(this.id).catch(() => {})
  }

  async #renew(): Promise<void> {
    const asked = this.#clock.steady()
    try {
      const seconds = await this.#etcd.keepAlive(this.id)
      if (this.#over) return
      if (seconds === 0) return this.#lose('etcd has ended it')
      this.#until = Math.max(this.#until, asked + Math.min(seconds * 1000, this.#milliseconds))
      this.#end.at(this.#stop)
    } catch (error) {
      if (error instanceof EtcdError && error.code === NOT_FOUND) this.#lose('etcd knows nothing of it')
      // Else it is asked again in time, or ends by it.
    }
  }

  #lose(reason: string): void {
    if (this.#over) return
    this.#finish()
    this.#options.onLost(reason)
  }

  #finish(): void {
    this.#over = true
    this.#renewal.stop()
    this.#end.stop()
  }
}

/** Of gRPC. */
const NOT_FOUND = 5
