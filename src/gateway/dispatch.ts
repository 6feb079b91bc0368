import type { Account, Holder, MemoryBudget } from '../http/memory-budget.ts'
import { Roster } from '../platform/roster.ts'
import type { Clock } from '../time/clock.ts'
import type { Loads, Peer } from '../transfer/control.ts'
import { ASK_AGAIN, type Release } from '../transfer/custody.ts'
import { Guard } from '../transport/guard.ts'

/** Why no other container is asked: a container says that what it is offered lives there. */
export const HERE = 'it is already there'

/**
 * After a refusal: the `next` container is asked, the same one `again` in a moment, or `never` any: it is
 * unwanted.
 */
export type Onward = 'next' | 'again' | 'never'

/** How a container refused it, or was not there any more. */
export type Refused = Release & { readonly state: 'owned' }

/** Milliseconds until a wish is uttered again: one for a function that just falls asleep is not heard. */
const ONCE_MORE = 1000

/** What waits for a container, and for how long. */
export interface Patience {
  /** Milliseconds that a consignment for that function waits. */
  of(functionName: string): number
  /** There is none, and something waits for it. */
  wish(functionName: string): void
  /** There is one. */
  granted(functionName: string): void
}

/** Something that is to be given to a container of a function. */
export interface Consignment {
  readonly functionName: string
  /** Its container has died, and its client knows nothing of that: it waits longer. */
  readonly orphaned?: boolean
  /** It was kept while its function slept: a container takes it as soon as it can. */
  readonly kept?: boolean
  /** It cannot leave this host: it is as if there were no containers of other ones. */
  readonly near?: boolean
  /** Bytes of it that are kept for nothing else. */
  readonly bytes: number
  /** Offers it to one container. `settle` is called exactly once. */
  send(target: Peer, settle: (release: Release) => void): void
  /** That container has it. */
  accepted(target: Peer): void
  /**
   * That container died with it, or says nothing: it may have it or not. Or it says that it had it already
   * ({@link HERE}).
   */
  lost(target: Peer, reason: string): void
  /** That container did not take it. */
  refused(target: Peer, release: Refused): void
  /** What follows; without this, the next one is asked. */
  onward?(release: Refused): Onward
  /** No container has taken it in time. Not called after {@link accepted} or {@link lost}. */
  unwanted(reason: string): void
  /** One of these has thrown, which must end what it is about and nothing else. */
  failed(error: unknown): void
}

/** One consignment on its way: as long as it waits for a container, it can be given up for what it holds. */
class Delivery implements Holder {
  readonly consignment: Consignment
  /** Milliseconds of the clock. */
  readonly began: number
  /** It waits at least until then. */
  until: number
  /** Containers that have refused it. */
  readonly refusedBy = new Set<number>()
  readonly account: Account
  readonly progress = 0
  readonly shed: () => boolean

  constructor(
    consignment: Consignment,
    began: number,
    until: number,
    memory: MemoryBudget,
    shed: (one: Delivery) => boolean,
  ) {
    this.consignment = consignment
    this.began = began
    this.until = until
    this.shed = () => shed(this)
    this.account = memory.open(this)
  }

  weigh(): number {
    return this.consignment.bytes
  }
}

/**
 * Finds a container for what comes to the gateway: one after the other until one takes it, and waits a moment
 * if there is none.
 */
export class Dispatch {
  readonly #patience: Patience
  readonly #orphanMilliseconds: number
  readonly #containers = new Roster()
  readonly #held = new Set<Delivery>()

  readonly #memory: MemoryBudget
  readonly #clock: Clock

  /**
   * @param patience for a container to become ready; or the milliseconds of that, for every function
   * @param memory what connections hold together
   * @param orphanMilliseconds at least so long, for what is {@link Consignment.orphaned}
   */
  constructor(patience: Patience | number, memory: MemoryBudget, clock: Clock, orphanMilliseconds = 0) {
    this.#clock = clock
    this.#patience = typeof patience === 'number' ? patienceOf(patience) : patience
    this.#orphanMilliseconds = orphanMilliseconds
    this.#memory = memory
  }

  /** Consignments that wait for a container. */
  get size(): number {
    return this.#held.size
  }

  introduced(peer: Peer): void {
    if (peer.role !== 'container') return
    this.#containers.add(peer)
    this.#granted(peer.functionName)
  }

  /** That container is starting: it is offered nothing before {@link thaws} or {@link begins}. */
  expected(peer: Peer): void {
    if (peer.role === 'container') this.#containers.add(peer, 'expected')
  }

  /** It goes on with connections that were kept while its function slept. */
  thaws(id: number): void {
    const peer = this.#containers.advance(id, 'thaws')
    if (peer !== undefined) this.#deliverHeld(peer.functionName, true)
  }

