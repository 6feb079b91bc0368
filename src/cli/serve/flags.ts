import type { Flags } from '../line/flags.ts'
import { TLS_FLAGS } from '../tls/flags.ts'

/** What `serve` takes. */
export const SERVE_FLAGS = {
  port: { kind: 'text', value: 'PORT', help: 'the port to listen on; default: 4433; 0: any free port' },
  host: { kind: 'text', value: 'ADDRESS', help: 'the address to listen on; default: 127.0.0.1' },
  cert: {
    kind: 'list',
    value: 'FILE',
    completes: 'file',
    help: 'certificate chain, PEM; several with a --key each: the server name decides',
  },
  key: { kind: 'list', value: 'FILE', completes: 'file', help: 'its private key, PEM' },
  mtls: { kind: 'text', value: 'none|request|require', help: 'ask clients for a certificate' },
  'client-ca': {
    kind: 'text',
    value: 'FILE',
    completes: 'file',
    help: 'the authorities that may vouch for clients, PEM',
  },
  'early-data': {
    kind: 'text',
    value: 'BYTES',
    help: 'most early data in one handshake; default: 0, none',
  },
  tickets: { kind: 'text', value: 'N', help: 'tickets after a handshake; default: 2; 0: no resumption' },
  'ticket-seconds': { kind: 'text', value: 'N', help: 'how long a ticket is good; default: 7200' },
  pcap: {
    kind: 'text',
    value: 'FILE',
    completes: 'file',
    help: 'write at its end what went to and fro, with secrets, for Wireshark',
  },
  record: {
    kind: 'text',
    value: 'FILE',
    completes: 'file',
    help: 'write each record, message, secret and state as JSON, or as a page (.html)',
  },
  memory: {
    kind: 'text',
    value: 'BYTES',
    help: 'what all connections may hold together; default: 134217728; 0: no limit',
  },
  ...TLS_FLAGS,
} as const satisfies Flags
