import { Encoder } from '../../wire/index.ts'
import { MAX_QUEUED } from '../channel.ts'
import type { Descriptor } from '../streams/descriptor.ts'
import { BODY, HEADER, Header, VERSION } from './frame.ts'

/** Bytes of frames that one peer may have underway before it says that it has taken some. */
export const WINDOW = 0x40000

/** Hands one frame to the kernel: it has it, it has no room now, or the peer will never read it. */
export type Transmit = (
  header: Uint8Array,
  body: Uint8Array,
  descriptors: readonly Descriptor[],
) => 'sent' | 'busy' | 'gone'

/** What stopped an {@link Outbox}: nothing, the window, the kernel, or the end of its peer. */
export type Progress = 'sent' | 'credit' | 'busy' | 'gone'

/** A message on its way. */
export interface Outgoing {
  readonly number: number
  readonly payload: Uint8Array
  readonly descriptors: readonly Descriptor[]
  /** Bytes that have left. */
  offset: number
  /** Whether its first fragment has left, its descriptors with it. */
  started: boolean
  /** Lets go of the descriptors. */
  release(): void
}

const EMPTY = new Uint8Array(0)
const NONE: readonly Descriptor[] = []
const HEADERS = new Encoder(Header)

const nothing = (): void => {}

/** What one peer is still to be sent: in order, in fragments, within a window of credit. */
export class Outbox {
  readonly #transmit: Transmit
  #queue: Outgoing[] = []
  #queued = 0
  #outstanding = 0
  #next = 0

  constructor(transmit: Transmit) {
    this.#transmit = transmit
  }

  get empty(): boolean {
    return this.#queue.length === 0
  }

  /** Sends, or queues a copy and holds the descriptors until they have left. */
  send(payload: Uint8Array, descriptors: readonly Descriptor[]): 'sent' | 'queued' | 'gone' | 'full' {
    if (this.#queued + payload.length > MAX_QUEUED) return 'full'
    const message: Outgoing = {
      number: this.#next,
      payload,
      descriptors,
      offset: 0,
      started: false,
      release: nothing,
    }
    this.#next = (this.#next + 1) % 2 ** 32
    if (this.empty) {
      const progress = this.#push(message)
      if (progress === 'sent' || progress === 'gone') return progress
    }
    const holds = message.started ? [] : descriptors.map(descriptor => descriptor.hold())
    const release = (): void => {
      for (const letGo of holds) letGo()
    }
    this.#queue.push({ ...message, payload: payload.slice(), release })
    this.#queued += payload.length
    return 'queued'
  }

  /** Sends what can be sent now. @param left told of each message that was sent whole */
  flush(left: (payload: Uint8Array) => void): Progress {
    while (this.#queue.length > 0) {
      const message = this.#queue[0]!
      const progress = this.#push(message)
      if (progress !== 'sent') return progress
      this.#queue.shift()
      this.#queued -= message.payload.length
      left(message.payload)
    }
    return 'sent'
  }

  #push(message: Outgoing): Progress {
    const { number, payload } = message
    do {
      const whole = message.offset === 0 && payload.length <= BODY
      const body = whole ? payload : payload.subarray(message.offset, message.offset + BODY)
      const size = HEADER + body.length
      if (this.#outstanding > 0 && this.#outstanding + size > WINDOW) return 'credit'
      const { offset } = message
      const descriptors = message.started ? NONE : message.descriptors
      const content = {
        kind: 'fragment',
        number,
        offset,
        total: payload.length,
        descriptors: descriptors.length,
      } as const
      const header = HEADERS.encode({ version: VERSION, content })
      const result = this.#transmit(header, body, descriptors)
      if (result !== 'sent') return result
      this.#outstanding += size
      message.offset += body.length
      if (!message.started) {
        message.started = true
        message.release()
      }
    } while (message.offset < payload.length)
    return 'sent'
  }

  /** The peer has taken so many bytes. */
  credit(bytes: number): void {
    this.#outstanding = Math.max(0, this.#outstanding - bytes)
  }

  /**
   * Tells the peer that so many of its bytes were taken; past the queue and past the window, for it is small
   * and frees the peer.
   */
  giveCredit(bytes: number): 'sent' | 'busy' | 'gone' {
    const content = { kind: 'credit', bytes } as const
    return this.#transmit(HEADERS.encode({ version: VERSION, content }), EMPTY, NONE)
  }

  /** Takes everything out that waits. */
  abandon(): Outgoing[] {
    const queue = this.#queue
    this.#queue = []
    this.#queued = 0
    for (const message of queue) message.release()
    return queue
  }
}