  /** It can work. */
  begins(id: number): void {
    const peer = this.#containers.advance(id, 'begun')
    if (peer !== undefined) this.#granted(peer.functionName)
  }

  #granted(functionName: string): void {
    this.#patience.granted(functionName)
    this.#deliverHeld(functionName, false)
  }

  #deliverHeld(functionName: string, onlyKept: boolean): void {
    for (const delivery of [...this.#held]) {
      const { consignment } = delivery
      if (consignment.functionName !== functionName || (onlyKept && consignment.kept !== true)) continue
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
    const now = this.#clock.steady()
    const until = now + this.#wait(consignment)
    const delivery = new Delivery(consignment, now, until, this.#memory, one => this.#shed(one))
    delivery.account.weigh(now)
    this.#deliver(delivery)
  }

  #wait({ functionName, orphaned }: Consignment, longer = orphaned === true): number {
    const wait = this.#patience.of(functionName)
    return longer && wait > 0 ? Math.max(wait, this.#orphanMilliseconds) : wait
  }

  #shed(delivery: Delivery): boolean {
    if (!this.#held.has(delivery)) return false
    this.#unwanted(
      delivery,
      'gateway.limits.memoryBytes is used up, and this connection has held the most for the longest',
    )
    return true
  }

  #unwanted(delivery: Delivery, reason: string): void {
    this.#held.delete(delivery)
    delivery.account.close()
    this.#guardOf(delivery).run(() => delivery.consignment.unwanted(reason))
  }

  /** Gives up what waits. */
  close(): void {
    for (const delivery of [...this.#held]) this.#unwanted(delivery, 'the gateway stops')
  }

  #deliver(delivery: Delivery): void {
    const { consignment, refusedBy } = delivery
    const guard = this.#guardOf(delivery)
    guard.run(() => {
      const { functionName } = consignment
      const target = this.#containers.choose(functionName, refusedBy, undefined, consignment)
      if (target === undefined) this.#hold(delivery)
      else
        consignment.send(
          target,
          guard.entrance((release: Release) => this.#settle(delivery, target, release)),
        )
    })
  }

  /** What is thrown over one of them ends that one. */
  #guardOf(delivery: Delivery): Guard {
    return new Guard(error => {
      this.#held.delete(delivery)
      delivery.account.close()
      delivery.consignment.failed(error)
    })
  }

  #settle(delivery: Delivery, target: Peer, release: Release): void {
    const { consignment, account } = delivery
    if (release.state !== 'owned') account.close()
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
        // The one that was started in the place of the dead one cannot go on: there is less to hope for.
        // Without a verdict it was the dead one itself, of whose death nothing was known yet.
        if (release.verdict !== undefined)
          delivery.until = Math.min(delivery.until, this.#clock.steady() + this.#wait(consignment, false))
        this.#refused(delivery, target, consignment.onward?.(release) ?? 'next')
    }
  }

  #refused(delivery: Delivery, target: Peer, onward: Onward): void {
    if (onward === 'never') {
      this.#unwanted(delivery, 'its containers refuse it')
      return
    }
    delivery.refusedBy.add(target.id)
    if (onward === 'next') this.#deliver(delivery)
    else this.#hold(delivery, ASK_AGAIN)
  }

  /** Whether that is a container of that function, be it draining. */
  isOf(id: number, functionName: string): boolean {
    return this.#containers.isOf(id, functionName)
  }

  /** There will be no container of that function for a while: what waits for one is given up. */
  giveUp(functionName: string): void {
    for (const delivery of [...this.#held])
      if (delivery.consignment.functionName === functionName)
        this.#unwanted(delivery, `the containers of the function ${functionName} end as they start`)
  }

  /** Something waits for a container of that function. @param near one of this host */
  wish(functionName: string, near = false): void {
    if (!this.#containers.has(functionName, near)) this.#patience.wish(functionName)
  }

  /** Waits for a container to become ready. @param most milliseconds; then the same ones are asked */
  #hold(delivery: Delivery, most = Number.POSITIVE_INFINITY): void {
    const { consignment, began, until } = delivery
    const { functionName } = consignment
    // Its function may have fallen asleep since it began.
    const left = Math.max(until, began + this.#wait(consignment, false)) - this.#clock.steady()
    this.wish(functionName, consignment.near)
    if (left <= 0) {
      this.#unwanted(delivery, `no container of the function ${functionName} is ready`)
      return
    }
    this.#held.add(delivery)
    this.#clock.after(Math.min(most, ONCE_MORE, left + 1), () => {
      if (!this.#held.delete(delivery)) return
      if (most < left) delivery.refusedBy.clear()
      this.#deliver(delivery)
    })
  }
}

/** The same for every function. */
function patienceOf(milliseconds: number): Patience {
  return { of: () => milliseconds, wish() {}, granted() {} }
}
