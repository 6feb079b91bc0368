import { EMPTY, utf8 } from '../../wire/index.ts'
import { ByteQueue } from '../h1/byte-queue.ts'
import { H2Error, LimitError } from './error.ts'
import * as frames from './frame.ts'
import { Flag, FRAME_HEADER_LENGTH, FrameType } from './frame.ts'
import type { H2Limits } from './limits.ts'
import type { H2State } from './state.ts'

const PREFACE = utf8(frames.CLIENT_PREFACE)

/** A header block whose END_HEADERS has not come. */
interface Block {
  streamId: number
  endStream: boolean
  continuations: number
  fragment: Uint8Array
}

/**
 * Bytes to frames: the preface, whole frames in the order that they may have, padding off, and header blocks
 * put together. After {@link FrameReader.read} its fields are the frame.
 */
export class FrameReader implements frames.FrameHeader {
  length = 0
  type = 0
  flags = 0
  streamId = 0
  /**
   * The payload lies here from {@link start} to before {@link end}, without padding or priority, until the
   * next call.
   */
  bytes: Uint8Array = EMPTY
  start = 0
  end = 0
  endStream = false
  readonly #limits: H2Limits
  readonly #queue = new ByteQueue()
  #prefaceRead: boolean
  #settingsRead: boolean
  #block: Block | undefined

  constructor(role: 'server' | 'client', limits: H2Limits, state?: H2State) {
    this.#limits = limits
    this.#prefaceRead = state?.prefaceRead ?? role === 'client'
    this.#settingsRead = state?.peerSettingsRead ?? false
    this.#block = state?.block && { ...state.block }
    this.#queue.push(state?.inbound ?? EMPTY)
    this.#queue.settle()
  }

  /** Bytes from the peer, borrowed until the next call or until {@link read} has returned false. */
  push(bytes: Uint8Array): void {
    this.#queue.settle()
    this.#queue.push(bytes)
  }

  /** Between two frames, and in no header block. */
  get idle(): boolean {
    return this.#queue.length === 0 && this.#block === undefined && this.#prefaceRead
  }

  /** A header block has begun to come, and has not ended. Nothing else can come before it has. */
  get inHeaders(): boolean {
    if (this.#block !== undefined) return true
    // What was looked at last is the header of the frame that waits for its payload.
    return this.#queue.length >= FRAME_HEADER_LENGTH && this.type === FrameType.HEADERS
  }

  /** Bytes received and not yet read. */
  get buffered(): number {
    return this.#queue.length
  }

  /** Bytes of a header block that has begun to come. */
  get fragment(): number {
    return this.#block?.fragment.length ?? 0
  }

  /**
   * Reads one frame; a header block is one frame of type HEADERS however many it took.
   * @returns false if it takes more bytes
   * @throws H2Error for a frame that must not be there, or not so
   */
  read(): boolean {
    do {
      if (!this.#readWhole()) {
        this.#queue.settle()
        return false
      }
    } while (this.#block !== undefined)
    return true
  }

  export(): Pick<H2State, 'inbound' | 'prefaceRead' | 'peerSettingsRead' | 'block'> {
    return {
      inbound: this.#queue.copy(),
      prefaceRead: this.#prefaceRead,
      peerSettingsRead: this.#settingsRead,
      block: this.#block && { ...this.#block },
    }
  }

  clear(): void {
    this.#queue.clear()
  }

  #readWhole(): boolean {
    const queue = this.#queue
    if (!this.#prefaceRead && !this.#readPreface()) return false
    if (queue.length < FRAME_HEADER_LENGTH) return false
    frames.readFrameHeader(queue.bytes, queue.start, this)
    if (this.length > this.#limits.frameSize) {
      throw new H2Error('FRAME_SIZE_ERROR', `a frame of ${this.length} bytes`)
    }
    if (queue.length < FRAME_HEADER_LENGTH + this.length) return false
    this.bytes = queue.bytes
    this.start = queue.start + FRAME_HEADER_LENGTH
    this.end = this.start + this.length
    queue.skip(FRAME_HEADER_LENGTH + this.length)
    this.#checkOrder()
    frames.checkFrameHeader(this)
    this.endStream = (this.flags & Flag.END_STREAM) !== 0
    if (this.type === FrameType.DATA) this.#unpad()
    else if (this.type === FrameType.HEADERS) this.#beginBlock()
    else if (this.type === FrameType.CONTINUATION) this.#continueBlock(this.#block!)
    return true
  }

  #readPreface(): boolean {
    const queue = this.#queue
    const count = Math.min(queue.length, PREFACE.length)
    for (let i = 0; i < count; i++) {
      if (queue.bytes[queue.start + i] !== PREFACE[i])
        throw new H2Error('PROTOCOL_ERROR', 'no HTTP/2 preface')
    }
    if (count < PREFACE.length) return false
    queue.skip(PREFACE.length)
    this.#prefaceRead = true
    return true
  }

  /**
   * SETTINGS come first (§3.4), and nothing comes between the parts of a header block (§4.3).
   */
  #checkOrder(): void {
    if (!this.#settingsRead) {
      if (this.type !== FrameType.SETTINGS || this.flags & Flag.ACK) {
        throw new H2Error('PROTOCOL_ERROR', 'SETTINGS do not come first')
      }
      this.#settingsRead = true
    }
    const continues = this.type === FrameType.CONTINUATION
    if (continues !== (this.#block !== undefined)) {
      throw new H2Error('PROTOCOL_ERROR', `a frame of type ${this.type} where it has no place`)
    }
  }

  #unpad(): void {
    if ((this.flags & Flag.PADDED) === 0) return
    const padding = this.start < this.end ? this.bytes[this.start]! : 0
    this.start++
    this.end -= padding
    if (this.start > this.end) throw new H2Error('PROTOCOL_ERROR', 'padding that leaves no room')
  }

  #beginBlock(): void {
    this.#unpad()
    if (this.flags & Flag.PRIORITY) this.start += 5
    if (this.start > this.end) throw new H2Error('FRAME_SIZE_ERROR', 'HEADERS without their fields')
    this.#measure(this.end - this.start, 0)
    if (this.flags & Flag.END_HEADERS) return
    const fragment = new Uint8Array(this.bytes.subarray(this.start, this.end))
    this.#block = { streamId: this.streamId, endStream: this.endStream, continuations: 0, fragment }
  }

  #continueBlock(block: Block): void {
    if (block.streamId !== this.streamId)
      throw new H2Error('PROTOCOL_ERROR', 'CONTINUATION on another stream')
    const fragment = new Uint8Array(block.fragment.length + this.length)
    this.#measure(fragment.length, ++block.continuations)
    fragment.set(block.fragment)
    fragment.set(this.bytes.subarray(this.start, this.end), block.fragment.length)
    block.fragment = fragment
    if ((this.flags & Flag.END_HEADERS) === 0) return
    this.type = FrameType.HEADERS
    this.endStream = block.endStream
    this.bytes = fragment
    this.start = 0
    this.end = fragment.length
    this.#block = undefined
  }

  /** Without a bound a block could go on for ever, and no table of ours would be the wiser. */
  #measure(bytes: number, continuations: number): void {
    if (bytes > this.#limits.headerBlockBytes || continuations > this.#limits.continuations) {
      throw new LimitError('headerBlock', 'a header block too long')
    }
  }
}
