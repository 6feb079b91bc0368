import type { Flags } from '../flags.ts'
import { TLS_FLAGS } from '../tls-flags.ts'

/** What `serve` takes. */
export const SERVE_FLAGS = {
  port: { kind: 'text', value: 'PORT', help: 'where to listen; 4433 unless told, 0 for any' },
  host: { kind: 'text', value: 'ADDRESS', help: 'on which address; 127.0.0.1 unless told' },
  cert: { kind: 'list', value: 'FILE', help: 'certificate chain, PEM; several, each with its --key' },
  key: { kind: 'list', value: 'FILE', help: 'its private key, PEM' },
  mtls: { kind: 'text', value: 'none|request|require', help: 'ask clients for a certificate' },
  'client-ca': { kind: 'text', value: 'FILE', help: 'who may vouch for clients, PEM' },
  'early-data': {
    kind: 'text',
    value: 'BYTES',
    help: 'early data taken in one handshake; 0, none, unless told',
  },
  tickets: { kind: 'text', value: 'N', help: 'tickets after a handshake; 2 unless told, 0: no resumption' },
  memory: {
    kind: 'text',
    value: 'BYTES',
    help: 'that all connections may hold together; 134217728 unless told, 0: no limit',
  },
  ...TLS_FLAGS,
  help: { kind: 'switch', help: 'this text' },
} as const satisfies Flags
