import type { Clock, Timer } from '../../time/clock.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { Allowance, type Budget, DecodeError, Reader, Scratch } from '../../wire/index.ts'
import { type Channel, MAX_DESCRIPTORS, MAX_PAYLOAD, type SendResult } from '../channel.ts'
import type { Descriptor } from '../streams/descriptor.ts'
import { Assembly, closeAll } from './assembly.ts'
import { FRAME, HEADER, Header, VERSION } from './frame.ts'
import { Outbox, type Progress, type Transmit, WINDOW } from './outbox.ts'

/** Credit is given back in portions of this many bytes, unless something else is asked for. */
const PORTION = WINDOW / 4
/** Milliseconds until a full kernel is tried again: doubled each time up to the second. */
const BUSY = { first: 1, last: 16 }
/** Milliseconds between questions whether a peer that owes us credit is still there. */
const ASK = 20

/** For the message at hand, its header included; the body in views of it. */
const MESSAGE = new Uint8Array(FRAME)
const BODIES = new Scratch(MESSAGE.subarray(HEADER))
let lent = false

/** The body of a fragment that is one frame, borrowed. */
function bodyOf(frame: Uint8Array): Uint8Array {
  MESSAGE.set(frame)
  return BODIES.first(frame.length - HEADER)
}

/** What goes to and comes from one peer. */
interface Traffic {
  readonly outbox: Outbox
  readonly assembly: Assembly
  readonly allowance: Allowance | undefined
  /** Bytes that we have taken, and not told it of. */
  owed: number
}

/**
 * What both channels have in common: messages in frames, credits, retries. Subclasses only move frames, and
 * know from the way that a frame came who has sent it. A peer that breaks the rules loses its pair, and
 * nothing else happens.
 */
export abstract class FramedChannel implements Channel {
  abstract readonly kind: 'native' | 'ipc'
  readonly self: number
  onMessage: Channel['onMessage'] = (_from, _payload, descriptors) => closeAll(descriptors)
  onRefused: Channel['onRefused']
  onUndeliverable: Channel['onUndeliverable']
  onLeft: Channel['onLeft']
  onDrain: Channel['onDrain']
  onLost: Channel['onLost']
  onGather: Channel['onGather']
  onGathered: Channel['onGathered']
  protected closed = false
  readonly #traffic = new Map<number, Traffic>()
  readonly #peers = new Set<number>()
  readonly #budget: Budget | undefined
  readonly #clock: Clock
  readonly #retries: Timer
  #delay = BUSY.first
  readonly #portion: number

  /**
   * @param budget how many frames each peer may send; as many as it likes by default
   * @param portion bytes of the portions that credit is given back in
   */
  constructor(self: number, budget?: Budget, clock: Clock = SYSTEM_CLOCK, portion = PORTION) {
    checkId(self)
    this.#portion = portion
    this.self = self
    this.#clock = clock
    this.#retries = clock.timer(() => this.#retry())
    this.#budget = budget
  }

  get peers(): ReadonlySet<number> {
    return this.#peers
  }

