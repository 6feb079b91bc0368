import { ONLY_FOR } from './migration-figures.ts'

/**
 * The figures that each bench can have, so that a name is judged before anything is measured. Which of them a
 * result has depends on what was asked for; `npm run test:long` holds what each bench draws against this.
 */
export const NAMES: Readonly<Record<string, readonly string[]>> = {
  migration: Object.keys(ONLY_FOR),
  record: [
    'record-openssl',
    'record-connection-round-trip',
    'record-connection-bulk',
    'record-connection-sender',
    'record-connection-receiver',
  ],
  handshake: ['handshake-rate', 'handshake-cpu'],
  http: ['http-rate', 'http-cpu', 'http-alone'],
  relay: ['relay-round-trip', 'relay-bulk'],
  failover: [
    'failover-answered',
    'failover-answered-distribution',
    'failover-all',
    'failover-limit',
    'failover-cover-response',
    'failover-cover-cpu',
  ],
  memory: ['memory-resident', 'memory-anonymous', 'memory-javascript'],
  pieces: ['pieces-cpu', 'pieces-delay'],
}
