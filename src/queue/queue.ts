import { bounded } from '../platform/counters/calls.ts'
import type { Log } from '../platform/log.ts'
import type { AsyncSettings, QueueSettings } from '../platform/queue-settings.ts'
import type { Clock } from '../time/clock.ts'
import { DecodeError, equal } from '../wire/index.ts'
import type { Caller } from './caller.ts'
import { DeadLetters } from './dead-letters.ts'
import { after, type Next, type Outcome } from './life.ts'
import type { CallRecord } from './record.ts'
import { nameOf, type Store } from './store.ts'

export interface QueueOptions {
  readonly store: Store
  readonly caller: Caller
  readonly settings: QueueSettings
  readonly clock: Clock
  readonly log: Log
  readonly random: () => number
}

/** What became of a call that was to be kept. */
export type Accepted = 'kept' | 'known' | 'differs' | 'too many' | 'too much'

/** A call that waits or is underway; all of it is on the disk. */
interface Entry {
  readonly functionName: string
  readonly bytes: number
  /** Fulfilled when it is on the disk. */
  stored: Promise<void>
}

/** What a record takes on the disk beside its content, roughly. */
const OVERHEAD = 512

/** For functions that are not known any more. */
const STRANGE: AsyncSettings = { retries: 0, first: 1000, most: 1000, timeout: 60_000, concurrency: 1 }

/**
 * The asynchronous calls of a platform. A call is kept on the disk until it is over; here is known which
 * calls there are, and whose turn it is.
 */
export class Queue {
  readonly #options: QueueOptions
  readonly #dead: DeadLetters
  readonly #entries = new Map<string, Entry>()
  /** Names of files whose time has come, by function. */
  readonly #ready = new Map<string, string[]>()
  readonly #underway = new Map<string, number>()
  #bytes = 0
  #calling = 0
  /** Calls of functions and of callbacks, and calls that were given up. */
  #tries = 0
  #buried = 0
  #delivers = false

  constructor(options: QueueOptions) {
    this.#options = options
    const { deadLetters, bytes } = options.settings
    this.#dead = new DeadLetters(options.store, { count: deadLetters, bytes })
  }

  /** Calls that wait or are underway. */
  get size(): number {
    return this.#entries.size
  }

  /** Bytes of these. */
  get bytes(): number {
    return this.#bytes
  }

