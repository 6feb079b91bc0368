import { DecodeError, Reader } from '../../wire/index.ts'
import { type Channel, MAX_DESCRIPTORS, MAX_PAYLOAD, type SendResult } from '../channel.ts'
import type { Descriptor } from '../streams/descriptor.ts'
import { Assembly, closeAll } from './assembly.ts'
import { Header, VERSION } from './frame.ts'
import { Outbox, type Progress, type Transmit, WINDOW } from './outbox.ts'

/** Credit is given back in portions of this many bytes. */
const PORTION = WINDOW / 4
/** Milliseconds until a full kernel is tried again: doubled each time up to the second. */
const BUSY = { first: 1, last: 16 }
/** Milliseconds between questions whether a peer that owes us credit is still there. */
const ASK = 20
/** Senders that have not been introduced but may be owed credit. */
const STRANGERS = 1024

/** What both channels have in common: messages in frames, credits, retries. Subclasses only move frames. */
export abstract class FramedChannel implements Channel {
  abstract readonly kind: 'native' | 'ipc'
  readonly self: number
  onMessage: Channel['onMessage'] = (_from, _payload, descriptors) => closeAll(descriptors)
  onRefused: Channel['onRefused']
  onUndeliverable: Channel['onUndeliverable']
  onDrain: Channel['onDrain']
  /** Frames that were dropped because they broke the rules. */
  malformed = 0
  protected closed = false
  readonly #outboxes = new Map<number, Outbox>()
  readonly #peers = new Set<number>()
  readonly #owed = new Map<number, number>()
  readonly #assembly = new Assembly()
  #timer: NodeJS.Timeout | undefined
  #delay = BUSY.first

  constructor(self: number) {
    checkId(self)
    this.self = self
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
    const outbox = this.#outboxes.get(to)
    if (outbox === undefined || !this.#peers.has(to)) return 'gone'
    const result = outbox.send(payload, descriptors)
    if (result === 'queued') this.#retryIn(this.#delay)
    else if (result === 'gone') this.#lose(to)
    return result
  }

  protected get maxDescriptors(): number {
    return MAX_DESCRIPTORS
  }

  /** Makes a peer known; a `RangeError` if it is already. */
  protected register(id: number, transmit: Transmit): void {
    checkId(id)
    if (this.#outboxes.has(id)) throw new RangeError(`process ${id} is known already`)
    this.#outboxes.set(id, new Outbox(this.self, transmit))
    this.#peers.add(id)
    this.#giveCredit(id)
  }

  abstract addPeer(id: number, ends: readonly Descriptor[]): void

  forget(id: number): void {
    this.#lose(id)
    this.#outboxes.delete(id)
    this.#owed.delete(id)
    this.#assembly.drop(id)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const id of [...this.#outboxes.keys()]) this.forget(id)
    this.#assembly.clear()
    this.#owed.clear()
  }

  /** The peer's inbox is closed: tells what it will not get. */
  protected lose(id: number): void {
    this.#lose(id)
  }

  #lose(id: number): void {
    this.#peers.delete(id)
    const abandoned = this.#outboxes.get(id)?.abandon() ?? []
    for (const { payload, started } of abandoned) this.onUndeliverable?.(id, payload, started)
  }

  /** One frame from the inbox. `bytes` is a view that is copied; the descriptors are taken over; `lost`: why some are missing. */
  protected receive(bytes: Uint8Array, descriptors: Descriptor[], lost: string | undefined): void {
    const reader = new Reader(bytes)
    const header = readHeader(reader)
    const surplus = descriptors.length > 0 || reader.remaining > 0
    if (header === undefined || (header.content.kind === 'credit' && surplus)) {
      closeAll(descriptors)
      this.malformed++
      return
    }
    const { from, content } = header
    if (content.kind === 'credit') {
      this.#outboxes.get(from)?.credit(content.bytes)
      this.#flush(from)
      return
    }
    if (!this.#owe(from, bytes.length)) {
      closeAll(descriptors)
      this.malformed++
      return
    }
    const message = this.#assembly.accept(from, content, reader.bytes(reader.remaining), descriptors, lost)
    if (typeof message === 'string') this.malformed++
    else if (message?.refused !== undefined) this.onRefused?.(from, message.payload, message.refused)
    else if (message !== undefined) this.onMessage(from, message.payload, message.descriptors)
  }

  #owe(from: number, bytes: number): boolean {
    const owed = this.#owed.get(from)
    if (owed === undefined && !this.#outboxes.has(from) && this.#owed.size >= STRANGERS) return false
    this.#owed.set(from, (owed ?? 0) + bytes)
    this.#giveCredit(from)
    return true
  }

  #giveCredit(to: number): void {
    const owed = this.#owed.get(to) ?? 0
    if (owed < PORTION || !this.#peers.has(to)) return
    const result = this.#outboxes.get(to)?.giveCredit(owed)
    if (result === 'sent') this.#owed.set(to, 0)
    else if (result === 'busy') this.#retryIn(this.#delay)
    else if (result === 'gone') this.#lose(to)
  }

  #flush(to: number): Progress {
    const outbox = this.#outboxes.get(to)
    if (outbox === undefined || outbox.empty) return 'sent'
    const progress = outbox.flush()
    if (progress === 'gone') this.#lose(to)
    else if (progress === 'sent') this.onDrain?.(to)
    else this.#retryIn(progress === 'busy' ? this.#delay : ASK)
    return progress
  }

  #retryIn(milliseconds: number): void {
    if (this.closed) return
    this.#timer ??= setTimeout(() => this.#retry(), milliseconds)
  }

  #retry(): void {
    this.#timer = undefined
    let busy = false
    for (const [id, outbox] of [...this.#outboxes]) {
      this.#giveCredit(id)
      const progress = this.#flush(id)
      busy ||= progress === 'busy'
      // A peer that died owing us credit says nothing: only sending tells.
      if (progress === 'credit' && outbox.giveCredit(0) === 'gone') this.#lose(id)
    }
    this.#delay = busy ? Math.min(this.#delay * 2, BUSY.last) : BUSY.first
  }
}

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
    throw new RangeError(`${id} is no process id of ours`)
}
