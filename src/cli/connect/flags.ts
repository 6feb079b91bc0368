import type { Flags } from '../flags.ts'
import { TLS_FLAGS } from '../tls-flags.ts'

/** What `connect` takes. */
export const CONNECT_FLAGS = {
  servername: { kind: 'text', value: 'NAME', help: 'the name to ask for and to check; HOST unless told' },
  ca: { kind: 'text', value: 'FILE', help: "whom to trust, PEM; Node's roots unless told" },
  insecure: { kind: 'switch', help: 'trust anybody' },
  cert: { kind: 'text', value: 'FILE', help: 'our certificate chain, for servers that ask, PEM' },
  key: { kind: 'text', value: 'FILE', help: 'its private key, PEM' },
  ...TLS_FLAGS,
  'show-key-schedule': { kind: 'switch', help: 'every secret of RFC 8446 §7.1' },
  'key-update': { kind: 'switch', help: 'change keys after the handshake, and ask the server to' },
  resume: { kind: 'switch', help: 'connect, wait for a ticket, and go on in a second connection' },
  'early-data': {
    kind: 'text',
    value: 'FILE',
    help: 'send this in the first flight of that connection; implies --resume',
  },
  quiet: { kind: 'switch', help: 'only what the server sends' },
  help: { kind: 'switch', help: 'this text' },
} as const satisfies Flags
