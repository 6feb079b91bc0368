import { randomBytes } from 'node:crypto'
import type { Clock, Timer } from '../time/clock.ts'
import type { Peer } from '../transfer/control.ts'
import type { Descriptor } from '../transfer/stream.ts'
import type { Transport } from '../transport/transport.ts'
import { concat, DecodeError } from '../wire/index.ts'
import { type Frame, FrameReader, frameBytes, RANDOM_LENGTH, TRUNK_VERSION } from './frames.ts'
import { LONGEST_READ, Span, type SpanOwner } from './span.ts'
import { WINDOW } from './window.ts'

/** Signs of life within the time after which a silent host is given up. */
const BEATS = 4
/** Bytes of what the other host has said that may lie here unheard; with more it is not read. */
const MOST_HELD = 2 ** 24
/** Bytes that may wait for the other host besides those of spans, which have windows. */
const MOST_WAITING = 2 ** 26
/** The same, from which on no connection is sent to it. */
const CROWDED = 2 ** 24
/** Bytes that a span may have underway. */
const OF_A_SPAN = WINDOW + LONGEST_READ
/** Bytes after which it is looked how many wait. */
const LOOK = 2 ** 20

type Of<K extends Frame['kind']> = Extract<Frame, { kind: K }>

/** What becomes of what the other host says. */
export interface MeetingOwner {
  readonly clock: Clock
  /** The other host has said hello. */
  met(meeting: Meeting): void
  reached(meeting: Meeting, peer: Peer): void
  parted(meeting: Meeting, id: number): void
  retires(meeting: Meeting, id: number): void
  /** @throws DecodeError it is none that a host passes on */
  said(meeting: Meeting, frame: Of<'message'> | Of<'parcel'>): void
  /** A process of that host speaks to one of ours no more. */
  cut(meeting: Meeting, from: number, to: number): void
  /** @returns whether that is no late word */
  claimed(meeting: Meeting, span: Span, revision: number): boolean
  ended(meeting: Meeting, span: Span): void
  /** Of whose packets go where. */
  steering(meeting: Meeting, frame: Of<'steer' | 'turned' | 'steers'>): void
  /**
   * The other host cannot be spoken to any more; every span has been closed.
   * @param settled when all that travelled as TCP itself is where it is to be; undefined: nothing did
   */
  over(meeting: Meeting, reason: string, settled: Promise<unknown> | undefined): void
}

type OfLift = Of<'claimed' | 'reset' | 'state' | 'made' | 'unmade' | 'steered' | 'settled'>

/** A connection that goes between the two as TCP itself. */
export interface Lift {
  readonly number: number
  /** @throws RangeError that is not what can be said now */
  heard(frame: OfLift): void
  /** The two do not speak to each other any more. @returns when it is where it is to be */
  lost(): Promise<void> | undefined
}

/** Two links that speak to each other, over one connection: it ends when that does, or when one is silent. */
export class Meeting implements SpanOwner {
  /** Of the other host. */
  readonly host: string
  readonly clock: Clock
  readonly #owner: MeetingOwner
  readonly #transport: Transport
  readonly #dialled: boolean
  readonly #reader = new FrameReader()
  readonly #random = new Uint8Array(randomBytes(RANDOM_LENGTH))
  readonly #spans = new Map<number, Span>()
  readonly #lifts = new Map<number, Lift>()
  #carries = false
  readonly #beat: Timer
  #nextSpan: number
  #silent = 0
  #salt: Uint8Array | undefined
  #over = false
  #held = 0
  #sent = 0

