import type { Bell, Timer } from './clock.ts'

/** A level has 32 slots, so that one integer says which of them are in use. */
const BITS = 5
const SLOTS = 1 << BITS
/** The slots of the levels are 1 ms, 32 ms, 1 s, 33 s and 17 minutes long. */
const LEVELS = 5
/** Milliseconds from now of the last slot; what is later is looked at then, and put in again. */
const REACH = SLOTS ** LEVELS - 1

/**
 * How much later than it should a timer may ring: a part of its delay, and so many milliseconds at most, a
 * power of two.
 */
const SLACK = { part: 16, most: 16 } as const

/** What has to be known of the world around. */
export interface WheelOptions {
  /** Milliseconds of a clock that only goes forward, fractions included. */
  readonly now: () => number
  /** The wheel has to be {@link TimerWheel.turn}ed at that moment, which is earlier than was known. */
  readonly wake: (at: number) => void
  /** There are timers that the process lives for, or there are none any more. */
  readonly hold?: (held: boolean) => void
  /** Rings in the millisecond that was asked for: more wake-ups, as tests may want them. */
  readonly exact?: boolean
}

/**
 * All timers of one process, without asking the machine for any. Arming and stopping one changes some
 * numbers and links: nothing is made, however often a timer is used.
 *
 * A timer hangs in the slot of the moment when it is looked at next, which is never after its own, but may be
 * before: slots of the higher levels are long, and a timer that is put off stays where it is. One that is
 * found too early is hung anew. So a timer that every request puts off costs it no more than to write a
 * number.
 *
 * A timer never rings early. It may ring late by a sixteenth of its delay, at most by 16 ms, so that those of
 * many connections ring together.
 */
export class TimerWheel {
  readonly #options: WheelOptions
  readonly #exact: boolean
  readonly #slots: readonly Place[]
  /** By level: a bit for each slot with timers. The last one is of what is no slot. */
  readonly #used = new Int32Array(LEVELS + 1)
  /** What is to ring in this turn. */
  readonly #due = new Place(LEVELS, 0)
  /** The moment until which everything has rung. */
  #now: number
  /** When {@link WheelOptions.wake} was told to come. */
  #wakes = Infinity
  #size = 0
  #held = 0

  constructor(options: WheelOptions) {
    this.#options = options
    this.#exact = options.exact === true
    this.#now = Math.floor(options.now())
    this.#slots = Array.from({ length: LEVELS * SLOTS }, (_, i) => new Place(i >> BITS, i & (SLOTS - 1)))
  }

  /** Timers that are going to ring. */
  get size(): number {
    return this.#size
  }

  /** Makes a timer that is not armed. */
  timer(bell: Bell): Timer {
    return new WheelTimer(this, bell)
  }

  /** Makes one that rings once, so many milliseconds from now. */
  after(milliseconds: number, ring: () => void): Timer {
    return new WheelTimer(this, ring).after(milliseconds)
  }

  /** Makes one that rings again and again. */
  every(milliseconds: number, ring: () => void): Timer {
    return new WheelTimer(this, ring, milliseconds).after(milliseconds)
  }

