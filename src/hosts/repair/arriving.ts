import type { Log } from '../../platform/log.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import { sockets } from '../../transfer/native/sockets.ts'
import type { Descriptor } from '../../transfer/stream.ts'
import { type Flow, flowOf } from '../../transfer/tcp/flow.ts'
import { isDeaf } from '../../transfer/tcp/hearing.ts'
import { decodeTcpState } from '../../transfer/tcp/state.ts'
import { reasonOf } from '../../wire/thrown.ts'
import type { Lift, Meeting } from '../meeting.ts'
import type { Carriage } from '../span.ts'
import type { Helper } from './helper.ts'
import { Signal } from './signal.ts'
import type { Steerer } from './steerer.ts'

type Heard = Parameters<Lift['heard']>[0]
type State = Extract<Heard, { kind: 'state' }>

/** Milliseconds for each word of the other host. */
const PATIENCE = 15_000
/** Milliseconds between two looks at a connection whose container says nothing, and how often. */
const LOOK = 1000
const LOOKS = 60

export interface ArrivingOwner {
  readonly helper: Helper
  readonly steerer: Steerer
  readonly clock: Clock
  readonly log: Log
  /** It has ended here, gone on, or never begun. */
  ended(arriving: Arriving): void
}

/** What there is for the container: a connection, or a span, or nothing. */
type Prepared = Descriptor | 'relay' | { readonly against: string }

/**
 * A TCP connection of another host that is made in this kernel. It is deaf until its container hears it, and
 * that is the moment from which it is here: a container that dies before has not begun with it.
 */
export class Arriving implements Carriage, Lift {
  readonly number: number
  readonly #meeting: Meeting
  readonly #owner: ArrivingOwner
  #state = new Signal<State | undefined>()
  readonly #steered = new Signal<boolean>()
  #made: Descriptor | undefined
  #flow: Flow | undefined
  #origin = ''
  #delivered = false
  /** When it is known whether its container has begun with it. */
  readonly judged = new Signal<boolean>()
  #judged = false
  #over = false
  /** The host that it came from cannot take it back. */
  #lost = false
  #timer: Timer | undefined

  /** @throws RangeError there is one of that number */
  constructor(number: number, meeting: Meeting, owner: ArrivingOwner) {
    meeting.admits(number)
    this.number = number
    this.#meeting = meeting
    this.#owner = owner
    meeting.lift(this)
  }

  /** Whether a container has it that has not said that it takes it. */
  get isWaiting(): boolean {
    return this.#delivered && !this.#judged
  }

  heard(frame: Heard): void {
    if (frame.kind === 'state') this.#state.give(frame)
    else if (frame.kind === 'steered') this.#steered.give(true)
    else if (frame.kind === 'reset') this.#giveUp()
    else throw new RangeError(`a frame of kind ${frame.kind} out of order`)
  }

  lost(): undefined {
    this.#lost = true
    this.#giveUp()
    this.look()
  }

  /** Its container cannot say any more whether it takes it. */
  look(): void {
    if (this.isWaiting) this.#watch(LOOKS)
  }

  #giveUp(): void {
    this.#state.give(undefined)
    this.#steered.give(false)
  }

  /** Makes it, when it has come. It never rejects. */
  async prepare(): Promise<Prepared> {
    const { helper, log } = this.#owner
    for (let attempt = 0; attempt < 2; attempt++) {
      const state = await this.#inTime(this.#state.promise, undefined)
      if (state === undefined) return this.#fail('its host does not say what it is')
      if (state.tcp.length === 0) {
        this.#meeting.landed(this)
        this.judged.give(false)
        this.#owner.ended(this)
        return 'relay'
      }
      this.#state = new Signal()
      this.#origin = state.origin
      try {
        if (helper.client === undefined) throw new Error('netd is not there')
        const tcp = decodeTcpState(state.tcp)
        this.#made = await helper.client.make(tcp)
        this.#flow = flowOf(this.#made.fd)
        return await this.#begin(this.#made, tcp.unsent)
      } catch (error) {
        if (this.#made !== undefined) {
          // It may speak already.
          await this.#hush(this.#made)
          return this.#fail(reasonOf(error))
        }
        log.warn({ reason: reasonOf(error) }, 'a connection cannot be made here')
        this.#meeting.send({ kind: 'unmade', span: this.number })
      }
    }
    return this.#fail('it came twice')
  }

  async #begin(made: Descriptor, unsent: Uint8Array): Promise<Prepared> {
    this.#meeting.send({ kind: 'made', span: this.number })
    if (!(await this.#inTime(this.#steered.promise, false))) return this.#fail('its host has taken it back')
    const { client } = this.#owner.helper
    if (client === undefined) return this.#fail('netd is not there')
    await client.speak(made)
    // There is room for it: netd has seen to that.
    if (unsent.length > 0 && sockets().send(made.fd, unsent) < unsent.length) {
      await this.#hush(made)
      return this.#fail('the kernel does not take what was to be sent')
    }
    this.#delivered = true
    return made
  }

  async #inTime<T>(promise: Promise<T>, otherwise: T): Promise<T> {
    let timer: Timer | undefined
    const late = new Promise<T>(resolve => {
      timer = this.#owner.clock.after(PATIENCE, () => resolve(otherwise))
    })
    return Promise.race([promise, late]).finally(() => timer?.stop())
  }

  #fail(against: string): Prepared {
    this.#end(false)
    this.judged.give(false)
    this.#made?.close()
    this.#owner.ended(this)
    return { against }
  }

  /** A container has it. */
  open(): void {
    if (!this.isWaiting) return
    this.#judged = true
    this.#end(true)
    this.judged.give(true)
    this.#made?.close()
    this.#stay()
  }

  close(): undefined {
    this.break()
  }

  /** The container does not take it, and has not begun with it. */
  break(): void {
    if (!this.isWaiting) return
    this.#judged = true
    this.#end(false)
    this.judged.give(false)
    const made = this.#made
    if (made !== undefined) void this.#hush(made).finally(() => made.close())
    if (this.#lost) this.#stay()
    else this.#owner.ended(this)
  }

  /** It counts as one that is here: when it has ended, or at once if it has, its origin is told. */
  #stay(): void {
    const { steerer } = this.#owner
    if (this.#flow === undefined) this.#owner.ended(this)
    else steerer.arrived({ flow: this.#flow, origin: this.#origin, over: () => this.#owner.ended(this) })
  }

  /** The container is dead. @returns whether it had begun to serve it */
  orphaned(): boolean {
    const begun = this.#made !== undefined && !isDeaf(this.#made.fd)
    if (begun) this.open()
    else this.break()
    return begun
  }

  /** No word of its container comes here any more: it is looked at instead. */
  #watch(looks: number): void {
    this.#timer = this.#owner.clock
      .after(LOOK, () => {
        if (this.isWaiting && (looks === 0 || !isDeaf(this.#made!.fd))) this.orphaned()
        else if (this.isWaiting) this.#watch(looks - 1)
      })
      .unref()
  }

  /** Silent again, so that to close it tells its client nothing. */
  async #hush(made: Descriptor): Promise<void> {
    const against = await this.#owner.helper.insist(client => client.hush(made))
    if (against !== undefined) this.#owner.log.warn({ reason: against }, 'a connection ends aloud')
  }

  #end(accepted: boolean): void {
    if (this.#over) return
    this.#over = true
    this.#timer?.stop()
    this.#meeting.landed(this)
    this.#meeting.send({ kind: 'settled', span: this.number, accepted })
  }
}
