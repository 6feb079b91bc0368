/** The owner of a session, and from which generation on. */
export interface Ownership {
  /** A name that is never used again: a process's id, and its host's where there are several. */
  readonly owner: string
  readonly generation: number
}

/**
 * What a directory says to a caller that wants to change it. `stale`: it knows of a later generation.
 * `owned`: another owner has that very generation. `unknown`: it has never heard of the session, or has
 * forgotten it.
 */
export type Entry =
  | {
      readonly granted: true
      /** Grows with every change of the store, where it counts them: who brings a lower one is late. */
      readonly revision?: bigint
    }
  | {
      readonly granted: false
      readonly reason: 'stale' | 'owned' | 'unknown'
      /** The owner instead; undefined if there is none. */
      readonly ownership: Ownership | undefined
    }

/** The owner of each session. Generations only grow, so of two that claim a session the one with the higher
 * generation has it, in whatever order they are heard, and a claim that comes too late is told so. It says
 * who may act; that a former owner has stopped is for custody, seals and, after a crash, for its death to
 * guarantee.
 *
 * The methods are asynchronous and each is one compare-and-set on (owner, generation), so that a store that
 * several hosts share can implement them: there a claim or transfer also takes out a lease, a claim of the
 * same generation by the same owner renews it, and a lease that ends is a release that {@link watch} tells
 * of.
 */
export interface SessionDirectory {
  /**
   * `owner` has the session. Granted if no owner is known at this generation or a later one, and again to the
   * owner that was granted it.
   */
  claim(sessionId: string, ownership: Ownership): Promise<Entry>
  /**
   * The session goes from one owner to another, whose generation is higher. Granted only if `from` is what is
   * known.
   */
  transfer(sessionId: string, from: Ownership, to: Ownership): Promise<Entry>
  /**
   * The session has ended in the hands of its owner. Its generation is remembered, so that no late claim is
   * granted.
   */
  release(sessionId: string, ownership: Ownership): Promise<Entry>
  find(sessionId: string): Promise<Ownership | undefined>
  /** Calls back on every change, with undefined after a release. @returns what ends that */
  watch(sessionId: string, onChange: (ownership: Ownership | undefined) => void): () => void
}

const GRANTED: Entry = { granted: true }

/** What a directory knows of a session, and what it says to a change of that. It changes nothing. */
export class Known {
  readonly ownership: Ownership | undefined
  /** The generation that the session has, or had at its end; undefined: it is not known. */
  readonly last: number | undefined

  constructor(ownership: Ownership | undefined, ended?: number) {
    this.ownership = ownership
    this.last = ownership?.generation ?? ended
  }

  /** To {@link SessionDirectory.claim}. */
  claim({ owner, generation }: Ownership): Entry {
    const { ownership, last } = this
    if (last !== undefined && generation < last) return refused('stale', ownership)
    if (ownership?.generation === generation)
      return ownership.owner === owner ? GRANTED : refused('owned', ownership)
    // No owner comes back with the generation that has ended.
    return last === generation ? refused('stale', undefined) : GRANTED
  }

  /** To {@link SessionDirectory.transfer}. @throws RangeError the generation does not rise */
  transfer(from: Ownership, to: Ownership): Entry {
    if (to.generation <= from.generation)
      throw new RangeError(`a transfer from generation ${from.generation} to ${to.generation}`)
    const { ownership } = this
    if (ownership === undefined) return refused(this.last === undefined ? 'unknown' : 'stale', undefined)
    if (ownership.generation > from.generation) return refused('stale', ownership)
    if (ownership.generation < from.generation) return refused('unknown', ownership)
    return ownership.owner === from.owner ? GRANTED : refused('owned', ownership)
  }

  /** To {@link SessionDirectory.release}. */
  release({ owner, generation }: Ownership): Entry {
    const { ownership } = this
    if (ownership === undefined) return refused(this.last === undefined ? 'unknown' : 'stale', undefined)
    if (generation < ownership.generation) return refused('stale', ownership)
    return ownership.owner === owner ? GRANTED : refused('owned', ownership)
  }
}

/** Sessions that have ended and are still remembered, so that a late claim is refused. */
const REMEMBERED = 10_000

/** A directory in memory, for the processes of one platform. */
export class MemoryDirectory implements SessionDirectory {
  readonly #owned = new Map<string, Ownership>()
  /** The last generations of sessions that have ended, the oldest first. */
  readonly #ended = new Map<string, number>()
  readonly #watchers = new Map<string, Set<(ownership: Ownership | undefined) => void>>()

  /** Sessions that have an owner. */
  get size(): number {
    return this.#owned.size
  }

  async claim(sessionId: string, ownership: Ownership): Promise<Entry> {
    const known = this.#known(sessionId)
    const entry = known.claim(ownership)
    if (entry.granted && known.last !== ownership.generation) this.#set(sessionId, ownership)
    return entry
  }

  async transfer(sessionId: string, from: Ownership, to: Ownership): Promise<Entry> {
    const entry = this.#known(sessionId).transfer(from, to)
    if (entry.granted) this.#set(sessionId, to)
    return entry
  }

  async release(sessionId: string, ownership: Ownership): Promise<Entry> {
    const entry = this.#known(sessionId).release(ownership)
    if (!entry.granted) return entry
    this.#owned.delete(sessionId)
    this.#ended.set(sessionId, ownership.generation)
    if (this.#ended.size > REMEMBERED) this.#ended.delete(this.#ended.keys().next().value!)
    this.#tell(sessionId, undefined)
    return entry
  }

  async find(sessionId: string): Promise<Ownership | undefined> {
    return this.#owned.get(sessionId)
  }

  watch(sessionId: string, onChange: (ownership: Ownership | undefined) => void): () => void {
    const watchers = this.#watchers.get(sessionId) ?? new Set()
    this.#watchers.set(sessionId, watchers.add(onChange))
    return () => {
      watchers.delete(onChange)
      if (watchers.size === 0 && this.#watchers.get(sessionId) === watchers) this.#watchers.delete(sessionId)
    }
  }

  #known(sessionId: string): Known {
    return new Known(this.#owned.get(sessionId), this.#ended.get(sessionId))
  }

  #set(sessionId: string, { owner, generation }: Ownership): void {
    const ownership = { owner, generation }
    this.#owned.set(sessionId, ownership)
    this.#ended.delete(sessionId)
    this.#tell(sessionId, ownership)
  }

  #tell(sessionId: string, ownership: Ownership | undefined): void {
    for (const onChange of [...(this.#watchers.get(sessionId) ?? [])]) onChange(ownership)
  }
}

function refused(reason: 'stale' | 'owned' | 'unknown', ownership: Ownership | undefined): Entry {
  return { granted: false, reason, ownership }
}