  /** The moment when the wheel has to be turned; Infinity: no timer is armed. */
  get next(): number {
    let next = Infinity
    for (let level = 0; level < LEVELS; level++) {
      const used = this.#used[level]!
      if (used === 0) continue
      const length = 1 << (level * BITS)
      const here = Math.floor(this.#now / length)
      // What hangs in the slot of this very moment is there for the time when it comes round again.
      const first = (here + 1) & (SLOTS - 1)
      const ahead = (used >>> first) | (first === 0 ? 0 : used << (SLOTS - first))
      next = Math.min(next, (here + 1 + lowest(ahead)) * length)
    }
    return next
  }

  /**
   * Rings what is due. @throws whatever a timer throws: the others ring when the wheel is turned again, which
   * it asks for
   */
  turn(): void {
    const until = Math.floor(this.#options.now())
    // Until it is known when to wake up next, no timer that is armed meanwhile moves the time.
    this.#wakes = 0
    try {
      this.#ring()
      for (let next = this.next; next <= until; next = this.next) {
        this.#now = next
        this.#look(next)
        this.#ring()
      }
      this.#now = Math.max(this.#now, until)
    } finally {
      this.#wakes = Infinity
      const next = this.#due.next === this.#due ? this.next : this.#now + 1
      if (next < Infinity) this.#wake(next)
    }
  }

  /** Has a timer of this wheel ring at that moment. */
  arm(timer: WheelTimer, at: number, now: number): void {
    if (!timer.armed) {
      timer.armed = true
      this.#size++
      if (!timer.free) this.#hold(1)
    }
    const grain = this.#exact ? 1 : grainOf(at - now)
    timer.due = Math.ceil(at / grain) * grain
    // It is looked at in time where it hangs.
    if (timer.hung && timer.looked <= timer.due) return
    unlink(timer, this.#used)
    // Nothing hangs before the moment when we wake up: then time has passed without anything to do.
    if (now < this.#wakes) this.#now = Math.max(this.#now, Math.floor(now))
    this.#hang(timer)
  }

  /** It does not ring any more. */
  disarm(timer: WheelTimer): void {
    if (!timer.armed) return
    timer.armed = false
    timer.hung = false
    unlink(timer, this.#used)
    this.#size--
    if (!timer.free) this.#hold(-1)
  }

  /** The process does not live for that timer any more. */
  free(timer: WheelTimer): void {
    if (timer.armed && !timer.free) this.#hold(-1)
    timer.free = true
  }

  /** Milliseconds of the clock, fractions included. */
  get now(): number {
    return this.#options.now()
  }

  #hold(change: 1 | -1): void {
    const before = this.#held
    this.#held += change
    if (before === 0 || this.#held === 0) this.#options.hold?.(this.#held > 0)
  }

  #wake(at: number): void {
    this.#wakes = at
    this.#options.wake(at)
  }

  /** Hangs a timer in the slot in which it is looked at next. */
  #hang(timer: WheelTimer): void {
    const now = this.#now
    const ahead = Math.min(Math.max(timer.due - now, 1), REACH)
    const level = Math.floor((31 - Math.clz32(ahead)) / BITS)
    const length = 1 << (level * BITS)
    const slot = Math.floor((now + ahead) / length)
    const index = slot & (SLOTS - 1)
    timer.hung = true
    timer.looked = slot * length
    link(timer, this.#slots[level * SLOTS + index]!)
    this.#used[level]! |= 1 << index
    if (timer.looked < this.#wakes) this.#wake(timer.looked)
  }

  /** Empties the slots that begin at that moment: what is due rings next, and the rest is hung anew. */
  #look(at: number): void {
    for (let level = LEVELS - 1; level >= 0; level--) {
      const length = 1 << (level * BITS)
      if (at % length !== 0) continue
      const slot = this.#slots[level * SLOTS + (Math.floor(at / length) & (SLOTS - 1))]!
      // One that is hung anew may come into this very slot again, for its next round.
      const last = slot.previous
      for (let done = slot.next === slot; !done; ) {
        const timer = slot.next as WheelTimer
        done = timer === last
        unlink(timer, this.#used)
        if (timer.due > at) this.#hang(timer)
        else {
          // Put off from now on, it must not stay where it is.
          timer.hung = false
          link(timer, this.#due)
        }
      }
    }
  }

  #ring(): void {
    for (let first = this.#due.next; first !== this.#due; first = this.#due.next) {
      const timer = first as WheelTimer
      this.disarm(timer)
      if (timer.period !== undefined) timer.after(timer.period)
      const { bell } = timer
      if (typeof bell === 'function') bell()
      else bell.ring()
    }
  }
}

/** A place in a ring of timers: the slot that they hang in, and each of them. */
class Place {
  /** Of the slot. */
  readonly level: number
  readonly index: number
  next: Place = this
  previous: Place = this

  constructor(level: number, index: number) {
    this.level = level
    this.index = index
  }
}

class WheelTimer extends Place implements Timer {
  readonly #wheel: TimerWheel
  readonly bell: Bell
  readonly period: number | undefined
  armed = false
  /** The process does not live for it. */
  free = false
  /** It hangs in a slot that is looked at at the moment `looked`. */
  hung = false
  looked = 0
  /** When it rings. */
  due = 0

  constructor(wheel: TimerWheel, bell: Bell, period?: number) {
    super(LEVELS, 0)
    this.#wheel = wheel
    this.bell = bell
    this.period = period
  }

  after(milliseconds: number): this {
    const now = this.#wheel.now
    // NaN is no delay either.
    this.#wheel.arm(this, now + Math.max(1, milliseconds || 1), now)
    return this
  }

  at(at: number): this {
    this.#wheel.arm(this, at, this.#wheel.now)
    return this
  }

  stop(): void {
    this.#wheel.disarm(this)
  }

  unref(): this {
    this.#wheel.free(this)
    return this
  }
}

function link(timer: WheelTimer, slot: Place): void {
  const last = slot.previous
  last.next = timer
  timer.previous = last
  timer.next = slot
  slot.previous = timer
}

/** Takes a timer out of its ring, if it is in one. @param used where a slot says that it is empty now */
function unlink(timer: WheelTimer, used: Int32Array): void {
  const { next, previous } = timer
  next.previous = previous
  previous.next = next
  // Only the slot itself is left.
  if (next === previous) used[next.level]! &= ~(1 << next.index)
  timer.next = timer
  timer.previous = timer
}

/** The milliseconds that the moments of timers with that delay are whole multiples of: a power of two. */
function grainOf(delay: number): number {
  let grain: number = SLACK.most
  while (grain > 1 && delay < grain * SLACK.part) grain >>= 1
  return grain
}

/** The number of the lowest bit. */
function lowest(bits: number): number {
  return 31 - Math.clz32(bits & -bits)
}
