import { DecodeError, decode } from '../../wire/index.ts'
import { reasonOf } from '../../wire/thrown.ts'
import type { Consignment, RefusalReason } from '../control.ts'
import { EnvelopeError } from '../envelope.ts'
import { Hibernated } from '../hibernated.ts'
import { TakeOver } from '../leg.ts'
import { openEnvelope, openReturn, type Parcel } from '../parcel.ts'
import { RelayedState } from '../relay-state.ts'
import { type SealAssociated, SealError, type Sealer } from '../seal.ts'
import type { Descriptor } from '../stream.ts'
import type { Return } from './return.ts'

/** What becomes of a connection that arrived: accepted if the receiver takes it, otherwise the reason. */
export type Arrival = { readonly reason: RefusalReason; readonly detail: string } | undefined

/**
 * What a process does with connections that arrive. Each handler takes the descriptors over and says
 * undefined, or refuses, and they are closed behind it. It may have answered the client already when it
 * returns: the source is frozen until the verdict, which is sent then.
 */
export interface ConsignmentHandlers {
  parcel(parcel: Parcel, from: number): Arrival
  /** A connection whose owner has died. Without this, they are refused. */
  takeOver?(takeOver: TakeOver, session: SealAssociated, descriptor: Descriptor): Arrival
  /** A connection that another gateway has relayed. Without this, they are refused. */
  relayed?(
    state: RelayedState,
    session: SealAssociated,
    descriptors: readonly [client: Descriptor, leg: Descriptor],
    from: number,
  ): Arrival
  /** A connection that comes back to its socket and its keys. Without this, they are refused. */
  returned?(state: Return, session: SealAssociated, from: number): Arrival
  /** A connection whose function goes to sleep, or sleeps. Without this, they are refused. */
  hibernated?(state: Hibernated, session: SealAssociated, descriptor: Descriptor, from: number): Arrival
  /** The same connection, whose client has spoken. Without this, they are refused. */
  thawed?(state: Hibernated, session: SealAssociated, descriptor: Descriptor): Arrival
}

/** How many descriptors come with one; with a parcel, those of its upstreams besides. */
export const DESCRIPTORS_OF = {
  parcel: 1,
  takeOver: 1,
  relayed: 2,
  return: 0,
  hibernate: 1,
  thaw: 1,
} as const satisfies Record<Consignment['kind'], number>

/**
 * Opens what carries a connection, and gives it to its handler.
 * @param strange told of what cannot be restored, although it was sealed for us
 * @returns why it was not taken; then its descriptors are still to be closed
 */
export function openConsignment(
  sealer: Sealer,
  handlers: ConsignmentHandlers,
  from: number,
  message: Consignment,
  descriptors: readonly Descriptor[],
  strange: (reason: string) => void,
): Arrival {
  const [first, second] = descriptors
  if (descriptors.length < DESCRIPTORS_OF[message.kind])
    return { reason: 'descriptor', detail: 'the parcel came without its connection' }
  try {
    if (message.kind === 'parcel') {
      const envelope = openEnvelope(sealer, from, message, message.sealed)
      const companions = descriptors.slice(1)
      const live = envelope.upstreams.filter(upstream => upstream.live).length
      if (live !== companions.length)
        return { reason: 'descriptor', detail: `${companions.length} connections for ${live} upstreams` }
      return handlers.parcel({ envelope, descriptor: first!, companions }, from)
    }
    if (message.kind === 'return') {
      const { returned: take } = handlers
      const state = openReturn(sealer, from, message, message.sealed)
      return take === undefined ? noTaker('keeps nothing of connections') : take(state, message, from)
    }
    const opened = sealer.open(from, message, message.sealed)
    if (message.kind === 'takeOver') {
      const { takeOver: take } = handlers
      const state = decode(TakeOver, opened)
      return take === undefined ? noTaker('takes over no connections') : take(state, message, first!)
    }
    if (message.kind === 'hibernate') {
      const { hibernated: take } = handlers
      const state = decode(Hibernated, opened)
      return take === undefined ? noTaker('keeps no connections') : take(state, message, first!, from)
    }
    if (message.kind === 'thaw') {
      const { thawed: take } = handlers
      const state = decode(Hibernated, opened)
      return take === undefined ? noTaker('takes no connections up') : take(state, message, first!)
    }
    const { relayed: take } = handlers
    const state = decode(RelayedState, opened)
    return take === undefined
      ? noTaker('relays no connections')
      : take(state, message, [first!, second!], from)
  } catch (error) {
    if (error instanceof SealError) {
      return { reason: error.reason === 'stale' ? 'stale' : 'seal', detail: error.message.slice(0, 255) }
    }
    // Whatever else it is, this one connection has brought it along: it stays where it is, and all others
    // are none the wiser.
    if (!(error instanceof EnvelopeError || error instanceof DecodeError))
      strange(`a connection that cannot be restored: ${reasonOf(error)}`)
    return { reason: 'malformed', detail: reasonOf(error).slice(0, 255) }
  }
}

function noTaker(what: string): Arrival {
  return { reason: 'role', detail: `this process ${what}` }
}
