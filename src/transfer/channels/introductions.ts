import type { ControlMessage, Peer, PeerRole } from '../control.ts'
import type { Descriptor } from '../stream.ts'

type Introduction = Extract<ControlMessage, { kind: 'introduce' | 'expect' | 'introduceFar' }>

/** What becomes of an introduction. */
export interface Introduced {
  /** Makes a peer known. @throws RangeError it is known, or its key is none: its ends are the caller's */
  introduce(peer: Peer, ends: readonly Descriptor[], salt?: Uint8Array): void
  introduced(peer: Peer, how: Introduction['kind']): void
  /** What the supervisor said makes no sense. */
  senseless(from: number, reason: string): void
}

interface Waiting {
  readonly from: number
  readonly message: Introduction
  readonly ends: readonly Descriptor[]
}

/**
 * Peers that the supervisor introduces. A process that is not ready for those of some role has them wait:
 * what they say waits meanwhile in their pairs, in the kernel.
 */
export class Introductions {
  readonly #options: Introduced
  #deferred: ReadonlySet<PeerRole> = new Set()
  readonly #waiting = new Map<number, Waiting>()

  constructor(options: Introduced) {
    this.#options = options
  }

  /** From now on peers of these roles wait until {@link admit}. */
  defer(roles: readonly PeerRole[]): void {
    this.#deferred = new Set(roles)
  }

  /** Makes those known that have waited, and those that come. */
  admit(...roles: readonly PeerRole[]): void {
    this.#deferred = new Set([...this.#deferred].filter(role => !roles.includes(role)))
    for (const [id, waiting] of this.#waiting) {
      if (!roles.includes(waiting.message.peer.role)) continue
      this.#waiting.delete(id)
      this.#make(waiting)
    }
  }

  /** @param ends of our pair with it, which are ours from now on */
  take(from: number, message: Introduction, ends: readonly Descriptor[]): void {
    const { peer } = message
    if (!this.#deferred.has(peer.role)) this.#make({ from, message, ends })
    else {
      // The key is borrowed from the message.
      const own = { ...peer, publicKey: peer.publicKey.slice() }
      const kept = message.kind === 'introduceFar' ? { ...message, salt: message.salt.slice() } : message
      this.#waiting.set(peer.id, { from, message: { ...kept, peer: own }, ends })
    }
  }

  /** That process has ended. @returns whether it was not known yet */
  gone(id: number): boolean {
    const waiting = this.#waiting.get(id)
    for (const end of waiting?.ends ?? []) end.close()
    return this.#waiting.delete(id)
  }

  #make({ from, message, ends }: Waiting): void {
    const { peer, kind } = message
    const { introduce, introduced, senseless } = this.#options
    try {
      introduce(peer, ends, message.kind === 'introduceFar' ? message.salt : undefined)
    } catch (error) {
      for (const end of ends) end.close()
      if (!(error instanceof RangeError)) throw error
      // One peer with a key that is none must not end all others.
      senseless(from, error.message)
      return
    }
    introduced(peer, kind)
  }
}
