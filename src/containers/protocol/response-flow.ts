import type { Context } from '../../functions/contract.ts'
import { isResumable } from '../../functions/resumable.ts'
import type { ResponseSink } from '../../http/serving.ts'
import { STATE_BYTES } from '../../transfer/consignments/responses.ts'
import { concat } from '../../wire/index.ts'
import type { CallUpstreams } from '../upstream/call-upstreams.ts'
import { BodyWriter } from './body-writer.ts'
import type { Callee } from './call-context.ts'
import { frozenBytes, frozenJson, isThenable } from './call-messages.ts'

/** Bytes of a response that are given out at once; the next ones when the client has taken these. */
const PIECE = 65_536
/** Most bytes of a response's content that go along with its connection. */
const CARRIED = STATE_BYTES

/** Bytes of what is left that go into a checkpoint behind each piece, at most. */
const COVERED = 16_384

/** Called when a flow stands still, or with what was thrown when it was to be frozen. */
type Settled = (failure?: unknown) => void

/** What goes along with what a function freezes. */
export interface Companions {
  /** As JSON. @throws TypeError for what cannot go along */
  freeze(value: unknown): string
  /** All stays here after all. */
  goOn(): void
}

/** What a stream will say that its function has yet to make, of what was frozen elsewhere. */
export interface Rest {
  /** What was frozen, as JSON: as long as the stream is not there, it stands where that says. */
  readonly state: Uint8Array
  readonly stream: Promise<ReadableStream<Uint8Array>>
  /** Other connections have come along, and only that stream knows where they stand. */
  readonly accompanied?: boolean
}

/** What is left of a response's content. */
export interface FrozenFlow {
  /** Comes next. */
  readonly content: Uint8Array
  /** JSON, of what comes behind that; undefined: nothing does. */
  readonly state: Uint8Array | undefined
}

/**
 * The content of one response on its way to the client: bytes that are there, and behind them a stream. It
 * can be frozen between two pieces, and goes on if it is not taken elsewhere.
 */
export class ResponseFlow {
  readonly #sink: Pick<ResponseSink, 'write'>
  /** Of the stream's pieces. */
  #writer: BodyWriter | undefined
  #content: Uint8Array
  #stream: ReadableStream<Uint8Array> | undefined
  /** Until its stream is there. */
  #rest: Rest | undefined
  /** What comes behind the content, and has not been read. */
  #blob: Blob | undefined
  /** Some of that is being read. */
  #loading: Promise<void> | undefined
  /** The content came from elsewhere, or was read from a Blob: it is no memory of the function's. */
  #carried: boolean
  readonly #companions: () => Companions | undefined
  /** Bytes of what the stream froze when it was asked last. */
  #stateBytes = 0
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  /** A piece of the stream is waited for: it has given all that was enqueued. */
  #reading = false
  #over = false
  #stopped = false
  /** It is to be frozen, see {@link freezeSoon}. */
  #wanted: Settled | undefined
  #immediate: NodeJS.Immediate | undefined
  #frozen: FrozenFlow | undefined
  /** What was left when it was asked for last, as long as nothing has been given out since. */
  #stood: FrozenFlow | undefined
  /** Waits until it is clear whether it goes on here. */
  #resume: (() => void) | undefined

  /**
   * @param content its memory is the flow's
   * @param behind that
   * @param carried the content came from elsewhere
   * @param companions what may go along with it
   */
  constructor(
    sink: Pick<ResponseSink, 'write'>,
    content: Uint8Array,
    behind?: ReadableStream<Uint8Array> | Blob | Rest | undefined,
    carried = false,
    companions: () => Companions | undefined = () => undefined,
  ) {
    this.#companions = companions
    this.#sink = {
      write: data => {
        this.#stood = undefined
        return sink.write(data)
      },
    }
    this.#content = content
    if (behind instanceof ReadableStream) this.#stream = behind
    else if (behind instanceof Blob) this.#blob = behind
    else this.#rest = behind
    if (this.#rest?.accompanied === true) this.#await(this.#rest)
    this.#carried = carried
  }

  /** Whether all of it was there from the beginning. */
  get whole(): boolean {
    return this.#stream === undefined && this.#rest === undefined
  }

  /** Whether what is left can go elsewhere, now or later. */
  get freezes(): boolean {
    return this.#stream === undefined || isResumable(this.#stream)
  }

  /** Its source is not at work, as far as that is known. */
  get idle(): boolean {
    return this.#stream !== undefined && isResumable(this.#stream) && this.#stream.idle?.() === true
  }

