import type { SessionState } from '../../tls13/state.ts'
import { opaque, optional, struct, type TypeOf, uint16, uint32, uint64, vector } from '../../wire/index.ts'
import { ApplicationState, type Envelope, EnvelopeExtension } from '../envelope.ts'

/**
 * A connection that goes back to the container that it came from: what has changed since. That container has
 * kept a duplicate of the socket and the keys, so that neither travels.
 */
export const Return = struct('Return', {
  hops: uint16,
  idleLeft: uint32,
  /** Absent on a connection without TLS. */
  records: optional(
    struct('RecordPosition', {
      /** Numbers of the next record to be opened, and to be sealed. */
      read: uint64,
      write: uint64,
      /** Received, and not opened. */
      inbound: opaque(0, 2 ** 24 - 1),
    }),
  ),
  application: ApplicationState,
  extensions: vector(EnvelopeExtension, 0, 2 ** 16 - 1),
})
export type Return = TypeOf<typeof Return>

/** What of an envelope is to be said to the container that has kept the rest. */
export function returnOf({ hops, idleLeft, tls, application, extensions }: Envelope): Return {
  return { hops, idleLeft, records: tls && positionOf(tls), application, extensions }
}

function positionOf({ read, write, inboundRecords }: SessionState): NonNullable<Return['records']> {
  return { read: read!.sequenceNumber, write: write!.sequenceNumber, inbound: inboundRecords }
}
