import { EMPTY } from '../../wire/index.ts'
import { FRAME_HEADER_LENGTH, FrameType, writeFrameHeader, writeUint32 } from './frame.ts'

/** Frames that wait to be taken, one after the other in one piece of memory. */
export class Output {
  /**
   * The memory; {@link Output.length} bytes of it are used. Another one after every {@link Output.reserve}.
   */
  bytes: Uint8Array = new Uint8Array(4096)
  length = 0

  /** Makes room for `count` bytes behind what is there, without using it. */
  reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }

  /** Appends a frame's header and makes room for its payload, which the caller appends. */
  frame(type: number, flags: number, streamId: number, length: number): void {
    this.reserve(FRAME_HEADER_LENGTH + length)
    writeFrameHeader(this.bytes, this.length, length, type, flags, streamId)
    this.length += FRAME_HEADER_LENGTH
  }

  /** Appends RST_STREAM. */
  reset(streamId: number, code: number): void {
    this.frame(FrameType.RST_STREAM, 0, streamId, 4)
    this.uint32(code)
  }

  /** Appends GOAWAY. */
  goaway(lastStreamId: number, code: number, debug: Uint8Array): void {
    this.frame(FrameType.GOAWAY, 0, 0, 8 + debug.length)
    this.uint32(lastStreamId)
    this.uint32(code)
    this.append(debug)
  }

  /** Appends PING. @param payload of 8 bytes */
  ping(flags: number, payload: Uint8Array): void {
    this.frame(FrameType.PING, flags, 0, payload.length)
    this.append(payload)
  }

  /** Appends one byte. */
  uint8(value: number): void {
    this.reserve(1)
    this.bytes[this.length++] = value
  }

  uint16(value: number): void {
    this.uint8(value >>> 8)
    this.uint8(value & 0xff)
  }

  uint32(value: number): void {
    this.reserve(4)
    writeUint32(this.bytes, this.length, value)
    this.length += 4
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  copy(): Uint8Array {
    return this.bytes.slice(0, this.length)
  }

  /** All of it, in memory of its own; it is gone here. */
  take(): Uint8Array {
    if (this.length === 0) return EMPTY
    const taken = this.copy()
    this.length = 0
    // One large response does not tie its memory up for ever.
    if (this.bytes.length > 2 ** 18) this.bytes = new Uint8Array(4096)
    return taken
  }
}
