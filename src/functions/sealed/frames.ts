/*
 * What a container and the worker of a sealed function say to each other, over one stream: frames of a type,
 * a call and a payload. Neither trusts the other with more than a frame's length.
 */

/** The number under which a worker finds the stream. */
export const STREAM_FD = 3

/** Types of frames; a number on the stream. C: from the container, W: from the worker. */
export const FRAME_TYPES = {
  /** C: what to open, with the key that came before. Payload: {@link Opening}. */
  open: 1,
  /** C: a key, in memory of its own: it is part of nothing larger that would be copied. */
  key: 17,
  /** W: it is open, and the module is loaded. */
  opened: 2,
  /** W: it is not. Payload: JSON {@link Refused}. */
  refused: 3,
  /** C: a call begins. Payload: JSON {@link CallHead}. */
  request: 4,
  /** Both: a piece of content. */
  data: 5,
  /** Both: the content has ended. Payload: JSON, its trailers; nothing without. */
  end: 6,
  /** Both: it does not come whole. */
  abort: 7,
  /** Both: so many more bytes of content may come. Payload: uint32. */
  credit: 8,
  /** W: the response begins. Payload: JSON {@link ResponseHead}. */
  head: 9,
  /** W: an interim response. Payload: JSON {@link ResponseHead}. */
  inform: 10,
  /** W: nothing of the call is left, what it left to be waited for included. */
  done: 11,
  /** W: a line of log. Payload: JSON {@link LogLine}. */
  log: 12,
  /** W: what is kept under that name? Payload: the name, sealed. The call is a number of its own. */
  load: 13,
  /** C: this is. Payload: one of {@link KEPT}, then what was saved, or why it cannot be had. */
  loaded: 14,
  /** W: keep this. Payload: the name (32 bytes), then what to keep; nothing: forget it. */
  save: 15,
  /** C: it is kept. Payload: as for loaded. */
  saved: 16,
} as const

/** How an answer about what is kept begins. */
export const KEPT = { nothing: 0, value: 1, failed: 2 } as const

export type FrameType = keyof typeof FRAME_TYPES

export interface Frame {
  readonly type: FrameType
  readonly call: number
  readonly payload: Uint8Array
}

/** Why a worker cannot serve. */
export interface Refused {
  /** `wrapping-damaged`: whether the identity is a right one cannot be told; `damaged`: the key is right. */
  readonly reason: 'wrong-key' | 'wrapping-damaged' | 'damaged' | 'unloadable'
  readonly detail: string
}

/** A request without its content. */
export interface CallHead {
  readonly method: string
  readonly target: string
  readonly headers: readonly (readonly [string, string])[]
  readonly host: string | undefined
  readonly functionPath: string
  readonly callId: string
  readonly connection: object
  /** Milliseconds that the function has to begin its response; 0: for ever. */
  readonly timeout: number
  /** Content follows. */
  readonly content: boolean
}

export interface ResponseHead {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  /** Trailers may follow the content. */
  readonly trailers?: boolean
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly fields: object
  readonly message: string
}

/** Bytes of content that may be on their way in one direction of one call. */
export const WINDOW = 262_144

const HEAD = 9
const TYPE_OF = new Map<number, FrameType>(
  Object.entries(FRAME_TYPES).map(([name, number]) => [number, name as FrameType]),
)

export function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

/** The head of a frame; its payload follows. */
export function frameHead(type: FrameType, call: number, length: number): Uint8Array {
  const head = new Uint8Array(HEAD)
  const view = new DataView(head.buffer)
  view.setUint32(0, length)
  view.setUint8(4, FRAME_TYPES[type])
  view.setUint32(5, call)
  return head
}

/** Finds frames in bytes that come in any pieces. */
export class FrameReader {
  readonly #most: number
  #pieces: Uint8Array[] = []
  #length = 0

  /** @param most bytes of a payload */
  constructor(most: number) {
    this.#most = most
  }

  /** @returns the frames that are whole now @throws RangeError for what is no frame */
  push(bytes: Uint8Array): Frame[] {
    this.#pieces.push(bytes)
    this.#length += bytes.length
    const frames: Frame[] = []
    while (this.#length >= HEAD) {
      const head = this.#peek(HEAD)
      const view = new DataView(head.buffer, head.byteOffset, HEAD)
      const length = view.getUint32(0)
      const type = TYPE_OF.get(view.getUint8(4))
      if (type === undefined || length > this.#most) throw new RangeError('what came is no frame')
      if (this.#length < HEAD + length) break
      const call = view.getUint32(5)
      frames.push({ type, call, payload: this.#take(HEAD + length).subarray(HEAD) })
    }
    return frames
  }

  /** The first bytes, in one piece. */
  #peek(count: number): Uint8Array {
    const first = this.#pieces[0]!
    return first.length >= count ? first : this.#join()
  }

  #take(count: number): Uint8Array {
    const first = this.#pieces[0]!.length >= count ? this.#pieces[0]! : this.#join()
    this.#length -= count
    this.#pieces =
      first.length === count ? this.#pieces.slice(1) : [first.subarray(count), ...this.#pieces.slice(1)]
    return first.subarray(0, count)
  }

  /** All pieces as one, in memory outside of the engine's heap. The others are wiped: keys lie in some. */
  #join(): Uint8Array {
    const joined = new Uint8Array(new ArrayBuffer(this.#length))
    let at = 0
    for (const piece of this.#pieces) {
      joined.set(piece, at)
      at += piece.length
      piece.fill(0)
    }
    this.#pieces = [joined]
    return joined
  }
}

/** Content that goes out as the other side takes it. */
export class Credit {
  #left = WINDOW
  #waiting: (() => void)[] = []

  /** The other side takes more. */
  grant(bytes: number): void {
    this.#left += bytes
    if (this.#left > 0) this.release()
  }

  /** Bytes go out now. @returns undefined, or a promise of the moment when more may follow */
  spend(bytes: number): Promise<void> | undefined {
    this.#left -= bytes
    return this.#left > 0 ? undefined : new Promise(resolve => this.#waiting.push(resolve))
  }

  /** Nothing is taken any more: what waits goes on, and finds that out. */
  release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
