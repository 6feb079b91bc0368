import { type Envelope, FORMAT_VERSION } from '../../transfer/envelope.ts'
import { trifleValue, waitsValues, writeExtensions } from '../../transfer/extensions.ts'
import { NO_APPLICATION } from '../protocol/choice.ts'
import type { Protocol } from '../protocol/protocol.ts'
import type { Survival } from '../survival/survival.ts'
import type { Outlet } from './outlet.ts'
import type { ConnectionTimers } from './timers.ts'

/** What there is to pack of one connection. */
export interface Packed {
  readonly sessionId: Uint8Array
  readonly hops: number
  readonly timers: ConnectionTimers
  readonly protocol: Protocol
  readonly out: Outlet
  /** What is to be told on of the client. */
  readonly toldAddress: string | undefined
  readonly survival: Survival | undefined
}

/** All that a connection is, as a value; of a protocol in the middle of something, nothing. */
export function pack(
  { sessionId, hops, timers, protocol, out, toldAddress, survival }: Packed,
  generation: number,
  tls: Envelope['tls'],
): Envelope {
  const carried = survival?.extensions
  const { quiet } = protocol
  const waits = quiet ? waitsValues(timers.export()) : undefined
  return {
    formatVersion: FORMAT_VERSION,
    sessionId,
    generation,
    hops,
    idleLeft: timers.idleLeft,
    tls,
    application: quiet ? protocol.export() : (protocol.covered ?? NO_APPLICATION),
    extensions: writeExtensions({
      leg: carried?.leg,
      slot: carried?.slot,
      timers: waits?.timers,
      rates: waits?.rates,
      trifles: trifleValue(out.session?.trifles),
      client: toldAddress === undefined ? undefined : { remoteAddress: toldAddress },
    }),
    upstreams: [],
  }
}
