import { ByteQueue } from '../http/h1/byte-queue.ts'
import { concat, EMPTY } from '../wire/index.ts'
import { LAST_GENERATION } from './envelope.ts'
import {
  checkpointHead,
  decodeCheckpoint,
  HEADER_LENGTH,
  LARGEST_TLS_FRAGMENT,
  LEG_CONTENT_TYPE,
  type LegCheckpoint,
  type Mark,
  markOf,
} from './leg.ts'
import type { RelayState } from './relay-state.ts'

/** Bytes from a client that are kept for a successor of its container. */
export const RETAINED = 2 ** 20
/** Bytes that may be held back until a checkpoint comes, and bytes of a checkpoint in pieces. */
const HELD = 2 ** 18
const CHECKPOINT = 2 ** 23
/** Bytes that small ones of either count as: a container that means well sends no thousands of them. */
const HELD_COST = 64
const PIECE_COST = 1024
const APPLICATION_DATA = 23
/** Bytes of memory for the start of a record: of any TLS record. */
const ROOM = HEADER_LENGTH + LARGEST_TLS_FRAGMENT

/** What is to be done when a leg has been read to its end. */
export type LegEnd =
  /** The container has finished: the client gets a FIN. */
  | { readonly kind: 'goodbye' }
  /**
   * The container broke the connection off, or died and no container can go on: the client must not take it
   * for an orderly end.
   */
  | { readonly kind: 'broken' | 'lost'; readonly reason: string }
  /** Nothing has been sent to the client: the connection can be delivered anew, with all that it has sent. */
  | { readonly kind: 'anew'; readonly inbound: Uint8Array }
  /** A container of that function can go on. */
  | { readonly kind: 'takeOver'; readonly from: Resumption }

/** What a successor goes on from. */
export interface Resumption {
  readonly checkpoint: LegCheckpoint
  /** Protected records that the client was sent after the checkpoint. */
  readonly records: number
  /** What the client has sent since. */
  readonly retained: Uint8Array
}

/**
 * What the gateway knows of one TLS connection that it relays, without sockets: it walks the headers of the
 * container's records and opens none. It forwards whole records alone, keeps the newest checkpoint, counts
 * the protected records after it, and retains what the client has sent that the checkpoint does not cover.
 */
export class Relay {
  /** Bytes from the client since the connection began. */
  #received: number
  readonly #retained = new ByteQueue()
  /** False once more has come than is retained, until the next checkpoint covers it. */
  #complete = true
  /**
   * The newest {@link LegCheckpoint} as it came, at the start of memory that is used for each in turn; empty
   * before the first.
   */
  #checkpoint: Uint8Array = EMPTY
  #checkpointLength = 0
  #generation = 0
  #records = 0
  #sent = false
  /** The start of a record, whose rest has not come. */
  #partial: Uint8Array = EMPTY
  #partialLength = 0
  /** Records that wait for a checkpoint; undefined if none has to. */
  #held: Uint8Array[] | undefined
  #heldLength = 0
  #pieces: Uint8Array[] = []
  #piecesLength = 0
  #end: 'goodbye' | 'broken' | undefined
  #failure: string | undefined

  /** @param inbound what the client had sent when the connection was delivered */
  constructor(inbound: Uint8Array) {
    this.#received = inbound.length
    this.#retained.push(inbound)
    this.#retained.settle()
  }

  /** Goes on where another gateway has stopped. @throws DecodeError a malformed checkpoint */
  static restore(state: RelayState): Relay {
    const relay = new Relay(state.retained)
    relay.#received = state.received
    relay.#complete = state.complete
    if (state.checkpoint.length > 0) relay.#remember(state.checkpoint, decodeCheckpoint(state.checkpoint))
    relay.#records = state.records
    relay.#sent = state.sent
    relay.#keep(state.partial)
    relay.#held = state.held && [state.held]
    relay.#heldLength = state.held?.length ?? 0
    relay.#pieces = [state.pieces]
    relay.#piecesLength = state.pieces.length
    relay.#end = state.end === 'open' ? undefined : state.end
    return relay
  }

