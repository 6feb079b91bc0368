import type { News, State, Step, Telling } from '../supervisor/observatory/telling.ts'
import type { ConnectionStatus } from '../supervisor/sessions.ts'

/** Connections that the page knows one by one; those that changed least lately are forgotten first. */
const KNOWN = 2000
/** Milliseconds that one is still listed after its end. */
const MOURNED = 5000

/** A connection, as the page knows it. */
export interface Potato {
  readonly id: string
  /** The container that has it. */
  container: string
  generation: number
  /** Undefined: it has been found there, and has done nothing since. */
  last: Step | undefined
  /** Milliseconds of the page's clock at which it ended; undefined: it lives. */
  ended: number | undefined
}

/** A potato that has changed its place, or has come or gone. */
export interface Hop {
  readonly id: string
  /** Undefined: it comes from the gateway. */
  readonly from: string | undefined
  /** Undefined: it has ended. */
  readonly to: string | undefined
}

const ENDS: ReadonlySet<Step['kind']> = new Set(['ended', 'unclean', 'failed', 'slept'])
const COMES: ReadonlySet<Step['kind']> = new Set(['opened', 'arrived', 'returned', 'tookOver', 'woke'])

/** What the page knows, out of what it is told. It knows nothing of how it is shown. */
export class Model {
  /** The one that changed last is the last. */
  readonly potatoes = new Map<string, Potato>()
  state: State | undefined
  /** Steps of which nothing was told, since the page was opened. */
  missed = 0

  /** Takes a line in. @param now milliseconds of the page's clock @returns what hops because of it */
  take(telling: Telling, now: number): readonly Hop[] {
    if (telling.kind === 'state') {
      this.state = telling
      this.#bury(now)
      return []
    }
    if (telling.kind === 'news') return this.#news(telling, now)
    this.#census(telling.connections)
    return []
  }

  /** Connections in a container, as it said last: more than are known one by one. */
  count(container: string): number {
    return this.state?.containers.find(({ name }) => name === container)?.connections ?? 0
  }

  #census(connections: readonly ConnectionStatus[]): void {
    const before = new Map(this.potatoes)
    this.potatoes.clear()
    for (const { id, container, generation } of connections) {
      const { last } = before.get(id) ?? {}
      this.potatoes.set(id, { id, container, generation, last, ended: undefined })
    }
  }

  #news({ steps, missed }: News, now: number): Hop[] {
    this.missed += missed
    return steps.flatMap(step => this.#step(step, now) ?? [])
  }

  #step(step: News['steps'][number], now: number): Hop | undefined {
    const { id, kind, generation, container, to } = step
    const known = this.potatoes.get(id)
    // Both containers tell of a move, in any order.
    if (known !== undefined && known.generation > generation) return undefined
    if (kind === 'left' && known?.generation === generation) return undefined
    const potato = known ?? { id, container, generation, last: step, ended: undefined }
    const from = known === undefined || kind === 'opened' ? undefined : known.container
    this.potatoes.delete(id)
    this.potatoes.set(id, potato)
    potato.generation = generation
    potato.last = step
    potato.container = kind === 'left' ? (to ?? container) : container
    potato.ended = ENDS.has(kind) ? now : undefined
    if (this.potatoes.size > KNOWN) this.#forgetOne()
    if (potato.ended !== undefined) return { id, from: potato.container, to: undefined }
    if (kind === 'left' && known === undefined) return { id, from: container, to: potato.container }
    const comes = COMES.has(kind) || kind === 'left'
    return comes && from !== potato.container ? { id, from, to: potato.container } : undefined
  }

  #forgetOne(): void {
    const [oldest] = this.potatoes.keys()
    this.potatoes.delete(oldest!)
  }

  #bury(now: number): void {
    for (const { id, ended } of this.potatoes.values())
      if (ended !== undefined && now - ended > MOURNED) this.potatoes.delete(id)
  }
}
