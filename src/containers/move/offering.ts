import type { Log } from '../../platform/log.ts'
import type { Peer } from '../../transfer/control.ts'
import type { Courier } from '../../transfer/courier.ts'
import type { Release } from '../../transfer/custody.ts'
import type { Envelope } from '../../transfer/envelope.ts'
import type { Frozen } from '../connection/connection-host.ts'

/** What an offer asks of the container that makes it. */
export interface Offers {
  readonly courier: Courier
  readonly log: Log
  /** Another container that may take the connection, but for those that have refused it. */
  another(refusedBy: ReadonlySet<number>): Peer | undefined
  /** That one is about to stop, or is no more: nothing that it refused has reached its function. */
  passed(target: Peer): void
  /** Gives it to what keeps it while there is no container. @returns false if there is none of that either */
  keep?(frozen: Frozen, settle: (release: Release) => void): boolean
  /** Is shown what travels; then a connection goes whole, also to a container that keeps a seat for it. */
  readonly travels?: ((envelope: Envelope) => void) | undefined
  /** The verdict, once, when no other container is asked any more. @param target who has it, if one has it */
  settle(release: Release, target?: number): void
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

  #send(frozen: Frozen, target: Peer, cold = false): void {
    const { envelope, descriptor, companions, offering, returnTo } = frozen
    const { courier, travels } = this.#offers
    const back = cold || travels !== undefined ? undefined : returnTo(target.id)
    offering(target.id, envelope.generation)
    travels?.(envelope)
    if (back !== undefined)
      courier.sendReturn(target.id, envelope, back, release => {
        if (isCold(release)) this.#again(frozen, target, true)
        else this.#settle(frozen, target, release)
      })
    else {
      const settle = (release: Release): void => this.#settle(frozen, target, release)
      courier.send(target.id, envelope, descriptor, settle, companions)
    }
  }

  #settle(frozen: Frozen, target: Peer, release: Release): void {
    const passing = isPassing(release)
    if (passing) this.#offers.passed(target)
    const next = passing ? this.#another(target) : undefined
    if (next !== undefined) this.#again(frozen, next, false)
    else if (!passing || !this.#keep(frozen)) this.#offers.settle(release, target.id)
  }

  #keep(frozen: Frozen): boolean {
    if (frozen.envelope.upstreams.length > 0) return false
    const { generation } = frozen.envelope
    frozen.envelope.generation = generation + 1
    if (this.#offers.keep?.(frozen, release => this.#offers.settle(release)) === true) return true
    frozen.envelope.generation = generation
    return false
  }

  #another({ id }: Peer): Peer | undefined {
    this.#refusedBy ??= new Set()
    return this.#offers.another(this.#refusedBy.add(id))
  }

  #again(frozen: Frozen, next: Peer, cold: boolean): void {
    frozen.envelope.generation++
    try {
      this.#send(frozen, next, cold)
    } catch (error) {
      this.#offers.log.error({ err: error }, 'a connection could not be offered to another container')
      this.#offers.settle({ state: 'ended', reason: 'lost' })
    }
  }
}

/**
 * It was refused for a reason that another container need not have: that one is about to stop, or is no more.
 */
export function isPassing(release: Release): boolean {
  if (release.state !== 'owned') return false
  return release.verdict === undefined || release.verdict.reason === 'draining'
}

/** That container has kept nothing: it takes what every other one takes. */
function isCold(release: Release): boolean {
  return release.state === 'owned' && release.verdict?.reason === 'cold'
}
