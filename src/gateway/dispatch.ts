import { Roster } from '../containers/roster.ts'
import type { Loads, Peer } from '../transfer/control.ts'
import type { Release } from '../transfer/custody.ts'

/** Why no other container is asked: a container says that what it is offered lives there. */
export const HERE = 'it lives there already'

/** Something that is to be given to a container of a function. */
export interface Consignment {
  readonly functionName: string
  /** Offers it to one container. `settle` is called exactly once. */
  send(target: Peer, settle: (release: Release) => void): void
  /** That container has it. */
  accepted(target: Peer): void
  /** That container died with it, or says nothing: it may have it or not. Or it says that it had it already ({@link HERE}). */
  lost(target: Peer, reason: string): void
  /** That container did not take it; the next one is asked. */
  refused(target: Peer, release: Release & { readonly state: 'owned' }): void
  /** No container has taken it in time. Not called after {@link accepted} or {@link lost}. */
  unwanted(reason: string): void
}

/** One consignment on its way. */
interface Delivery {
  readonly consignment: Consignment
  /** Containers that have refused it. */
  readonly refusedBy: Set<number>
  readonly until: number
}

/** Finds a container for what comes to the gateway: one after the other until one takes it, and waits a moment if there is none. */
export class Dispatch {
  readonly #holdMilliseconds: number
  readonly #containers = new Roster()
  readonly #held = new Set<Delivery>()

  /** @param holdMilliseconds for a container to become ready */
  constructor(holdMilliseconds: number) {
    this.#holdMilliseconds = holdMilliseconds
  }

  /** Consignments that wait for a container. */
  get size(): number {
    return this.#held.size
  }

  introduced(peer: Peer): void {
    if (peer.role !== 'container') return
    this.#containers.add(peer)
    for (const delivery of [...this.#held]) {
      if (delivery.consignment.functionName !== peer.functionName) continue
      this.#held.delete(delivery)
      this.#deliver(delivery)
    }
  }

  gone(id: number): void {
    this.#containers.remove(id)
  }

  /** That container is about to go, and is offered nothing any more. */
  draining(id: number): void {
    this.#containers.draining(id)
  }

  /** How many connections containers have. */
  loads(loads: Loads): void {
    for (const { id, connections } of loads) this.#containers.report(id, connections)
  }

  deliver(consignment: Consignment): void {
    this.#deliver({ consignment, refusedBy: new Set(), until: performance.now() + this.#holdMilliseconds })
  }

  /** Gives up what waits. */
  close(): void {
    for (const { consignment } of this.#held) consignment.unwanted('the gateway stops')
    this.#held.clear()
  }

  #deliver(delivery: Delivery): void {
    const { consignment, refusedBy } = delivery
    const target = this.#containers.choose(consignment.functionName, refusedBy)
    if (target === undefined) this.#hold(delivery)
    else consignment.send(target, release => this.#settle(delivery, target, release))
  }

  #settle(delivery: Delivery, target: Peer, release: Release): void {
    const { consignment, refusedBy } = delivery
    switch (release.state) {
      case 'gone':
        consignment.accepted(target)
        return
      case 'ended':
        consignment.lost(target, release.reason)
        return
      case 'owned':
        if (release.verdict?.reason === 'here') {
          consignment.lost(target, HERE)
          return
        }
        consignment.refused(target, release)
        refusedBy.add(target.id)
        this.#deliver(delivery)
    }
  }

  /** Waits a moment for a container to become ready. */
  #hold(delivery: Delivery): void {
    const left = delivery.until - performance.now()
    if (left <= 0) {
      delivery.consignment.unwanted(
        `no container of the function ${delivery.consignment.functionName} is ready`,
      )
      return
    }
    this.#held.add(delivery)
    setTimeout(() => {
      if (this.#held.delete(delivery)) this.#deliver(delivery)
    }, left + 1)
  }
}
