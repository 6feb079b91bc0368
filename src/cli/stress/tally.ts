import type { Field } from '../../http/message.ts'
import { header } from '../../http/message.ts'
import { Times, type TimesState } from './times.ts'

/** Characters of a sentence on what failed. */
const MOST = 200
/** Containers that are told apart: a server may invent them. */
const CONTAINERS = 100
const OTHERS = 'others'

/** An answer that came whole. */
export interface Answer {
  readonly status: number
  /** Of content. */
  readonly bytes: number
  readonly fields: readonly Field[]
  /** The beginning of the content, if the status is 400 or more. */
  readonly problem: string
  /** Moves of its connection since the answer before. */
  readonly moves: number
}

/** Milliseconds since the beginning of the load. */
export interface Moments {
  /** When it was to begin, by the rate; when it did, without one. */
  readonly due: number
  readonly began: number
  readonly ended: number
}

/** What {@link Tally} holds, as threads send it to each other. */
export interface TallyState {
  readonly counts: Readonly<Counts>
  readonly statuses: ReadonlyMap<number, number>
  readonly errors: ReadonlyMap<string, number>
  readonly reasons: ReadonlyMap<string, string>
  readonly containers: ReadonlyMap<string, number>
  readonly corrected: TimesState
  readonly uncorrected: TimesState
  readonly late: TimesState
  readonly handshakes: TimesState
}

interface Counts {
  /** Requests of the warm-up. */
  warmup: number
  /** Requests that had no answer at the end: those underway, and those that were due and had no place. */
  unfinished: number
  missed: number
  /** Of content. */
  bytes: number
  /** What went through sockets, warm-up and handshakes too. */
  received: number
  sent: number
  /** Connections that came about, and those of them that resumed a TLS session. */
  connections: number
  resumed: number
  /** Of connections, between two answers; and requests that one container has lent to another. */
  moves: number
  lent: number
  /** When the last answer came. */
  last: number
}

/** What came of all requests, without a clock; its memory does not grow with their number. */
export class Tally {
  readonly counts: Counts = {
    ...{ warmup: 0, unfinished: 0, missed: 0, bytes: 0, received: 0, sent: 0 },
    ...{ connections: 0, resumed: 0, moves: 0, lent: 0, last: 0 },
  }
  readonly statuses = new Map<number, number>()
  readonly errors = new Map<string, number>()
  /** By kind of error, what was said of the first one. */
  readonly reasons = new Map<string, string>()
  /** Answers by the container that says that it has given them. */
  readonly containers = new Map<string, number>()
  /** From when requests were due; those without an answer too, with the time that they waited. */
  readonly corrected = new Times()
  /** From when requests were sent. */
  readonly uncorrected = new Times()
  /** How much too late this program has sent what no connection was missing for. */
  readonly late = new Times()
  /** From the first packet of a connection to the end of its TLS handshake. */
  readonly handshakes = new Times()
  /** Told of each time as well. */
  readonly #heard: ((corrected: boolean, milliseconds: number, at: number) => void) | undefined

  constructor(heard?: (corrected: boolean, milliseconds: number, at: number) => void) {
    this.#heard = heard
  }

  answered({ status, bytes, fields, problem, moves }: Answer, { due, began, ended }: Moments): void {
    const { counts } = this
    more(this.statuses, status)
    counts.bytes += bytes
    counts.moves += moves
    counts.last = Math.max(counts.last, ended)
    this.#waited(ended - due, ended)
    this.uncorrected.record(ended - began)
    this.#heard?.(false, ended - began, ended)
    const container = header(fields, 'x-hotpotato-container')
    if (container !== undefined) {
      this.#gave(container.slice(0, MOST).replace(/[^\x21-\x7e]/g, '?'))
      if (header(fields, 'x-hotpotato-lent-by') !== undefined) counts.lent++
    }
    if (status >= 400) this.#failed(`status ${status}`, detailOf(problem))
  }

  /** @param reason a sentence on it; empty: none @param waited milliseconds for which there was no answer */
  failed(kind: string, reason: string, { due, ended }: Moments, waited: boolean): void {
    this.counts.last = Math.max(this.counts.last, ended)
    this.#failed(kind, reason)
    if (waited) this.#waited(ended - due, ended)
  }

  /** The load is over and a request has no answer. @param begun whether it was sent */
  unanswered(due: number, ended: number, begun: boolean): void {
    if (begun) this.counts.unfinished++
    else this.counts.missed++
    this.#waited(ended - due, ended)
  }

  /** Answers that came whole, whatever they say. */
  get answers(): number {
    return sumOf(this.statuses)
  }

  /** Answers, and requests that failed without one. */
  get requests(): number {
    const bad = [...this.errors].filter(([kind]) => !kind.startsWith('status '))
    return this.answers + bad.reduce((sum, [, count]) => sum + count, 0)
  }

  /** Requests that failed, or were answered with a status of 400 or more. */
  get failures(): number {
    return sumOf(this.errors)
  }

  get state(): TallyState {
    const { counts, statuses, errors, reasons, containers } = this
    const [corrected, uncorrected, late] = [this.corrected.state, this.uncorrected.state, this.late.state]
    const handshakes = this.handshakes.state
    return { counts, statuses, errors, reasons, containers, corrected, uncorrected, late, handshakes }
  }

  /** Takes in what another one has counted. */
  add(other: TallyState): void {
    const last = Math.max(this.counts.last, other.counts.last)
    for (const [name, count] of Object.entries(other.counts)) this.counts[name as keyof Counts] += count
    this.counts.last = last
    for (const [status, count] of other.statuses) more(this.statuses, status, count)
    for (const [kind, count] of other.errors) more(this.errors, kind, count)
    for (const [container, count] of other.containers) this.#gave(container, count)
    for (const [kind, reason] of other.reasons) if (!this.reasons.has(kind)) this.reasons.set(kind, reason)
    for (const name of ['corrected', 'uncorrected', 'late', 'handshakes'] as const)
      this[name].add(other[name])
  }

  #waited(milliseconds: number, at: number): void {
    this.corrected.record(milliseconds)
    this.#heard?.(true, milliseconds, at)
  }

  #gave(container: string, by = 1): void {
    const known = this.containers.has(container) || this.containers.size < CONTAINERS
    more(this.containers, known ? container : OTHERS, by)
  }

  #failed(kind: string, reason: string): void {
    more(this.errors, kind)
    if (!this.reasons.has(kind) && reason !== '' && reason !== kind)
      this.reasons.set(kind, reason.slice(0, MOST))
  }
}

function more<K>(counts: Map<K, number>, key: K, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by)
}

function sumOf(counts: ReadonlyMap<unknown, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0)
}

/** What an answer says is wrong: the detail of a problem (RFC 9457), or the first line of its content. */
function detailOf(content: string): string {
  try {
    const { detail, title } = JSON.parse(content) as { readonly detail?: unknown; readonly title?: unknown }
    return String(detail ?? title ?? '')
  } catch {
    return content.trim().split('\n', 1)[0]!
  }
}
