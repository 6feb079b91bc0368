import type { Flags } from '../line/flags.ts'
import { TLS_FLAGS } from '../tls/flags.ts'
import { BREAKAGES } from './breakage.ts'

/** What `connect` takes. */
export const CONNECT_FLAGS = {
  servername: { kind: 'text', value: 'NAME', help: 'the name to ask for and to check; default: HOST' },
  ca: {
    kind: 'text',
    value: 'FILE',
    completes: 'file',
    help: "the authorities to trust, PEM; default: Node's roots",
  },
  insecure: { kind: 'switch', help: 'do not check the certificate' },
  cert: {
    kind: 'text',
    value: 'FILE',
    completes: 'file',
    help: 'certificate chain of the client, if the server asks for one, PEM',
  },
  key: { kind: 'text', value: 'FILE', completes: 'file', help: 'its private key, PEM' },
  ...TLS_FLAGS,
  'show-key-schedule': { kind: 'switch', help: 'print every secret of RFC 8446 §7.1' },
  'key-update': {
    kind: 'switch',
    help: 'change keys after the handshake, and ask the server to do the same',
  },
  dump: {
    kind: 'text',
    value: 'FILE',
    completes: 'file',
    help: 'write the session with its keys after the handshake, for inspect',
  },
  pcap: {
    kind: 'text',
    value: 'FILE',
    completes: 'file',
    help: 'write what goes to and fro, with its secrets, for Wireshark (pcapng)',
  },
  record: {
    kind: 'text',
    value: 'FILE',
    completes: 'file',
    help: 'write each record, message, secret and state as JSON, or as a page (.html)',
  },
  'key-shares': {
    kind: 'list',
    value: 'A,B',
    help: 'groups to send a share for; none: the server has to ask for one',
    mayBeEmpty: true,
  },
  break: {
    kind: 'text',
    among: BREAKAGES,
    help: 'harm the first bytes behind the handshake: see what the server says',
  },
  resume: { kind: 'switch', help: 'connect, wait for a ticket, and resume with it on a second connection' },
  stale: {
    kind: 'switch',
    help: 'offer the ticket when its time is over, which it waits for; needs --resume',
  },
  'early-data': {
    kind: 'text',
    value: 'FILE',
    completes: 'file',
    help: 'send this in the first flight of that connection; implies --resume',
  },
  quiet: { kind: 'switch', help: 'print only what the server sends' },
} as const satisfies Flags
