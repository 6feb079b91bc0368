import { bounded } from '../platform/counters/calls.ts'
import type { Log } from '../platform/log.ts'
import type { AsyncSettings, QueueSettings } from '../platform/queue-settings.ts'
import type { Clock, Timer } from '../time/clock.ts'
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
  /** Of its file. */
  readonly name: string
  readonly functionName: string
  readonly bytes: number
  /** Of its next try. */
  timer?: Timer
}

/** What a record takes on the disk beside its content, roughly. */
const OVERHEAD = 512

/** Milliseconds until a disk that has refused something is asked again. */
const DISK_PAUSE = 1000

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
  /** What is done to a file is done after what was begun before: its end, by name. */
  readonly #work = new Map<string, Promise<unknown>>()
  /** Calls whose time has come, by function. */
  readonly #ready = new Map<string, Entry[]>()
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
    await store.recover()
    this.#delivers = true
    await this.#bound(() => this.#dead.open())
    const damaged = (name: string, why: string): void => log.error({ file: name, why }, 'a damaged call')
    for await (const record of store.all('calls', damaged)) this.#take(record)
    this.#pump()
  }

  /** A file has come or gone, perhaps by a command: a dead letter is called again, or a call was removed. */
  async look(name: string): Promise<void> {
    if (!this.#delivers) return
    await this.#alone(name, async () => {
      const entry = this.#entries.get(name)
      if (entry !== undefined) {
        if (!(await this.#options.store.has(name))) this.#forget(entry)
        return
      }
      const record = await this.#read(name)
      if (record !== undefined) this.#take(record)
    })
    this.#pump()
  }

  /** Keeps a call. When the promise is fulfilled with `kept` or `known`, it is on the disk. */
  accept(record: CallRecord): Promise<Accepted> {
    const name = nameOf(record.id)
    return this.#alone(name, async () => {
      const { settings } = this.#options
      for (;;) {
        const known = this.#entries.get(name)
        if (known === undefined) {
          if (this.#entries.size >= settings.calls) return 'too many'
          if (this.#bytes + bytesOf(record) > settings.bytes) return 'too much'
          if (await this.#put(record)) return 'kept'
        }
        // Of a call that a command has removed meanwhile nothing is on the disk.
        const before = await this.#read(name)
        if (before !== undefined) return isSame(before, record) ? 'known' : 'differs'
        if (known !== undefined) this.#forget(known)
      }
    })
  }

  /**
   * Takes a call away that waits; what is underway of it goes on, and nothing follows.
   * @returns whether it was there
   */
  cancel(id: string): Promise<boolean> {
    const name = nameOf(id)
    return this.#alone(name, async () => {
      const there = await this.#options.store.remove(id)
      const entry = this.#entries.get(name)
      if (entry !== undefined) this.#forget(entry)
      return there
    })
  }

  /** @returns false: there is one of that id already, which is not known here */
  async #put(record: CallRecord): Promise<boolean> {
    // It counts from now on, that many at once are not more than may wait.
    const entry = this.#add(record)
    let kept = false
    try {
      kept = await this.#options.store.put(record)
    } finally {
      if (!kept) this.#forget(entry)
    }
    if (kept) this.#wait(entry, record.dueAt)
    this.#pump()
    return kept
  }

  /** Does that when what was begun before with this file is over. */
  #alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#work.get(name) ?? Promise.resolve()).then(work)
    const over = done
      .catch(() => {})
      .then(() => {
        if (this.#work.get(name) === over) this.#work.delete(name)
      })
    this.#work.set(name, over)
    return done
  }

  /** A call that is on the disk waits for its turn, unless it does so already. */
  #take(record: CallRecord): void {
    if (!this.#entries.has(nameOf(record.id))) this.#wait(this.#add(record), record.dueAt)
  }

  #add(record: CallRecord): Entry {
    const name = nameOf(record.id)
    const entry = { name, functionName: record.functionName, bytes: bytesOf(record) }
    this.#entries.set(name, entry)
    this.#bytes += entry.bytes
    return entry
  }

  #forget(entry: Entry): void {
    if (!this.#knows(entry)) return
    entry.timer?.stop()
    this.#entries.delete(entry.name)
    this.#bytes -= entry.bytes
  }

  /** False also if it was forgotten and another one has its id. */
  #knows(entry: Entry): boolean {
    return this.#entries.get(entry.name) === entry
  }

  /** @param dueAt as the wall clock says */
  #wait(entry: Entry, dueAt: number): void {
    const { clock } = this.#options
    const { functionName } = entry
    const due = (): void => {
      const ready = this.#ready.get(functionName) ?? []
      ready.push(entry)
      this.#ready.set(functionName, ready)
    }
    // A clock that was set back must not hold a call for longer than it would have waited.
    const wait = Math.min(dueAt - clock.wall(), this.#patience(functionName).most)
    if (wait <= 0) due()
    else
      entry.timer = clock.after(wait, () => {
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
        const entry = ready.shift()
        if (entry === undefined) {
          this.#ready.delete(functionName)
          continue
        }
        begun = true
        this.#calling++
        this.#underway.set(functionName, busy + 1)
        void this.#try(entry).finally(() => {
          this.#calling--
          this.#underway.set(functionName, this.#underway.get(functionName)! - 1)
          this.#pump()
        })
      }
    }
  }

  async #try(entry: Entry): Promise<void> {
    const { name } = entry
    // Another one may lie there by now: only what is known is read.
    const read = async () => (this.#knows(entry) ? this.#read(name) : undefined)
    const record = await this.#stubbornly(name, () => this.#alone(name, read))
    // It was removed, or laid aside.
    if (record === undefined) return this.#forget(entry)
    const next = await this.#next(record)
    const buried = await this.#stubbornly(name, () =>
      this.#alone(name, () => this.#settle(entry, record, next)),
    )
    if (buried !== undefined) await this.#bound(() => this.#dead.buried(buried))
  }

  async #next(record: CallRecord): Promise<Next> {
    const { caller, clock, random } = this.#options
    // It was given up, and the process ended before it was among the dead letters.
    if (record.phase === 'dead') return { kind: 'bury', record }
    this.#tries++
    const patience = this.#patience(record.functionName)
    const outcome: Outcome =
      record.phase === 'calling' ? await caller.call(record, patience.timeout) : await caller.tell(record)
    return after(record, outcome, patience, { now: clock.wall(), random })
  }

  /** Does to the disk what a disk that is full or broken refuses, until it does not. */
  async #stubbornly<T>(name: string, work: () => Promise<T>): Promise<T> {
    const { clock, log } = this.#options
    for (;;) {
      try {
        return await work()
      } catch (error) {
        log.error({ err: error, file: name }, 'an asynchronous call cannot be read or kept; trying again')
        await new Promise<void>(resolve => clock.after(DISK_PAUSE, resolve))
      }
    }
  }

  /** @returns the name of its file if it is a dead letter now */
  async #settle(entry: Entry, record: CallRecord, next: Next): Promise<string | undefined> {
    const { store, log } = this.#options
    const { name, functionName } = entry
    if (!this.#knows(entry)) return undefined
    // It was removed while it was underway, and another one may have come.
    const there = (await this.#read(name))?.acceptedAt === record.acceptedAt
    if (!there) {
      this.#forget(entry)
      return undefined
    }
    if (next.kind === 'keep') {
      if (await store.update(next.record)) this.#wait(entry, next.record.dueAt)
      else this.#forget(entry)
      return undefined
    }
    if (next.kind === 'done') await store.remove(record.id)
    const buried = next.kind === 'bury' ? await store.bury(next.record) : undefined
    this.#forget(entry)
    if (buried === undefined || next.kind !== 'bury') return undefined
    this.#buried++
    const { reason } = next.record
    log.warn({ callId: record.id, functionName, reason }, 'an asynchronous call was given up')
    return buried
  }

  /** Keeps the dead letters within their bounds. */
  async #bound(work: () => Promise<number>): Promise<void> {
    const { log } = this.#options
    try {
      const gone = await work()
      if (gone > 0) log.warn({ gone }, 'the oldest dead letters were removed: there were too many')
    } catch (error) {
      log.error({ err: error }, 'the oldest dead letters cannot be removed')
    }
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
