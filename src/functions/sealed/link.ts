import type { Duplex } from 'node:stream'
import { utf8 } from '../../wire/index.ts'
import { reasonOf } from '../../wire/thrown.ts'
import { type Frame, FrameReader, type FrameType, frameHead } from './frames.ts'

const decoder = new TextDecoder()

/** One end of the stream between a container and a worker. */
export class Link {
  readonly #stream: Duplex
  readonly #reader: FrameReader
  #open = true
  onFrame: (frame: Frame) => void = () => {}
  /** The other side is gone, or has said what is no frame. */
  onEnd: (reason: string) => void = () => {}

  /** @param most bytes that the other side may put into one frame */
  constructor(stream: Duplex, most: number) {
    this.#stream = stream
    this.#reader = new FrameReader(most)
    stream.on('data', (bytes: Uint8Array) => this.#receive(bytes))
    stream.on('error', error => this.#end(error.message))
    stream.on('close', () => this.#end('the stream was closed'))
  }

  get open(): boolean {
    return this.#open
  }

  /** @param sent called when the payload's memory is the caller's again */
  send(type: FrameType, call: number, payload?: Uint8Array, sent?: () => void): void {
    if (!this.#open) {
      sent?.()
      return
    }
    const length = payload?.length ?? 0
    this.#stream.cork()
    this.#stream.write(frameHead(type, call, length))
    if (payload !== undefined && length > 0) this.#stream.write(payload, sent)
    this.#stream.uncork()
    if (length === 0) sent?.()
  }

  say(type: FrameType, call: number, value: unknown): void {
    this.send(type, call, utf8(JSON.stringify(value)))
  }

  close(): void {
    this.#open = false
    this.#stream.destroy()
  }

  #receive(bytes: Uint8Array): void {
    if (!this.#open) return
    try {
      for (const frame of this.#reader.push(bytes)) this.onFrame(frame)
    } catch (error) {
      this.#end(reasonOf(error))
    }
  }

  #end(reason: string): void {
    if (!this.#open) return
    this.close()
    this.onEnd(reason)
  }
}

/** @throws SyntaxError the payload is no JSON */
export function jsonOf<T>({ payload }: Frame): T {
  return JSON.parse(decoder.decode(payload)) as T
}
