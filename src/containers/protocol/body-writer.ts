import type { ResponseSink } from '../../http/serving.ts'
import { Turn } from '../../transport/turn.ts'
import { Pieces } from '../../wire/index.ts'

/** Bytes from which on a piece goes out by itself, and of small ones that go out together. */
const LARGE = 4096
const GATHERED = 16_384

/**
 * Writes a body that comes in pieces of any size. The first small piece goes out at once; those that follow
 * in the same turn of the event loop go out together at its end: each write costs a record, a frame and a
 * call of the kernel.
 */
export class BodyWriter {
  readonly #sink: Pick<ResponseSink, 'write'>
  readonly #gathered = new Pieces()
  readonly #turn = new Turn(() => this.#goOn())
  #goOn: () => void = () => {}
  #immediate: NodeJS.Immediate | undefined
  /** The client has to take something first. */
  #blocked: Promise<void> | undefined
  #failure: unknown

  constructor(sink: Pick<ResponseSink, 'write'>) {
    this.#sink = sink
  }

  /**
   * @returns undefined, or a promise of the moment when more may be written
   * @throws TypeError for what is no bytes, and what the sink has thrown, perhaps earlier
   */
  write(data: Uint8Array): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure
    // Functions give what they like.
    if (!(data instanceof Uint8Array)) throw new TypeError('a piece of the body that is no bytes')
    const small = data.length < LARGE
    if (this.#blocked === undefined && this.#immediate === undefined) {
      this.#give(data)
      if (small) this.#arm()
    } else {
      this.#gathered.add(data)
      if (!small || this.#gathered.length >= GATHERED) this.#flush()
    }
    return this.#blocked ?? (this.#turn.goesOn() ? undefined : this.#nextTurn())
  }

  /** Something could not be given out: what follows it makes no sense. */
  get failed(): boolean {
    return this.#failure !== undefined
  }

  /** Gives out at once what has been gathered, also if the client has to take something first. */
  flush(): void {
    if (this.#gathered.length === 0) return
    try {
      this.#give(this.#gathered.takeWhole())
    } catch (error) {
      // What it had is lost: so is the response.
      this.#failure = error
      throw error
    }
  }

  /** Writes what is left. @returns when the client has taken enough for the end @throws as {@link write} */
  async end(): Promise<void> {
    while (this.#blocked !== undefined) await this.#blocked
    if (this.#failure !== undefined) throw this.#failure
    this.#flush()
    while (this.#blocked !== undefined) await this.#blocked
  }

  /** Forgets what has been gathered: the client gets none of it. */
  stop(): void {
    clearImmediate(this.#immediate)
    this.#gathered.clear()
    this.#turn.stop()
    this.#goOn()
  }

  #arm(): void {
    this.#immediate ??= setImmediate(() => this.#onTurn())
  }

  #onTurn(): void {
    this.#immediate = undefined
    if (this.#gathered.length === 0 || this.#blocked !== undefined) return
    try {
      this.#flush()
      this.#arm()
    } catch (error) {
      // The next write throws it.
      this.#failure = error
    }
  }

  #flush(): void {
    if (this.#blocked === undefined) this.flush()
  }

  #give(data: Uint8Array): void {
    const waiting = this.#sink.write(data)
    if (waiting === undefined) return
    this.#blocked = waiting.then(() => {
      this.#blocked = undefined
      if (this.#gathered.length > 0) this.#arm()
    })
  }

  #nextTurn(): Promise<void> {
    return new Promise(resolve => {
      this.#goOn = resolve
    })
  }
}