  send(to: number, payload: Uint8Array, descriptors: readonly Descriptor[] = []): SendResult {
    if (payload.length > MAX_PAYLOAD) throw new RangeError(`a payload of ${payload.length} bytes`)
    if (descriptors.length > this.maxDescriptors) throw new RangeError(`${descriptors.length} descriptors`)
    for (const descriptor of descriptors) {
      if (!descriptor.open) throw new TypeError('a descriptor is closed')
    }
    const traffic = this.#traffic.get(to)
    if (traffic === undefined || !this.#peers.has(to)) return 'gone'
    const result = traffic.outbox.send(payload, descriptors)
    if (result === 'queued') this.#retryIn(this.#delay)
    else if (result === 'gone') this.lose(to, CLOSED)
    return result
  }

  get maxDescriptors(): number {
    return MAX_DESCRIPTORS
  }

  /** Makes a peer known; a `RangeError` if it is already. */
  protected register(id: number, transmit: Transmit): void {
    checkId(id)
    if (this.#traffic.has(id)) throw new RangeError(`process ${id} is already known`)
    const allowance = this.#budget && new Allowance(this.#budget, () => this.#clock.steady())
    this.#traffic.set(id, { outbox: new Outbox(transmit), assembly: new Assembly(), allowance, owed: 0 })
    this.#peers.add(id)
  }

  abstract addPeer(id: number, ends: readonly Descriptor[]): void

  forget(id: number): void {
    this.#abandon(id)
    this.#traffic.get(id)?.assembly.drop()
    this.#traffic.delete(id)
  }

  /** Where all comes by one way, in its order, nothing is left behind. */
  poll(_id: number): void {}

  cut(id: number, reason: string): void {
    this.lose(id, reason)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.#retries.stop()
    for (const id of [...this.#traffic.keys()]) this.forget(id)
  }

  /** Nothing can be sent to that peer any more: tells what it will not get, and, once, that it is lost. */
  protected lose(id: number, reason: string): void {
    if (!this.#peers.has(id)) return
    this.#abandon(id)
    this.onLost?.(id, reason)
  }

  #abandon(id: number): void {
    this.#peers.delete(id)
    const abandoned = this.#traffic.get(id)?.outbox.abandon() ?? []
    for (const { payload, started } of abandoned) this.onUndeliverable?.(id, payload, started)
  }

  /**
   * One frame of that peer's. `bytes` is a view that is copied; the descriptors are taken over; `lost`: why
   * some are missing. A peer that is not known is not heard.
   */
  protected receive(from: number, bytes: Uint8Array, descriptors: Descriptor[], lost?: string): void {
    const traffic = this.#traffic.get(from)
    const broken = traffic === undefined ? 'unknown' : this.#accept(from, traffic, bytes, descriptors, lost)
    if (broken === undefined) return
    closeAll(descriptors)
    if (traffic !== undefined) this.cut(from, broken)
  }

  /** @returns how the peer broke the rules; then the descriptors are still to be closed */
  #accept(
    from: number,
    traffic: Traffic,
    bytes: Uint8Array,
    descriptors: Descriptor[],
    lost: string | undefined,
  ): string | undefined {
    if (this.floods(from)) return FLOODS
    const reader = new Reader(bytes)
    const header = readHeader(reader)
    if (header === undefined) return 'it sent something that is not a frame'
    const { content } = header
    if (content.kind === 'credit') {
      if (descriptors.length > 0 || reader.remaining > 0) return 'it sent something that is not a frame'
      traffic.outbox.credit(content.bytes)
      this.#flush(from)
      return undefined
    }
    traffic.owed += bytes.length
    this.#giveCredit(from, traffic)
    // While one is being taken, another may be: that lies in memory of its own.
    const lends = !lent && bytes.length <= FRAME
    lent ||= lends
    try {
      const body = lends ? bodyOf(bytes) : Uint8Array.from(bytes.subarray(HEADER))
      const message = traffic.assembly.accept(content, body, descriptors, lost)
      if (typeof message === 'string') return message
      if (message?.refused !== undefined) this.onRefused?.(from, message.payload, message.refused)
      else if (message !== undefined) this.onMessage(from, message.payload, message.descriptors)
      return undefined
    } finally {
      if (lends) lent = false
    }
  }

  /** Counts what a peer has us do. @returns whether that is more than it may */
  protected floods(id: number): boolean {
    const allowance = this.#traffic.get(id)?.allowance
    return allowance !== undefined && !allowance.spend(1)
  }

  #giveCredit(to: number, traffic: Traffic): void {
    if (traffic.owed < this.#portion || !this.#peers.has(to)) return
    const result = traffic.outbox.giveCredit(traffic.owed)
    if (result === 'sent') traffic.owed = 0
    else if (result === 'busy') this.#retryIn(this.#delay)
    else this.lose(to, CLOSED)
  }

  #flush(to: number): Progress {
    const outbox = this.#traffic.get(to)?.outbox
    if (outbox === undefined || outbox.empty) return 'sent'
    const progress = outbox.flush(payload => this.onLeft?.(to, payload))
    if (progress === 'gone') this.lose(to, CLOSED)
    else if (progress === 'sent') this.onDrain?.(to)
    else this.#retryIn(progress === 'busy' ? this.#delay : ASK)
    return progress
  }

  #retryIn(milliseconds: number): void {
    if (this.closed) return
    if (!this.#retries.armed) this.#retries.after(milliseconds)
  }

  #retry(): void {
    let busy = false
    for (const [id, traffic] of [...this.#traffic]) {
      this.#giveCredit(id, traffic)
      const progress = this.#flush(id)
      busy ||= progress === 'busy'
      // A peer that died owing us credit says nothing: only sending tells.
      if (progress === 'credit' && traffic.outbox.giveCredit(0) === 'gone') this.lose(id, CLOSED)
    }
    this.#delay = busy ? Math.min(this.#delay * 2, BUSY.last) : BUSY.first
  }
}

/** Why a peer is lost: it does not read any more, or sends more than it may. */
export const CLOSED = 'its end is closed'
export const FLOODS = 'it sends more than it may'

/** The header of a frame, or `undefined` if it is none that this version understands. */
export function readHeader(reader: Reader): Header | undefined {
  try {
    const header = Header.read(reader)
    return header.version === VERSION ? header : undefined
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}

function checkId(id: number): void {
  if (!Number.isInteger(id) || id < 0 || id > 0xffffffff)
    throw new RangeError(`${id} is not a valid process id`)
}
