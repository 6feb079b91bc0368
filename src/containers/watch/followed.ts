import type { MoveCause } from '../../transfer/messages/sights.ts'
import type { ConnectionHost, Frozen } from '../connection/connection-host.ts'
import type { Lookout } from './lookout.ts'

type Freeze = Parameters<ConnectionHost['offer']>[1]
type Settle = Parameters<ConnectionHost['offer']>[2]

/**
 * The two ends of an offer, which tell the lookout what becomes of the connection, and how long it takes.
 * Where nothing is watched they are what they were.
 */
export function followed(
  lookout: Lookout,
  cause: MoveCause,
  freeze: Freeze,
  settle: Settle,
): readonly [Freeze, Settle] {
  if (!lookout.watched) return [freeze, settle]
  const begun = lookout.now()
  let sent = begun
  let frozen: Frozen['envelope'] | undefined
  const note = (one: Frozen): Frozen => {
    sent = lookout.now()
    frozen = one.envelope
    return one
  }
  return [
    warm => {
      const made = freeze(warm)
      return made instanceof Promise ? made.then(note) : note(made)
    },
    (release, target) => {
      // A connection that ends instead is told of as such.
      if (frozen !== undefined && release.state !== 'ended') {
        const kind = release.state === 'owned' ? 'stayed' : target === undefined ? 'slept' : 'left'
        const times = { prepared: sent - begun, handed: lookout.now() - sent }
        lookout.note(kind, frozen, { cause, target, ...times })
      }
      settle(release, target)
    },
  ]
}
