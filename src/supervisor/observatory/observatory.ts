import type { Clock, Timer } from '../../time/clock.ts'
import type { ControlMessage } from '../../transfer/control.ts'
import type { Sight } from '../../transfer/messages/sights.ts'
import { hex } from '../../wire/index.ts'
import type { Tally } from '../admin/tally.ts'
import type { ConnectionStatus } from '../sessions.ts'
import type { MemberStatus } from '../status.ts'
import { Lives } from './lives.ts'
import { Spans } from './spans.ts'
import type { Census, Life, News, State, Step, StepOf, Telling, Total } from './telling.ts'

/** Milliseconds between two messages of a container, between two lines of news, and between two looks. */
const SIGHTS = 200
const NEWS = 200
const LOOK = 1000
/** Milliseconds between two censuses, where containers had more to tell than they could. */
const RECOUNT = 5000
/** Connections that are told one by one, and beyond which no census is made anew. */
const NAMED = 2000
/** Steps of one line of news at most; and on average, which all containers share. */
const STEPS = 200
const SHARED = 50
/** What each container may tell on average, however many there are. */
const LEAST = 2
/** Pages at once. */
const MOST = 8

/** The process that tells, or that a connection went to. */
export interface Place {
  readonly name: string
  readonly functionName: string
}

/** What the observatory asks of the supervisor. */
export interface Observed {
  readonly clock: Clock
  readonly tally: Tally
  /** Containers that can work, by the ids of their processes. */
  containers(): ReadonlyMap<number, Place>
  tell(id: number, message: ControlMessage): void
  status(): Promise<readonly MemberStatus[]>
  connections(): Promise<readonly ConnectionStatus[]>
}

/** Is given each line of JSON. */
export type Listener = (line: string) => void

/**
 * What a page is told of connections. Without a page nothing is asked, nothing is noted, and nothing is kept:
 * containers tell what becomes of their connections from the first page on until the last one is closed.
 */
export class Observatory {
  readonly #observed: Observed
  readonly #listeners = new Set<Listener>()
  readonly #lives = new Lives()
  #timers: Timer[] = []
  /** Steps that each container may tell at a time, on average. */
  #share = 0
  #spans = { move: new Spans(), freeze: new Spans(), hand: new Spans(), restore: new Spans() }
  #news: StepOf[] = []
  #missed = 0
  /** What was missed since the last census, and when that was. */
  #uncounted = 0
  #counted = 0
  #last: { readonly at: number; readonly values: Readonly<Record<string, number>> } | undefined

  constructor(observed: Observed) {
    this.#observed = observed
  }

  /** Whether there is a page. */
  get watching(): boolean {
    return this.#listeners.size > 0
  }