  /** Its place is taken by the stream as soon as that is there, whatever goes out before it. */
  #await(rest: Rest): void {
    rest.stream.then(
      stream => {
        if (this.#stopped) stream.cancel().catch(() => {})
        if (this.#rest !== rest || this.#stopped) return
        this.#stream = stream
        this.#rest = undefined
        if (this.#wanted !== undefined) this.#arm()
      },
      () => {},
    )
  }

  /** Bytes that go along if it stops now, with the state; undefined if it cannot, or they are too many. */
  get left(): number | undefined {
    const stream = this.#stream
    let bytes = this.#content.length + (this.#blob?.size ?? 0)
    if (this.#rest?.accompanied === true) return undefined
    if (stream !== undefined) {
      if (!isResumable(stream) || stream.starting?.() !== undefined) return undefined
      if (stream.unread === undefined && !this.#reading) return undefined
      for (const { length } of stream.unread?.() ?? []) bytes += length
    }
    return bytes > CARRIED ? undefined : bytes + (this.#rest?.state.length ?? this.#stateBytes)
  }

  /** Bytes that are kept for the client alone: what came from elsewhere, and what is to go there. */
  get held(): number {
    const { content, state } = this.#frozen ?? {}
    const came = this.#carried ? this.#content.length : 0
    return came + (this.#rest?.state.length ?? 0) + (content?.length ?? 0) + (state?.length ?? 0)
  }

  /** What is left, as long as it stands still. */
  get frozen(): FrozenFlow | undefined {
    return this.#frozen
  }

  /**
   * Gives out everything, at once if nothing is waited for.
   * @returns whether that is all; false: {@link stop} was called
   * @throws what the stream fails with, TypeError for a piece that is no bytes, and what the sink throws
   */
  run(): boolean | Promise<boolean> {
    while (this.#content.length > 0) {
      const waiting = this.#piece()
      if (waiting !== undefined) return this.#goOn(waiting)
    }
    if (!this.whole || this.#blob !== undefined) return this.#goOn(undefined)
    this.#over = true
    return true
  }

  async #goOn(waiting: Promise<void> | undefined): Promise<boolean> {
    try {
      await waiting
      while (this.#content.length > 0 || this.#blob !== undefined) {
        if (this.#frozen !== undefined) await this.#pause()
        if (this.#stopped) return false
        if (this.#content.length === 0) {
          await this.#load(PIECE)
          continue
        }
        if (this.#wanted !== undefined) this.#arm()
        await this.#piece()
      }
      if (this.#frozen !== undefined) await this.#pause()
      if (this.#rest !== undefined) await this.#arrive(this.#rest)
      if (this.#stream !== undefined && !this.#stopped) await this.#pipe(this.#stream)
      return !this.#stopped
    } finally {
      this.#over = true
      this.#writer?.stop()
      clearImmediate(this.#immediate)
    }
  }

  /** Waits for the function, and may be frozen meanwhile. */
  async #arrive({ stream: coming }: Rest): Promise<void> {
    if (this.#wanted !== undefined) this.#arm()
    const stream = await coming
    if (this.#frozen !== undefined) await this.#pause()
    if (this.#stopped) {
      // What a function throws over its end changes nothing.
      stream.cancel().catch(() => {})
      return
    }
    this.#stream = stream
    this.#rest = undefined
  }

  /** Reads some of the Blob; at most one piece of it is read at a time. */
  #load(most: number): Promise<void> {
    this.#loading ??= this.#read(most).finally(() => {
      this.#loading = undefined
      if (this.#wanted !== undefined) this.#arm()
    })
    return this.#loading
  }

  async #read(most: number): Promise<void> {
    const blob = this.#blob
    if (blob === undefined) return
    const bytes = new Uint8Array(await blob.slice(0, most).arrayBuffer())
    this.#content = this.#content.length === 0 ? bytes : concat(this.#content, bytes)
    this.#carried = true
    this.#blob = blob.size <= most ? undefined : blob.slice(most)
  }

  #piece(): Promise<void> | undefined {
    const piece = this.#content.subarray(0, PIECE)
    this.#content = this.#content.subarray(PIECE)
    return this.#sink.write(piece)
  }

  /** Whether {@link standing} may say something. */
  get coverable(): boolean {
    return this.freezes && this.#blob === undefined && this.#content.length <= COVERED
  }

  /** Gives out what waits for more of its kind, in a turn of its own. */
  gather(): void {
    try {
      this.#writer?.flush()
    } catch {
      // The next piece that is written throws it.
    }
  }

  /**
   * What is left behind the piece that is being given out, if it is little: to be asked by what gives that
   * out, or in a turn of its own behind {@link gather}, and by nothing else.
   */
  get standing(): FrozenFlow | undefined {
    const standing = this.#frozen ?? this.#stood ?? this.#stand()
    this.#stood = standing
    const bytes = (standing?.content.length ?? 0) + (standing?.state?.length ?? 0)
    return bytes > COVERED || this.#stopped || this.#writer?.failed === true ? undefined : standing
  }

  #stand(): FrozenFlow | undefined {
    const { left } = this
    if (left === undefined || left > COVERED || this.#blob !== undefined) return undefined
    try {
      return freeze(this.#content, this.#stream, this.#rest?.state, undefined)
    } catch {
      // It says so when it is to move.
      return undefined
    }
  }

  /**
   * Stops at the next moment at which it is known what has been given out. It may come in this turn of the
   * event loop, or never.
   * @param then called then, and when freezing fails, with what the function threw
   */
  freezeSoon(then: Settled): void {
    if (this.#over || this.#stopped || this.#frozen !== undefined || this.#wanted !== undefined) return
    this.#wanted = then
    this.#arm()
  }

  /** It stays: goes on where it was frozen, or is not to be frozen any more. */
  thaw(): void {
    this.#wanted = undefined
    this.#frozen = undefined
    this.#companions()?.goOn()
    this.#wake()
  }

  /** Gives out nothing more: the stream is cancelled. */
  stop(reason: Error): void {
    this.#stopped = true
    this.#wanted = undefined
    this.#wake()
    this.#writer?.stop()
    const cancelled = this.#reader === undefined ? this.#stream?.cancel(reason) : this.#reader.cancel(reason)
    // What a function throws over its end changes nothing.
    cancelled?.catch(() => {})
  }

  async #pipe(stream: ReadableStream<Uint8Array>): Promise<void> {
    const reader = stream.getReader()
    const writer = new BodyWriter(this.#sink)
    this.#writer = writer
    this.#reader = reader
    try {
      for (;;) {
        if (this.#frozen !== undefined) await this.#pause()
        if (this.#stopped) return
        this.#reading = true
        if (this.#wanted !== undefined) this.#arm()
        const { done, value } = await reader.read()
        this.#reading = false
        if (this.#stopped) return
        // It was given after the stream was frozen: goes out only if that stays here.
        if (this.#frozen !== undefined) await this.#pause()
        if (this.#stopped) return
        if (done) break
        const waiting = writer.write(value)
        if (waiting !== undefined) await waiting
      }
      await writer.end()
    } catch (error) {
      if (this.#stopped) return
      reader.cancel(error).catch(() => {})
      throw error
    }
  }

  /** In a turn of its own: then every piece that has been read has been given out. */
  #arm(): void {
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined
      this.#freeze()
    })
  }

  #freeze(): void {
    const then = this.#wanted
    if (then === undefined || this.#over || this.#stopped) return
    const stream = this.#stream
    const starting = stream && isResumable(stream) ? stream.starting?.() : undefined
    starting?.then(() => this.#arm())
    // The rest may be little enough later.
    if (this.left === undefined) return
    if (this.#blob !== undefined) {
      // It comes back here when that is there.
      this.#load(CARRIED).catch(failure => {
        this.#wanted = undefined
        then(failure)
      })
      return
    }
    try {
      this.#writer?.flush()
      this.#frozen = freeze(this.#content, stream, this.#rest?.state, this.#companions())
      this.#stateBytes = this.#frozen.state?.length ?? 0
      this.#wanted = undefined
      then()
    } catch (failure) {
      this.#wanted = undefined
      then(failure)
    }
  }

  #pause(): Promise<void> | undefined {
    if (this.#stopped) return undefined
    return new Promise(resolve => {
      this.#resume = resolve
    })
  }

  #wake(): void {
    const resume = this.#resume
    this.#resume = undefined
    resume?.()
  }
}

/**
 * @throws RangeError for a state that is too large, TypeError for what JSON cannot say, and what the function
 * throws
 */
function freeze(
  content: Uint8Array,
  stream: ReadableStream<Uint8Array> | undefined,
  rest: Uint8Array | undefined,
  companions: Companions | undefined,
): FrozenFlow {
  if (stream === undefined || !isResumable(stream)) return { content: concat(content), state: rest }
  // Behind the last piece there is nothing to ask for.
  const state = stream.ended?.() === true ? undefined : frozenState(stream.freeze(), companions)
  return { content: concat(content, ...(stream.unread?.() ?? [])), state }
}

/**
 * What a function has frozen, to be carried.
 * @throws RangeError for a state that is too large, TypeError for what JSON cannot say
 */
export function frozenState(value: unknown, companions?: Companions): Uint8Array {
  const text = companions === undefined || isThenable(value) ? frozenJson(value) : companions.freeze(value)
  if (text === undefined) throw new TypeError('what is frozen is nothing that JSON can say')
  return frozenBytes(text)
}

/**
 * What the function goes on with from what it has frozen elsewhere.
 * @param request gives what is left of the request @throws what the function throws
 */
export async function resumed(
  { module: { resume }, environment }: Pick<Callee, 'module' | 'environment'>,
  state: Uint8Array,
  context: Context & { readonly upstreams?: CallUpstreams | undefined },
  request: () => Request | undefined,
): Promise<unknown> {
  if (resume === undefined) throw new TypeError('this function has no export `resume`')
  const text = new TextDecoder().decode(state)
  const { upstreams } = context
  const frozen: unknown = upstreams === undefined ? JSON.parse(text) : await upstreams.revive(text)
  return resume(frozen, context, environment, request() as Request)
}

/** What follows behind what a stream had given when it was frozen. @throws also TypeError for no stream */
export async function restOf(...asked: Parameters<typeof resumed>): Promise<ReadableStream<Uint8Array>> {
  const stream = await resumed(...asked)
  if (!(stream instanceof ReadableStream)) throw new TypeError('`resume` gave no ReadableStream')
  return stream
}
