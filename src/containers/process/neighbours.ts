import type { Log } from '../../platform/log.ts'
import { Roster } from '../../platform/roster.ts'
import { Wishes } from '../../platform/routing/wishes.ts'
import type { Clock } from '../../time/clock.ts'
import { SUPERVISOR } from '../../transfer/channel.ts'
import { isFar, type Peer } from '../../transfer/control.ts'
import type { Courier } from '../../transfer/courier.ts'
import { ASK_AGAIN } from '../../transfer/custody.ts'
import type { KeyRing } from './key-ring.ts'

/** The container whose neighbours they are. */
interface Center {
  readonly functionName: string
  readonly keyRing: KeyRing
  readonly clock: Clock
  readonly log: Log
  readonly courier: Courier | undefined
  /** There may be a container for what waits for one. */
  available(functionName: string): void
}

/** The processes that a container knows: other containers, of all functions, and the signers. */
export class Neighbours {
  /** The other containers. */
  readonly others = new Roster()
  /** Functions that connections wait for. */
  readonly wishes: Wishes
  /** Processes of other hosts. */
  readonly far = new Set<number>()
  readonly #center: Center
  /** Containers of this function that have our keys for certain. */
  readonly #greeted = new Set<number>()
  /** Those that keep our ring, too, for when none of us lives. */
  readonly #signers = new Set<number>()

  constructor(center: Center) {
    this.#center = center
    this.wishes = new Wishes(center.clock, functionName =>
      center.courier?.tell(SUPERVISOR, { kind: 'wake', functionName }),
    )
  }

  /** There is a signer, which keeps the keys when the last container has gone. */
  get signed(): boolean {
    return this.#signers.size > 0
  }

  introduced(peer: Peer): void {
    if (isFar(peer)) this.far.add(peer.id)
    if (peer.role === 'signer') {
      this.#signers.add(peer.id)
      this.#share(peer.id)
    }
    if (peer.role !== 'container') return
    this.others.add(peer)
    this.wishes.granted(peer.functionName)
    if (peer.functionName === this.#center.functionName) this.#share(peer.id)
    this.#center.available(peer.functionName)
  }

  /**
   * A container has refused because it is about to stop, which is news to us, or is not ready: for
   * a moment it is as if it were not there.
   */
  passed({ id, functionName }: Peer): void {
    this.others.pauses(id, true)
    this.#center.clock
      .after(ASK_AGAIN, () => {
        this.others.pauses(id, false)
        this.#center.available(functionName)
      })
      .unref()
  }

  gone(id: number): void {
    this.far.delete(id)
    this.#greeted.delete(id)
    this.others.remove(id)
    this.#signers.delete(id)
  }

  /**
   * Tells all containers of this function, and the signer, the keys that they share; those that hear of new
   * ones tell them on.
   */
  shareKeys(): void {
    const siblings = this.others.of(this.#center.functionName).map(({ id }) => id)
    for (const id of [...siblings, ...this.#signers]) this.#share(id)
  }

  /** Keys from a peer. Those of other functions are none of ours. @returns whether a signer sent them */
  keys(bytes: Uint8Array, from: number): boolean {
    const { functionName, keyRing, log } = this.#center
    const signer = this.#signers.has(from)
    if (!signer && !this.others.isOf(from, functionName)) {
      log.warn({ from }, 'a container of another function sent keys')
      return false
    }
    keyRing.merge(bytes)
    if (!signer) this.#greet(from)
    return signer
  }

  #greet(from: number): void {
    // A peer that was introduced to us only now has not understood what we sent before.
    if (this.#greeted.has(from)) return
    this.#greeted.add(from)
    this.#share(from)
  }

  #share(id: number): void {
    const { courier, keyRing } = this.#center
    courier?.share(id, keyRing.share())
  }
}
