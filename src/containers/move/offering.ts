import type { Log } from '../../platform/log.ts'
import type { Peer } from '../../transfer/control.ts'
import type { Courier } from '../../transfer/courier.ts'
import type { Release } from '../../transfer/custody.ts'
import type { Frozen } from '../connection/connection-host.ts'

/** What an offer asks of the container that makes it. */
export interface Offers {
  readonly courier: Courier
  readonly log: Log
  /** Another container that may take the connection, but for those that have refused it. */
  another(refusedBy: ReadonlySet<number>): Peer | undefined
  /** The verdict, once, when no other container is asked any more. */
  settle(release: Release): void
}

/** Sends a frozen connection to one container after the other, until one takes it or none is left. */
export class Offering {
  readonly #offers: Offers
  /** Made when the first one refuses. */
  #refusedBy: Set<number> | undefined

  constructor(offers: Offers) {
    this.#offers = offers
  }

  /** @param first whom it is sent to first */
  begin(frozen: Frozen | Promise<Frozen>, first: Peer): void {
    if (!(frozen instanceof Promise)) {
      this.#send(frozen, first)
      return
    }
    frozen
      .then(one => this.#send(one, first))
      .catch((error: unknown) => {
        // The client went away while its last response was being sent.
        this.#offers.log.debug({ err: error }, 'a connection ended before it could move')
        this.#offers.settle({ state: 'ended', reason: 'lost' })
      })
  }

  #send(frozen: Frozen, target: Peer): void {
    const { envelope, descriptor, offering } = frozen
    offering(target.id, envelope.generation)
    this.#offers.courier.send(target.id, envelope, descriptor, release => {
      const next = isPassing(release) ? this.#another(target) : undefined
      if (next === undefined) this.#offers.settle(release)
      else this.#again(frozen, next)
    })
  }

  #another({ id }: Peer): Peer | undefined {
    this.#refusedBy ??= new Set()
    return this.#offers.another(this.#refusedBy.add(id))
  }

  #again(frozen: Frozen, next: Peer): void {
    frozen.envelope.generation++
    try {
      this.#send(frozen, next)
    } catch (error) {
      this.#offers.log.error({ err: error }, 'a connection could not be offered to another container')
      this.#offers.settle({ state: 'ended', reason: 'lost' })
    }
  }
}

/**
 * It was refused for a reason that another container need not have: that one is about to stop, or is no more.
 */
function isPassing(release: Release): boolean {
  if (release.state !== 'owned') return false
  return release.verdict === undefined || release.verdict.reason === 'draining'
}
