import type { Log } from '../../platform/log.ts'
import { NetdError } from '../../platform/netd/client.ts'
import type { Descriptor } from '../../transfer/stream.ts'
import type { Flow } from '../../transfer/tcp/flow.ts'
import { encodeTcpState, QUEUE_LIMIT } from '../../transfer/tcp/state.ts'
import { EMPTY } from '../../wire/index.ts'
import { reasonOf } from '../../wire/thrown.ts'
import type { Lift, Meeting } from '../meeting.ts'
import type { Carriage } from '../span.ts'
import type { Helper } from './helper.ts'
import { Signal } from './signal.ts'
import type { Steerer } from './steerer.ts'

type Heard = Parameters<Lift['heard']>[0]

export interface LeavingOwner {
  readonly helper: Helper
  readonly steerer: Steerer
  readonly log: Log
  /** Whether that claim is newer than all before. */
  admits(revision: number): boolean
  /** It goes by a span after all; the descriptor is the owner's again. */
  relayed(leaving: Leaving, descriptor: Descriptor): void
  /** It stays, and the container that offered it is to be told. */
  kept(leaving: Leaving, reason: string): void
  /** It has gone, or is given back. */
  ended(leaving: Leaving): void
}

/** How it ended: it went, it stays, or it goes by a span. */
type Outcome = { readonly how: 'gone' | 'back' | 'relay' } | { readonly how: 'kept'; readonly reason: string }

/**
 * A TCP connection that leaves this kernel for that of another host. Until the other host is told to begin,
 * it can be taken back at any moment; from then on, that host says what becomes of it.
 */
export class Leaving implements Carriage, Lift {
  readonly number: number
  /** When it has gone, or hears and speaks here again. */
  readonly done: Promise<void>
  readonly #meeting: Meeting
  readonly #descriptor: Descriptor
  readonly #flow: Flow
  readonly #owner: LeavingOwner
  readonly #claimed = new Signal<'claimed' | undefined>()
  readonly #made = new Signal<boolean | undefined>()
  readonly #settled = new Signal<boolean | undefined>()
  #taken = false
  #turned = false
  /** The other host may begin. */
  #begun = false
  #withdrawn = false
  #gone = false
  /** Why it was taken back, if its container is to hear that from us. */
  #reason: string | undefined

  constructor(meeting: Meeting, descriptor: Descriptor, flow: Flow, owner: LeavingOwner) {
    this.number = meeting.next()
    this.#meeting = meeting
    this.#descriptor = descriptor
    this.#flow = flow
    this.#owner = owner
    this.done = this.#leave().catch((error: unknown) =>
      owner.log.error({ err: error }, 'a connection is lost'),
    )
  }

  /** The other host has it, as far as is known. */
  get gone(): boolean {
    return this.#gone
  }

  heard(frame: Heard): void {
    if (frame.kind === 'claimed') {
      if (this.#owner.admits(frame.revision)) this.#claimed.give('claimed')
      else this.abandon('another host has claimed it since')
    } else if (frame.kind === 'made') this.#made.give(true)
    else if (frame.kind === 'unmade') this.#made.give(false)
    else if (frame.kind === 'settled') this.#settle(frame.accepted)
    else if (frame.kind !== 'reset') throw new RangeError(`a frame of kind ${frame.kind} out of order`)
  }

  lost(): Promise<void> | undefined {
    // Whether that host has begun is not known: the container that has offered it ends it.
    if (this.#begun) this.#settled.give(undefined)
    else this.abandon('that host is lost')
    return this.done
  }

  /** Nothing has begun with it elsewhere, and nothing is to. */
  abandon(reason: string): void {
    if (this.#begun || this.#withdrawn) return
    this.#meeting.send({ kind: 'reset', span: this.number })
    this.#reason = reason
    this.#settle(false)
  }

  /** The word of the container, which comes behind that of its host. */
  open(): void {}

  /** It is refused. Its host has spoken of it before, but for one that could not be claimed. */
  close(): Promise<void> {
    if (!this.#begun) this.#settle(false)
    return this.done
  }

  break(): void {
    this.abandon('it is broken off')
  }

  #settle(accepted: boolean): void {
    if (!accepted) this.#withdrawn = true
    for (const one of [this.#claimed, this.#made]) one.give(undefined)
    this.#settled.give(accepted)
  }

  async #leave(): Promise<void> {
    const outcome = await this.#steps()
    const { steerer } = this.#owner
    this.#meeting.landed(this)
    if (outcome.how === 'gone') {
      this.#gone = true
      this.#descriptor.close()
      steerer.left(this.#flow)
      this.#owner.ended(this)
      return
    }
    await this.#giveBack()
    if (outcome.how === 'relay' && !this.#withdrawn) {
      this.#owner.relayed(this, this.#descriptor)
      this.#meeting.send({ kind: 'state', span: this.number, origin: '-', tcp: EMPTY })
      return
    }
    this.#descriptor.close()
    const reason = outcome.how === 'kept' ? outcome.reason : this.#reason
    if (reason !== undefined) this.#owner.kept(this, reason)
    this.#owner.ended(this)
  }

  async #steps(): Promise<Outcome> {
    const { helper, steerer, log } = this.#owner
    if ((await this.#claimed.promise) === undefined) return { how: 'back' }
    const { client } = helper
    if (client === undefined) return { how: 'relay' }
    let tcp: Uint8Array
    try {
      const state = await client.take(this.#descriptor)
      this.#taken = true
      if (state.unsent.length + state.sent.length > QUEUE_LIMIT / 4) return { how: 'relay' }
      tcp = encodeTcpState(state)
    } catch (error) {
      if (!(error instanceof NetdError)) throw error
      log.warn({ reason: error.message }, 'a connection cannot go itself')
      // It may have been taken before netd died.
      this.#taken = error.outcome === 'unknown'
      return { how: 'relay' }
    }
    if (this.#withdrawn) return { how: 'back' }
    const origin = steerer.originOf(this.#flow)
    this.#meeting.send({ kind: 'state', span: this.number, origin, tcp })
    const made = await this.#made.promise
    if (made === undefined) return { how: 'back' }
    if (!made) return { how: 'relay' }
    try {
      this.#turned = true
      await steerer.turn(this.#flow, this.#meeting.host)
    } catch (error) {
      if (this.#withdrawn) return { how: 'back' }
      this.#meeting.send({ kind: 'reset', span: this.number })
      return { how: 'kept', reason: reasonOf(error) }
    }
    if (this.#withdrawn) return { how: 'back' }
    this.#begun = true
    this.#meeting.send({ kind: 'steered', span: this.number })
    return (await this.#settled.promise) === false ? { how: 'back' } : { how: 'gone' }
  }

  /** It hears and speaks here again. */
  async #giveBack(): Promise<void> {
    const { helper, steerer, log } = this.#owner
    if (this.#turned) {
      const back = await steerer.back(this.#flow)
      if (back !== undefined) log.error({ reason: back }, 'a connection that is back is not steered here')
    }
    if (!this.#taken) return
    const against = await helper.insist(client => client.wake(this.#descriptor))
    if (against !== undefined) log.warn({ reason: against }, 'a connection that is back was not woken')
  }
}