  /**
   * @param transport whose other end is that host for certain @param dialled by us
   * @param silence milliseconds after which a host that says nothing is given up
   */
  constructor(host: string, transport: Transport, dialled: boolean, silence: number, owner: MeetingOwner) {
    this.host = host
    this.clock = owner.clock
    this.#owner = owner
    this.#transport = transport
    this.#dialled = dialled
    // So that both can begin spans at once.
    this.#nextSpan = dialled ? 1 : 2
    transport.onDrain = () => {
      for (const span of [...this.#spans.values()]) span.resume()
    }
    transport.read({
      bytes: view => this.#take(view),
      end: () => this.end('it has closed the connection'),
      error: error => this.end(error.message),
    })
    // Not by what the clock says: a process that was stopped has the other's words still to read.
    this.#beat = this.clock
      .every(silence / BEATS, () => {
        // One that is not read says nothing.
        if (!this.#deaf && ++this.#silent > BEATS) this.end('it is silent')
        else this.send({ kind: 'beat' })
      })
      .unref()
    this.send({ kind: 'hello', version: TRUNK_VERSION, random: this.#random })
  }

  get blocked(): boolean {
    return this.#transport.queued
  }

  /** Whether the other host has said hello. */
  get isMet(): boolean {
    return this.#salt !== undefined
  }

  /** What tells this meeting from all others; the same for both. */
  get salt(): Uint8Array {
    if (this.#salt === undefined) throw new Error('a meeting before its hello')
    return this.#salt
  }

  /** Connections whose bytes run between the two. */
  get size(): number {
    return this.#spans.size
  }

  /** So much waits for the other host that no connection is sent to it. */
  get crowded(): boolean {
    return this.#waiting > CROWDED
  }

  send(frame: Frame): void {
    if (this.#over) return
    const bytes = frameBytes(frame)
    this.#transport.write([bytes])
    this.#sent += bytes.length
    if (this.#sent < LOOK) return
    this.#sent = 0
    if (this.#waiting > MOST_WAITING) this.end('it does not take what it is sent')
  }

  /** Bytes that wait for the other host, but for those that windows bound. */
  get #waiting(): number {
    return this.#transport.unsent - this.#spans.size * OF_A_SPAN
  }

  /** Something that the other host has said waits here. With too much of it no more is read. */
  hold(bytes: number): void {
    this.#held += bytes
    if (this.#deaf && !this.#over) this.#transport.pause()
  }

  /** It waits no more. */
  free(bytes: number): void {
    const deaf = this.#deaf
    this.#held -= bytes
    if (!deaf || this.#deaf || this.#over) return
    this.#silent = 0
    this.#transport.resume()
  }

  get #deaf(): boolean {
    return this.#held > MOST_HELD
  }

  /** Whether TCP connections themselves can go to the other host. */
  get carries(): boolean {
    return this.#carries
  }

  /** The number of a span, or of what goes itself, that begins here. */
  next(): number {
    const number = this.#nextSpan
    this.#nextSpan += 2
    return number
  }

  /** A span that begins here. */
  begin(descriptor: Descriptor, number = this.next()): Span {
    const span = new Span(number, this, descriptor)
    this.#spans.set(span.number, span)
    return span
  }

  /** A connection that goes itself. */
  lift(lift: Lift): void {
    this.#lifts.set(lift.number, lift)
  }

  landed({ number }: Lift): void {
    this.#lifts.delete(number)
  }

  /** A span that the other host has begun. @throws RangeError there is one of that number, or it is ours */
  accept(number: number, descriptor: Descriptor): Span {
    this.admits(number)
    const span = new Span(number, this, descriptor)
    this.#spans.set(number, span)
    return span
  }

  /** @throws RangeError there is something of that number, or it is one of ours */
  admits(number: number): void {
    if (this.#spans.has(number) || this.#lifts.has(number) || number % 2 === this.#nextSpan % 2)
      throw new RangeError(`a second span ${number}`)
  }

  ended(span: Span): void {
    this.#spans.delete(span.number)
    this.#owner.ended(this, span)
  }

  end(reason: string): void {
    if (this.#over) return
    this.#over = true
    this.#beat.stop()
    this.#transport.destroy()
    for (const span of [...this.#spans.values()]) span.close()
    const settling = [...this.#lifts.values()].flatMap(lift => lift.lost() ?? [])
    this.#owner.over(this, reason, settling.length === 0 ? undefined : Promise.allSettled(settling))
  }

  #take(view: Uint8Array): void {
    this.#silent = 0
    try {
      for (const frame of this.#reader.push(view)) {
        if (this.#over) return
        this.#on(frame)
      }
    } catch (error) {
      if (!(error instanceof DecodeError || error instanceof RangeError)) throw error
      this.end(`it speaks nonsense: ${error.message}`)
    }
  }

  #on(frame: Frame): void {
    if ((frame.kind === 'hello') !== (this.#salt === undefined) && frame.kind !== 'beat')
      throw new RangeError(`a frame of kind ${frame.kind} out of order`)
    switch (frame.kind) {
      case 'hello':
        this.#hello(frame)
        return
      case 'beat':
        return
      case 'process':
        this.#owner.reached(this, frame.peer)
        return
      case 'gone':
        this.#owner.parted(this, frame.id)
        return
      case 'retires':
        this.#owner.retires(this, frame.id)
        return
      case 'message':
      case 'parcel':
        this.#owner.said(this, frame)
        return
      case 'cut':
        this.#owner.cut(this, frame.from, frame.to)
        return
      case 'carries':
        this.#carries = frame.repair
        return
      case 'steer':
      case 'turned':
      case 'steers':
        this.#owner.steering(this, frame)
        return
      case 'state':
      case 'made':
      case 'unmade':
      case 'steered':
      case 'settled':
        this.#lifts.get(frame.span)?.heard(frame)
        return
      default:
        this.#ofSpan(frame)
    }
  }

  #hello({ version, random }: Of<'hello'>): void {
    if (version !== TRUNK_VERSION) throw new RangeError(`version ${version}, not ${TRUNK_VERSION}`)
    this.#salt = this.#dialled ? concat(this.#random, random) : concat(random, this.#random)
    this.#owner.met(this)
  }

  #ofSpan(frame: Of<'claimed' | 'data' | 'credit' | 'end' | 'reset'>): void {
    // One that has ended here: what the other host said before it heard of that.
    const span = this.#spans.get(frame.span)
    if (span === undefined) {
      if (frame.kind === 'claimed' || frame.kind === 'reset') this.#lifts.get(frame.span)?.heard(frame)
      return
    }
    switch (frame.kind) {
      case 'claimed':
        if (!this.#owner.claimed(this, span, frame.revision)) span.break()
        return
      case 'data':
        span.data(frame.bytes)
        return
      case 'credit':
        span.credit(frame.bytes)
        return
      case 'end':
        span.farEnd()
        return
      case 'reset':
        span.close()
    }
  }
}
