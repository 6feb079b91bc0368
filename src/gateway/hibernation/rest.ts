/**
 * Where one connection stands whose function sleeps. `waking`: its client has spoken, and it is being offered
 * to a container, or waits for its turn. `leaving`: it is being offered to another gateway. `gone`: a
 * container has it, or that gateway. `over`: it is closed.
 */
export type RestState = 'resting' | 'waking' | 'leaving' | 'gone' | 'over'
export type RestEvent = 'spoken' | 'offered' | 'taken' | 'returned' | 'ended'

/**
 * The life of such a connection in a gateway. `spoken`: a byte, or the end of its client. `taken`: what it
 * was offered to has accepted it. `returned`: that has not had it, and it rests on. `ended`: its
 * client is gone, its time is over, or it is unknown which process has it. What is not in the table changes
 * nothing: so no connection is woken twice.
 */
export const REST: Readonly<Record<RestState, Readonly<Partial<Record<RestEvent, RestState>>>>> = {
  resting: { spoken: 'waking', offered: 'leaving', ended: 'over' },
  waking: { taken: 'gone', returned: 'resting', ended: 'over' },
  leaving: { taken: 'gone', returned: 'resting', ended: 'over' },
  gone: {},
  over: {},
}

/** @returns undefined if that changes nothing */
export function nextRest(state: RestState, event: RestEvent): RestState | undefined {
  return REST[state][event]
}
