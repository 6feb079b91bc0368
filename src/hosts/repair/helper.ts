import type { Log } from '../../platform/log.ts'
import { NetdClient, NetdError } from '../../platform/netd/client.ts'
import type { Steered } from '../../platform/netd/messages.ts'
import type { Clock } from '../../time/clock.ts'
import { reasonOf } from '../../wire/thrown.ts'

/** Milliseconds until a netd that is not there is looked for again. */
const LOOK = 1000
/** How often it is asked for what must be done, and how many milliseconds lie between. */
const INSISTENCE = { times: 60, every: 500 } as const

export interface HelperOptions {
  readonly runDirectory: string
  readonly clock: Clock
  readonly log: Log
}

/** This host's `hotpotato netd`, which comes and goes. */
export class Helper {
  /** It is there, or is there no more. */
  onChange: ((flows: readonly Steered[] | undefined) => void) | undefined
  readonly #options: HelperOptions
  #client: NetdClient | undefined
  #told = false

  constructor(options: HelperOptions) {
    this.#options = options
  }

  /** Undefined: it is not there. */
  get client(): NetdClient | undefined {
    return this.#client
  }

  /** Looks for it from now on. */
  begin(): void {
    void this.#look().catch((error: unknown) => this.#away(reasonOf(error)))
  }

  /**
   * Has it do what is not to be left: again, if it dies meanwhile and another one is started.
   * @returns undefined, or why it could not be done
   */
  async insist(act: (client: NetdClient) => Promise<void>): Promise<string | undefined> {
    let reason = 'netd is not there'
    for (let time = 0; time < INSISTENCE.times; time++) {
      if (this.#client !== undefined) {
        try {
          await act(this.#client)
          return undefined
        } catch (error) {
          if (!(error instanceof NetdError)) throw error
          reason = error.message
          // What is refused would be refused again, as one that an earlier netd has woken already.
          if (error.outcome === 'untouched') return reason
        }
      }
      await new Promise<void>(resolve => this.#options.clock.after(INSISTENCE.every, resolve))
    }
    return reason
  }

  async #look(): Promise<void> {
    const { runDirectory, clock, log } = this.#options
    const client = await NetdClient.connect(runDirectory, clock)
    let flows: readonly Steered[]
    try {
      flows = await client.flows()
    } catch (error) {
      client.close()
      throw error
    }
    client.onLost = reason => {
      this.#client = undefined
      client.close()
      this.onChange?.(undefined)
      this.#away(reason)
    }
    this.#client = client
    this.#told = false
    log.info('netd answers: connections of hosts.carrier repair go as they are')
    this.onChange?.(flows)
  }

  #away(reason: string): void {
    const { clock, log } = this.#options
    if (!this.#told) log.warn({ reason }, 'netd does not answer: connections go to other hosts by relay')
    this.#told = true
    clock.after(LOOK, () => this.begin()).unref()
  }
}
