import type { Clock } from '../time/clock.ts'
import type { ByteStream } from '../transfer/byte-stream.ts'
import { type Bypassed, Junction } from './junction.ts'
import type { Span } from './span.ts'

/** One way that is left out: what its two ends are joined with by now, and what they leave free. */
interface Detour {
  /** Towards the client, and towards the container. */
  readonly ends: readonly [Bypassed, Bypassed]
  readonly free: Map<Bypassed, ByteStream>
  readonly done: (junction: Junction | undefined) => void
}

/**
 * Connections that have come back to this host. Their bytes ran to the other host and back again; from here
 * on they stay here. Each of the two spans is ended: what was underway on one comes out of the other one,
 * and behind it, as its end, what was sent into the first. Then nothing is left at the other host, and the
 * two streams are joined. Other hosts do nothing for it: to them it is an end in both directions. So one that
 * comes back again runs through two junctions, and those become one in the same way.
 */
export class Shortcuts {
  readonly #clock: Clock
  readonly #detours = new Map<Bypassed, Detour>()
  /** By session, in the order from its client to its container. */
  readonly #joined = new Map<string, readonly Junction[]>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Connections that have taken one and live. */
  get size(): number {
    return this.#joined.size
  }

  /** Pairs of streams that they run through: one for each, but for a moment. */
  get junctions(): number {
    return [...this.#joined.values()].reduce((sum, { length }) => sum + length, 0)
  }

  /** @param out by which it left @param back by which it came: between the two it was not on this host */
  begin(sessionId: string, out: Span, back: Span): void {
    if (!out.isWhole || !back.isWhole) return
    this.#bypass([out, back], junction => {
      if (junction === undefined) return
      this.#set(sessionId, [...(this.#joined.get(sessionId) ?? []), junction])
      this.#merge(sessionId)
    })
  }

  /** A span or a junction is over. If it was not to be, so is the way that was to be joined with it. */
  ended(end: Bypassed): void {
    const detour = this.#detours.get(end)
    if (detour !== undefined) {
      if (!detour.free.has(end)) this.#fail(detour)
      return
    }
    for (const [sessionId, joined] of this.#joined)
      this.#set(
        sessionId,
        joined.filter(one => one !== end),
      )
  }

  #bypass(ends: Detour['ends'], done: Detour['done']): void {
    const detour: Detour = { ends, free: new Map(), done }
    for (const end of ends) this.#detours.set(end, detour)
    for (const end of ends) end.detour(stream => this.#freed(detour, end, stream))
  }

  #freed(detour: Detour, end: Bypassed, stream: ByteStream): void {
    if (this.#detours.get(end) !== detour) {
      stream.destroy()
      return
    }
    detour.free.set(end, stream)
    const [outer, inner] = detour.ends.map(one => detour.free.get(one))
    // Until the other one is free, too. That this one breaks is seen then.
    if (outer === undefined || inner === undefined) return
    for (const one of detour.ends) this.#detours.delete(one)
    const junction = new Junction({ outer, inner, clock: this.#clock, ended: one => this.ended(one) })
    detour.done(junction.isOver ? undefined : junction)
  }

  #fail({ ends, free, done }: Detour): void {
    for (const end of ends) this.#detours.delete(end)
    for (const stream of free.values()) stream.destroy()
    for (const end of ends) if (!free.has(end)) end.break()
    done(undefined)
  }

  /** Two junctions of one connection have a pair of sockets between them. */
  #merge(sessionId: string): void {
    const [first, second] = this.#joined.get(sessionId) ?? []
    if (first?.isWhole !== true || second?.isWhole !== true) return
    this.#bypass([first.keeping('outer'), second.keeping('inner')], merged => {
      const joined = this.#joined.get(sessionId) ?? []
      const rest = joined.filter(one => one !== first && one !== second)
      this.#set(sessionId, merged === undefined ? rest : [merged, ...rest])
      this.#merge(sessionId)
    })
  }

  #set(sessionId: string, joined: readonly Junction[]): void {
    if (joined.length === 0) this.#joined.delete(sessionId)
    else this.#joined.set(sessionId, joined)
  }
}
