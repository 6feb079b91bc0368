import type { Envelope } from '../../transfer/envelope.ts'
import { extensionOf } from '../../transfer/extensions.ts'
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
  const leg = extensionOf(envelope, 'leg')
  if (leg !== undefined) return new Leg(owner, leg.received, renewing)
  const slot = extensionOf(envelope, 'slot')
  return slot && new Slot(owner, slot, renewing)
}