  /** As counters of a status. */
  get counters(): Readonly<Record<string, number>> {
    return {
      queued: this.size,
      queuedBytes: bounded(this.#bytes),
      queueTries: this.#tries,
      queueBuried: this.#buried,
    }
  }

  /** Takes up what lies on the disk, and begins to call. One process does that at a time. */
  async deliver(): Promise<void> {
    const { store, log } = this.#options
    this.#delivers = true
    await this.#dead.open()
    const damaged = (name: string, why: string): void => log.error({ file: name, why }, 'a damaged call')
    for await (const record of store.all('calls', damaged)) this.#add(record, Promise.resolve())
    this.#pump()
  }

  /** A file has come that was not put here: a dead letter that is called again. */
  async adopt(name: string): Promise<void> {
    if (!this.#delivers || this.#entries.has(name)) return
    const record = await this.#read(name)
    // Meanwhile it may have become known.
    if (record === undefined || this.#entries.has(name)) return
    this.#add(record, Promise.resolve())
    this.#pump()
  }

  /** Keeps a call. When the promise is fulfilled with `kept` or `known`, it is on the disk. */
  async accept(record: CallRecord): Promise<Accepted> {
    const { store, settings } = this.#options
    const name = nameOf(record.id)
    const known = this.#entries.get(name)
    if (known !== undefined) {
      await known.stored
      const before = await this.#read(name)
      return before === undefined || isSame(before, record) ? 'known' : 'differs'
    }
    if (this.#entries.size >= settings.calls) return 'too many'
    if (this.#bytes + bytesOf(record) > settings.bytes) return 'too much'
    const stored = store.put('calls', record)
    this.#add(record, stored)
    try {
      await stored
    } catch (error) {
      this.#forget(name)
      throw error
    }
    this.#pump()
    return 'kept'
  }

  /**
   * Takes a call away that waits; what is underway of it goes on, and nothing follows.
   * @returns whether it was there
   */
  async cancel(id: string): Promise<boolean> {
    const name = nameOf(id)
    await this.#entries.get(name)?.stored.catch(() => {})
    const there = await this.#options.store.remove('calls', id)
    this.#forget(name)
    return there
  }

  #add(record: CallRecord, stored: Promise<void>): void {
    const name = nameOf(record.id)
    if (this.#entries.has(name)) return
    stored.catch(() => {})
    const { functionName } = record
    this.#entries.set(name, { functionName, bytes: bytesOf(record), stored })
    this.#bytes += bytesOf(record)
    this.#wait(name, functionName, record.dueAt)
  }

  #forget(name: string): void {
    const entry = this.#entries.get(name)
    if (entry === undefined) return
    this.#entries.delete(name)
    this.#bytes -= entry.bytes
  }

  /** @param dueAt as the wall clock says */
  #wait(name: string, functionName: string, dueAt: number): void {
    const { clock } = this.#options
    const due = (): void => {
      const ready = this.#ready.get(functionName) ?? []
      ready.push(name)
      this.#ready.set(functionName, ready)
    }
    // A clock that was set back must not hold a call for longer than it would have waited.
    const wait = Math.min(dueAt - clock.wall(), this.#patience(functionName).most)
    if (wait <= 0) due()
    else
      clock.after(wait, () => {
        due()
        this.#pump()
      })
  }

  #patience(functionName: string): AsyncSettings {
    const { functions } = this.#options.settings
    return (Object.hasOwn(functions, functionName) ? functions[functionName] : undefined) ?? STRANGE
  }

  /** Begins what may begin; functions take turns. */
  #pump(): void {
    if (!this.#delivers) return
    const { concurrency } = this.#options.settings
    for (let begun = true; begun; ) {
      begun = false
      for (const [functionName, ready] of this.#ready) {
        if (this.#calling >= concurrency) return
        const busy = this.#underway.get(functionName) ?? 0
        if (busy >= this.#patience(functionName).concurrency) continue
        const name = ready.shift()
        if (name === undefined) {
          this.#ready.delete(functionName)
          continue
        }
        begun = true
        this.#calling++
        this.#underway.set(functionName, busy + 1)
        void this.#try(name, functionName).finally(() => {
          this.#calling--
          this.#underway.set(functionName, this.#underway.get(functionName)! - 1)
          this.#pump()
        })
      }
    }
  }

  async #try(name: string, functionName: string): Promise<void> {
    const { caller, clock, log } = this.#options
    try {
      const entry = this.#entries.get(name)
      await entry?.stored
      const record = await this.#read(name)
      // It was removed, or laid aside.
      if (record === undefined) return this.#forget(name)
      this.#tries++
      const patience = this.#patience(functionName)
      const outcome =
        record.phase === 'calling' ? await caller.call(record, patience.timeout) : await caller.tell(record)
      await this.#settle(name, record, outcome)
    } catch (error) {
      log.error({ err: error, file: name }, 'an asynchronous call could not be worked on')
      if (this.#entries.has(name)) this.#wait(name, functionName, clock.wall() + STRANGE.most)
    }
  }

  async #settle(name: string, record: CallRecord, outcome: Outcome): Promise<void> {
    const { store, clock, random, log } = this.#options
    const { functionName, id } = record
    const how = { now: clock.wall(), random }
    const next: Next = after(record, outcome, this.#patience(functionName), how)
    if (next.kind === 'done') {
      await store.remove('calls', id)
      this.#forget(name)
      return
    }
    // It was removed while it was underway.
    if ((await this.#read(name)) === undefined) return this.#forget(name)
    if (next.kind === 'bury') {
      await store.move('calls', 'dead', next.record)
      this.#buried++
      const gone = await this.#dead.buried(name)
      if (gone > 0) log.warn({ gone }, 'the oldest dead letters were removed: there were too many')
      this.#forget(name)
      log.warn({ callId: id, functionName, reason: next.record.reason }, 'an asynchronous call was given up')
      return
    }
    await store.put('calls', next.record)
    this.#wait(name, functionName, next.record.dueAt)
  }

  async #read(name: string): Promise<CallRecord | undefined> {
    const { store, log } = this.#options
    try {
      return await store.get('calls', name)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      log.error({ file: name, why: error.message }, 'a damaged call')
      await store.layAside('calls', name)
      return undefined
    }
  }
}

function bytesOf({ body, headers, answer }: CallRecord): number {
  const fields = headers.reduce((sum, { name, value }) => sum + name.length + value.length, 0)
  return OVERHEAD + body.length + fields + (answer?.body.length ?? 0)
}

/** Whether it is the same call, sent once more. */
function isSame(one: CallRecord, other: CallRecord): boolean {
  return (
    one.functionName === other.functionName &&
    one.method === other.method &&
    one.target === other.target &&
    one.callback === other.callback &&
    equal(one.body, other.body)
  )
}
