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
  | { readonly granted: true }
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

/** Sessions that have ended and are still remembered, so that a late claim is refused. */
const REMEMBERED = 10_000
const GRANTED: Entry = { granted: true }

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

  async claim(sessionId: string, { owner, generation }: Ownership): Promise<Entry> {
    const known = this.#owned.get(sessionId)
    const last = known?.generation ?? this.#ended.get(sessionId)
    if (last !== undefined && generation < last) return refused('stale', known)
    if (known?.generation === generation) return known.owner === owner ? GRANTED : refused('owned', known)
    // No owner comes back with the generation that has ended.
    if (last === generation) return refused('stale', undefined)
    this.#set(sessionId, { owner, generation })
    return GRANTED
  }

  async transfer(sessionId: string, from: Ownership, to: Ownership): Promise<Entry> {
    if (to.generation <= from.generation)
      throw new RangeError(`a transfer from generation ${from.generation} to ${to.generation}`)
    const known = this.#owned.get(sessionId)
    if (known === undefined) return refused(this.#ended.has(sessionId) ? 'stale' : 'unknown', undefined)
    if (known.generation > from.generation) return refused('stale', known)
    if (known.generation < from.generation) return refused('unknown', known)
    if (known.owner !== from.owner) return refused('owned', known)
    this.#set(sessionId, { owner: to.owner, generation: to.generation })
    return GRANTED
  }

  async release(sessionId: string, { owner, generation }: Ownership): Promise<Entry> {
    const known = this.#owned.get(sessionId)
    if (known === undefined) return refused(this.#ended.has(sessionId) ? 'stale' : 'unknown', undefined)
    if (generation < known.generation) return refused('stale', known)
    if (known.owner !== owner) return refused('owned', known)
    this.#owned.delete(sessionId)
    this.#ended.set(sessionId, generation)
    if (this.#ended.size > REMEMBERED) this.#ended.delete(this.#ended.keys().next().value!)
    this.#tell(sessionId, undefined)
    return GRANTED
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

  #set(sessionId: string, ownership: Ownership): void {
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