  /** All that it knows, in copies. Not of one that has failed: that is closed. */
  export(): RelayState {
    return {
      received: this.#received,
      retained: this.#retained.copy(),
      complete: this.#complete,
      checkpoint: this.#checkpoint.slice(0, this.#checkpointLength),
      records: this.#records,
      sent: this.#sent,
      partial: this.#partial.slice(0, this.#partialLength),
      held: this.#held && concat(...this.#held),
      pieces: concat(...this.#pieces),
      end: this.#end ?? 'open',
    }
  }

  /** Whether the connection outlives its container now. */
  get survivable(): boolean {
    return this.#complete && (this.#checkpointLength > 0 || !this.#sent)
  }

  /** The newest checkpoint's generation; 0 before the first. */
  get generation(): number {
    return this.#generation
  }

  /** The function whose containers can go on; undefined before the first checkpoint. */
  get functionName(): string | undefined {
    return this.#newest?.functionName
  }

  /** Why the leg makes no sense; nothing is forwarded from then on. */
  get failure(): string | undefined {
    return this.#failure
  }

  /** Bytes kept for a successor. */
  get retained(): number {
    return this.#retained.length
  }

  /**
   * Bytes that are kept because of the client or its container: also what is held back, and what has not come
   * whole.
   */
  get kept(): number {
    const newest = this.#checkpointLength + this.#piecesLength
    return this.#retained.length + newest + this.#heldLength + this.#partialLength
  }

  /** Keeps nothing for a successor, until a checkpoint covers all that has come. */
  forget(): void {
    this.#complete = false
    this.#retained.clear()
  }

  /**
   * Counts and keeps what the client has sent; it is passed on as it is. @param bytes copied, if they are
   * kept
   */
  fromClient(bytes: Uint8Array): void {
    this.#received += bytes.length
    if (!this.#complete) return
    if (this.#retained.length + bytes.length > RETAINED) {
      this.forget()
      return
    }
    this.#retained.push(bytes)
    this.#retained.settle()
  }

  /**
   * Takes bytes from the leg.
   * @param join both in one piece, where that needs no copy of the second
   * @returns what is to be sent to the client now: whole records, views of `bytes` where possible
   */
  fromLeg(
    bytes: Uint8Array,
    join: (prefix: Uint8Array, bytes: Uint8Array) => Uint8Array = concat,
  ): Uint8Array[] {
    const all =
      this.#partialLength === 0 ? bytes : join(this.#partial.subarray(0, this.#partialLength), bytes)
    const out: Uint8Array[] = []
    let at = 0
    // Records that follow each other are forwarded as one piece.
    let start = 0
    const forward = (end: number): void => {
      if (end > start) this.#forward(all.subarray(start, end), out)
    }
    while (this.#failure === undefined && all.length - at >= HEADER_LENGTH) {
      const type = all[at]!
      const length = (all[at + 3]! << 8) | all[at + 4]!
      if (this.#refuses(type, length)) break
      const end = at + HEADER_LENGTH + length
      if (end > all.length) break
      if (type === LEG_CONTENT_TYPE) {
        forward(at)
        this.#mark((all[at + 1]! << 8) | all[at + 2]!, all.subarray(at + HEADER_LENGTH, end), out)
        start = end
      } else if (type === APPLICATION_DATA) {
        this.#count()
      }
      at = end
    }
    forward(at)
    this.#keep(this.#failure === undefined ? all.subarray(at) : EMPTY)
    // Most of what is held back goes on within the same read; the rest must outlive the memory that it was
    // read into.
    if (this.#held !== undefined) this.#held = this.#held.map(records => this.#owned(records, all))
    return out
  }

  /** The leg has been read to its end, and no process can write to it any more. */
  legEnded(): LegEnd {
    if (this.#failure !== undefined) return { kind: 'broken', reason: this.#failure }
    if (this.#end === 'goodbye') return { kind: 'goodbye' }
    if (this.#end === 'broken') return { kind: 'broken', reason: 'the container broke it off' }
    // Of a record that did not come whole, and of what was held back, the client has seen nothing.
    this.#partialLength = 0
    this.#partial = EMPTY
    this.#held = undefined
    this.#heldLength = 0
    this.#pieces = []
    this.#piecesLength = 0
    if (!this.#complete)
      return { kind: 'lost', reason: `more than ${RETAINED} bytes came since the last checkpoint` }
    const checkpoint = this.#newest
    if (checkpoint === undefined) {
      if (this.#sent) return { kind: 'lost', reason: 'the handshake was not complete' }
      return { kind: 'anew', inbound: this.#retained.copy() }
    }
    return {
      kind: 'takeOver',
      from: { checkpoint, records: this.#records, retained: this.#retained.copy() },
    }
  }

  #forward(records: Uint8Array, out: Uint8Array[]): void {
    if (this.#held === undefined) {
      this.#sent = true
      out.push(records)
      return
    }
    this.#held.push(records)
    this.#heldLength += Math.max(records.length, HELD_COST)
    if (this.#heldLength > HELD) this.#fail('too much is waiting for a checkpoint')
  }

  #owned(records: Uint8Array, read: Uint8Array): Uint8Array {
    return records.buffer === read.buffer ? records.slice() : records
  }

  /** What is held back is covered by the checkpoint that it waits for. */
  #count(): void {
    if (this.#held === undefined) this.#records++
  }

  #refuses(type: number, length: number): boolean {
    const tls = type >= 20 && type <= 24
    if (tls && length <= LARGEST_TLS_FRAGMENT) return false
    if (type === LEG_CONTENT_TYPE) return false
    this.#fail(tls ? `a record of ${length} bytes` : `a record of type ${type}`)
    return true
  }

  #fail(reason: string): void {
    this.#failure ??= `the container broke the rules of a leg: ${reason}`
  }

  /**
   * Keeps the start of a record, whose rest has not come; the memory is used again while there is always one.
   */
  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) this.#partial = EMPTY
    else if (bytes.length > this.#partial.length) this.#partial = new Uint8Array(Math.max(bytes.length, ROOM))
    this.#partial.set(bytes)
    this.#partialLength = bytes.length
  }

  #mark(value: number, fragment: Uint8Array, out: Uint8Array[]): void {
    const mark: Mark | undefined = markOf(value)
    switch (mark) {
      case 'hold':
        this.#held ??= []
        return
      case 'more':
        // The rest comes with a later read.
        this.#piece(fragment.slice())
        return
      case 'checkpoint':
        this.#piece(fragment)
        this.#onCheckpoint(out)
        return
      case 'goodbye':
      case 'broken':
        this.#end ??= mark
        return
      case undefined:
        this.#fail(`an unknown mark ${value}`)
    }
  }

  #piece(fragment: Uint8Array): void {
    this.#pieces.push(fragment)
    this.#piecesLength += Math.max(fragment.length, PIECE_COST)
    if (this.#piecesLength > CHECKPOINT) this.#fail('a checkpoint that is too large')
  }

  #onCheckpoint(out: Uint8Array[]): void {
    const bytes = this.#pieces.length === 1 ? this.#pieces[0]! : concat(...this.#pieces)
    this.#pieces = []
    this.#piecesLength = 0
    const checkpoint = checkpointHead(bytes)
    if (checkpoint === undefined) {
      this.#fail('a malformed checkpoint')
      return
    }
    if (checkpoint.received > this.#received) {
      this.#fail(`a checkpoint that covers ${checkpoint.received} of ${this.#received} bytes`)
      return
    }
    if (checkpoint.generation < this.generation) {
      this.#fail(`a checkpoint of generation ${checkpoint.generation} after one of ${this.generation}`)
      return
    }
    if (checkpoint.generation > LAST_GENERATION) {
      this.#fail(
        `a checkpoint of generation ${checkpoint.generation}, which is higher than any connection reaches`,
      )
      return
    }
    const held = this.#held ?? []
    this.#held = undefined
    this.#heldLength = 0
    for (const records of held) this.#forward(records, out)
    this.#remember(bytes, checkpoint)
    this.#records = 0
    this.#release(checkpoint.received)
  }

  #remember(bytes: Uint8Array, { generation }: Pick<LegCheckpoint, 'generation'>): void {
    if (bytes.length > this.#checkpoint.length) this.#checkpoint = new Uint8Array(2 * bytes.length)
    this.#checkpoint.set(bytes)
    this.#checkpointLength = bytes.length
    this.#generation = generation
  }

  get #newest(): LegCheckpoint | undefined {
    if (this.#checkpointLength === 0) return undefined
    return decodeCheckpoint(this.#checkpoint.subarray(0, this.#checkpointLength))
  }

  /** Forgets what a checkpoint covers. */
  #release(covered: number): void {
    const left = this.#received - covered
    if (!this.#complete) {
      // What was not retained is covered only by a checkpoint of everything.
      this.#complete = left === 0
      return
    }
    this.#retained.skip(Math.max(0, this.#retained.length - left))
    this.#retained.settle()
  }
}