  /**
   * Tells a page all that there is, and from now on what is new. @returns stops that; undefined: too many
   * pages are open
   */
  subscribe(listener: Listener): (() => void) | undefined {
    if (this.#listeners.size >= MOST) return undefined
    this.#listeners.add(listener)
    if (this.#listeners.size === 1) this.#begin()
    void this.#welcome(listener)
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#end()
    }
  }

  /** A container can work: it tells from here on. */
  ready(id: number): void {
    if (!this.watching || !this.#observed.containers().has(id)) return
    if (!this.#apportion()) this.#watch(id, SIGHTS)
  }

  /** What a container has seen. */
  heard(place: Place, sights: readonly Sight[], missed: number): void {
    // What was on its way when the last page was closed.
    if (!this.watching) return
    const now = this.#observed.clock.steady()
    const wall = this.#observed.clock.wall()
    const containers = this.#observed.containers()
    // What an honest container tells at once is less.
    for (const sight of sights.slice(0, STEPS)) {
      const step = stepOf(sight, place, wall, containers)
      this.#measure(step, now)
      this.#lives.add(step.id, step)
      if (this.#news.length < STEPS) this.#news.push(step)
      else this.#missed++
    }
    this.#missed += missed
  }

  /** One connection's life since the first page was opened; undefined: nothing is known of it. */
  async life(id: string): Promise<Life | undefined> {
    const now = (await this.#observed.connections()).find(one => one.id === id)
    const steps = this.#lives.of(id)
    return now === undefined && steps.length === 0 ? undefined : { id, steps, now }
  }

  /** The census is long: a page that has not read it yet would be told no state behind it. */
  async #welcome(listener: Listener): Promise<void> {
    const connections = this.#observed.connections().catch(() => [])
    await this.#look()
    await this.#census(listener, connections)
  }

  #begin(): void {
    const { clock } = this.#observed
    this.#apportion()
    this.#timers = [
      clock.every(NEWS, () => this.#tellNews()).unref(),
      clock.every(LOOK, () => void this.#look()).unref(),
    ]
  }

  #end(): void {
    for (const timer of this.#timers) timer.stop()
    for (const id of this.#observed.containers().keys()) this.#watch(id, 0)
    this.#share = 0
    this.#lives.clear()
    this.#spans = { move: new Spans(), freeze: new Spans(), hand: new Spans(), restore: new Spans() }
    this.#news = []
    this.#missed = this.#uncounted = 0
    this.#last = undefined
  }

  #watch(id: number, milliseconds: number): void {
    this.#observed.tell(id, { kind: 'watch', milliseconds, most: this.#share })
  }

  /** @returns whether each container was told a new share, as there are more of them, or fewer */
  #apportion(): boolean {
    const ids = [...this.#observed.containers().keys()]
    const share = Math.max(LEAST, Math.floor(SHARED / Math.max(1, ids.length)))
    if (share === this.#share) return false
    this.#share = share
    for (const id of ids) this.#watch(id, SIGHTS)
    return true
  }

  #measure({ kind, prepared, handed }: Step, now: number): void {
    if (kind === 'left') {
      this.#spans.freeze.add(prepared, now)
      this.#spans.hand.add(handed, now)
      this.#spans.move.add(prepared + handed, now)
    } else if (kind === 'arrived' || kind === 'returned') this.#spans.restore.add(prepared, now)
  }

  #tellNews(): void {
    if (this.#news.length === 0 && this.#missed === 0) return
    const news: News = { kind: 'news', steps: this.#news, missed: this.#missed }
    this.#uncounted += this.#missed
    this.#news = []
    this.#missed = 0
    this.#tell(news)
  }

  async #look(): Promise<void> {
    const { clock, tally } = this.#observed
    const members = await this.#observed.status().catch(() => [])
    if (!this.watching) return
    this.#apportion()
    const now = clock.steady()
    const totals = totalsOf(tally)
    const requests = members.reduce((sum, { counters }) => sum + (counters.calls ?? 0), 0)
    const values = { opened: totals.opened, moves: totals.moves, requests }
    const rates = ratesOf(values, this.#last, now)
    // A page that has just come asks, too: shorter spans say little.
    if (this.#last === undefined || now - this.#last.at >= LOOK / 2) this.#last = { at: now, values }
    const times = Object.fromEntries(
      Object.entries(this.#spans).map(([name, spans]) => [name, spans.summary(now)]),
    )
    const state: State = {
      kind: 'state',
      at: clock.wall(),
      containers: members.filter(({ role }) => role === 'container').map(containerOf),
      totals,
      rates,
      times,
    }
    this.#tell(state)
    if (this.#uncounted > 0 && now - this.#counted > RECOUNT) await this.#recount(state)
  }

  /** After what was missed: as long as there are not so many that it would cost much. */
  async #recount({ containers }: State): Promise<void> {
    if (containers.reduce((sum, { connections }) => sum + connections, 0) > NAMED) return
    this.#uncounted = 0
    await this.#census(line => this.#pass(line))
  }

  async #census(listener: Listener, connections = this.#observed.connections()): Promise<void> {
    this.#counted = this.#observed.clock.steady()
    const all = await connections.catch(() => [])
    const census: Census = { kind: 'census', connections: all.slice(0, NAMED), all: all.length }
    if (this.watching) listener(JSON.stringify(census))
  }

  #tell(telling: Telling): void {
    this.#pass(JSON.stringify(telling))
  }

  #pass(line: string): void {
    for (const listener of this.#listeners) listener(line)
  }
}

/** Field by field: a copy of a sight with more fields costs several times as much. */
function stepOf(
  { sessionId, kind, generation, cause, prepared, handed, ago, target }: Sight,
  { name: container, functionName }: Place,
  wall: number,
  containers: ReadonlyMap<number, Place>,
): StepOf {
  const to = target === 0 ? undefined : containers.get(target)?.name
  const id = hex(sessionId)
  return { id, kind, at: wall - ago, container, functionName, to, cause, generation, prepared, handed }
}

function containerOf({ name, functionName, state, ready, counters }: MemberStatus): State['containers'][0] {
  return { name, functionName, state, ready, connections: counters.connections ?? 0 }
}

/** Each with the counters of processes that it is the sum of. */
const TOTALS: Readonly<Record<Exclude<Total, 'hibernating'>, readonly string[]>> = {
  opened: ['delivered'],
  moves: ['moved'],
  takenOver: ['takenOver'],
  unclean: ['uncleanLost', 'uncleanOrphaned', 'uncleanUndecided', 'uncleanBroken', 'uncleanFailed'],
  failed: ['failed'],
  checkpoints: ['checkpoints'],
}

function totalsOf(tally: Tally): State['totals'] {
  const all = tally.names.map(name => tally.totals(name))
  const sum = (counters: readonly string[]): number =>
    all.reduce((so, totals) => so + counters.reduce((one, name) => one + (totals.get(name) ?? 0), 0), 0)
  const totals = Object.fromEntries(Object.entries(TOTALS).map(([total, of]) => [total, sum(of)]))
  return { ...totals, hibernating: tally.now('', 'hibernating') } as State['totals']
}

function ratesOf(
  values: State['rates'],
  last: { readonly at: number; readonly values: Readonly<Record<string, number>> } | undefined,
  now: number,
): State['rates'] {
  const seconds = last === undefined ? 0 : (now - last.at) / 1000
  const rate = (name: keyof State['rates']): number =>
    seconds <= 0 ? 0 : Math.max(0, Math.round((values[name] - last!.values[name]!) / seconds))
  return { opened: rate('opened'), moves: rate('moves'), requests: rate('requests') }
}
