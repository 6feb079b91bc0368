import { QUEUE_FUNCTION } from '../platform/queue-settings.ts'
import type { Replica } from './replica.ts'

/** What a start is told of. */
export interface StartOptions {
  readonly replicas: ReadonlySet<Replica>
  /** A function has no container yet, and none could be started. */
  readonly failing: (functionName: string) => void
}

/**
 * The first start of all that is to run. It is over when each replica can work, or is known not to for now:
 * what a function does wrong at its start is that function's matter alone. Without the gateway, or what else
 * the platform is made of, there is none.
 */
export class Start {
  readonly #options: StartOptions
  #waiting: { resolve: () => void; reject: (error: Error) => void } | undefined

  constructor(options: StartOptions) {
    this.#options = options
  }

  /** Whether it is a part of the platform, and no function of its user. */
  isOurs({ functionName }: Replica): boolean {
    return functionName === '' || functionName === QUEUE_FUNCTION
  }

  /** Waits until it is over. @throws Error what the platform cannot do without has failed */
  over(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  /** Looks whether it is. */
  look(): void {
    if (this.#waiting === undefined || [...this.#options.replicas].some(({ settled }) => !settled)) return
    this.#waiting.resolve()
    this.#waiting = undefined
  }

  /** A process of a replica has ended, or says that it cannot start, before it could work. */
  failed(replica: Replica, reason: string): void {
    replica.broken = reason
    if (replica.settled) return
    const { replicas, failing } = this.#options
    if (this.isOurs(replica)) {
      this.#waiting?.reject(new Error(reason))
      this.#waiting = undefined
      return
    }
    replica.settled = true
    const { functionName } = replica
    if (![...replicas].some(one => one.functionName === functionName && one.ready)) failing(functionName)
    this.look()
  }
}
