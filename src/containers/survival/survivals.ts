import type { Envelope } from '../../transfer/envelope.ts'
import { slotOf } from '../../transfer/slot.ts'
import { Leg } from './leg.ts'
import { Slot } from './slot.ts'
import type { Survival, SurvivalOwner } from './survival.ts'

/**
 * How a connection that has arrived outlives this container; undefined if it does not.
 * @param renewing the owner before us has died
 */
export function survivalOf(
  owner: SurvivalOwner,
  envelope: Envelope,
  renewing: boolean,
): Survival | undefined {
  const received = Leg.receivedOf(envelope)
  if (received !== undefined) return new Leg(owner, received, renewing)
  const slot = slotOf(envelope)
  return slot && new Slot(owner, slot, renewing)
}
