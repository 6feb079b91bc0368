import type { Log } from '../../platform/log.ts'
import { own } from '../../sealed/credential.ts'
import type { Clock } from '../../time/clock.ts'
import { concat, utf8 } from '../../wire/index.ts'
import { reasonOf } from '../../wire/thrown.ts'
import type { Context } from '../contract.ts'
import { type Frame, KEPT, type LogLine, type Refused } from './frames.ts'
import type { Launched } from './launch.ts'
import { jsonOf, Link } from './link.ts'
import { type Opening, writeOpening } from './opening.ts'
import { SealedCall } from './sealed-call.ts'

/** Most bytes that a worker may put into one frame: a piece of content, a head, or something to keep. */
const MOST = 2 ** 21
/** Characters of a line of log of a worker's. */
const MOST_SAID = 8192

function answer(value: Uint8Array | undefined): Uint8Array {
  return value === undefined ? Uint8Array.of(KEPT.nothing) : concat(Uint8Array.of(KEPT.value), value)
}

/** What a worker says that cannot serve. */
export class WorkerRefusal extends Error {
  override readonly name = 'WorkerRefusal'
  readonly reason: Refused['reason']

  constructor({ reason, detail }: Refused) {
    super(detail)
    this.reason = reason
  }
}

/** What a worker asks of its container. Names and values are sealed: it cannot read them. */
export interface Keeper {
  load(name: Uint8Array): Promise<Uint8Array | undefined>
  /** @param value empty: there is nothing to keep under that name any more */
  save(name: Uint8Array, value: Uint8Array): Promise<void>
}

/** A process that has one sealed function open, seen from its container. */
export class SealedWorker {
  readonly #process: Launched
  readonly #link: Link
  readonly #clock: Clock
  readonly #log: Log
  readonly #keeper: Keeper
  readonly #calls = new Map<number, { readonly call: SealedCall; readonly over: () => void }>()
  #nextCall = 1
  #opening: { resolve(): void; reject(error: Error): void } | undefined
  #ended = false

  constructor(process: Launched, options: { clock: Clock; log: Log; keeper: Keeper }) {
    this.#process = process
    this.#clock = options.clock
    this.#log = options.log
    this.#keeper = options.keeper
    this.#link = new Link(process.stream, MOST)
    this.#link.onFrame = frame => this.#take(frame)
    this.#link.onEnd = reason => this.#lost(reason)
    void process.ended.then(how => this.#lost(`it ended (${how})`))
  }

  get pid(): number | undefined {
    return this.#process.pid
  }
  get ended(): boolean {
    return this.#ended
  }

  /**
   * Gives it the key and the bundle.
   * @param key is copied, and the copy wiped
   * @throws WorkerRefusal @throws Error the process ended
   */
  open(key: Uint8Array, opening: Opening): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject }
      const sent = own(key.length)
      sent.set(key)
      this.#link.send('key', 0, sent, () => sent.fill(0))
      this.#link.send('open', 0, writeOpening(opening))
      if (!this.#link.open) this.#lost('it could not be started')
    })
  }

  /** @param timeout milliseconds; 0: for ever @param over called once, when nothing of the call is left */
  call(request: Request, context: Context, timeout: number, over: () => void): Promise<Response> {
    const id = this.#nextCall++
    const call = new SealedCall(id, this.#link, context)
    if (this.#ended) {
      over()
      call.fail(new Error('the worker of the sealed function has ended'))
      return call.response
    }
    this.#calls.set(id, { call, over })
    call.begin(request, timeout, patience => {
      // A worker that does not let go in time does not look up any more.
      this.#clock.after(patience, () => this.#calls.has(id) && this.end('it does not react'))
    })
    return call.response
  }

  /** Ends it: the kernel takes back its memory, whatever it does. */
  end(reason = 'it was ended'): void {
    this.#process.kill()
    this.#lost(reason)
  }

  #take(frame: Frame): void {
    const entry = this.#calls.get(frame.call)
    switch (frame.type) {
      case 'opened':
        this.#opening?.resolve()
        return
      case 'refused':
        this.#opening?.reject(new WorkerRefusal(jsonOf<Refused>(frame)))
        return
      case 'log':
        this.#say(frame)
        return
      case 'load':
      case 'save':
        this.#keep(frame)
        return
    }
    // Of one that was given up, more may come.
    if (entry === undefined || !entry.call.take(frame)) return
    this.#calls.delete(frame.call)
    entry.over()
  }

  #say(frame: Frame): void {
    if (frame.payload.length > MOST_SAID) return
    const { level, fields, message } = jsonOf<LogLine>(frame)
    if (!['debug', 'info', 'warn', 'error'].includes(level)) throw new RangeError('no level of log')
    this.#log[level]({ ...fields, sealed: true }, String(message))
  }

  #keep({ type, call, payload }: Frame): void {
    const name = payload.slice(0, 32)
    if (name.length !== 32) throw new RangeError('a name of another length')
    if (type === 'load') {
      this.#keeper.load(name).then(
        value => this.#link.send('loaded', call, answer(value)),
        error => this.#link.send('loaded', call, this.#problem(error)),
      )
      return
    }
    this.#keeper.save(name, payload.slice(32)).then(
      () => this.#link.send('saved', call, answer(undefined)),
      error => this.#link.send('saved', call, this.#problem(error)),
    )
  }

  #problem(error: unknown): Uint8Array {
    this.#log.error({ err: error }, 'what a sealed function leaves behind cannot be kept')
    return concat(Uint8Array.of(KEPT.failed), utf8(reasonOf(error)))
  }

  #lost(reason: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#process.kill()
    this.#link.close()
    const error = new Error(`the worker of the sealed function is gone: ${reason}`)
    this.#opening?.reject(error)
    for (const { call, over } of this.#calls.values()) {
      call.fail(error)
      over()
    }
    this.#calls.clear()
  }
}
