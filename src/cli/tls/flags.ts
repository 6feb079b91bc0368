import { PROVIDERS } from '../../tls13/crypto/provider-names.ts'
import type { Flags, FlagValues } from '../line/flags.ts'

/** What `serve` and `connect` have in common. */
export const TLS_FLAGS = {
  alpn: { kind: 'list', value: 'A,B', help: 'protocols to offer or accept, in order of preference' },
  groups: {
    kind: 'list',
    value: 'A,B',
    help: 'key exchange groups, in order; default: X25519MLKEM768 first',
    mayBeEmpty: true,
  },
  suites: { kind: 'list', value: 'A,B', help: 'cipher suites, in order', mayBeEmpty: true },
  provider: { kind: 'text', among: PROVIDERS, help: 'whose cryptography' },
  psk: { kind: 'text', value: 'HEX', help: 'a pre-shared key; needs --psk-identity' },
  'psk-identity': { kind: 'text', value: 'TEXT', help: 'its name' },
  'cert-compression': {
    kind: 'list',
    value: 'zlib,brotli',
    among: ['zlib', 'brotli'],
    help: 'compress certificates (RFC 8879)',
  },
  'record-size-limit': {
    kind: 'text',
    value: 'BYTES',
    help: 'the largest records to accept, 64 to 16385 (RFC 8449)',
  },
  trace: {
    kind: 'switch',
    help: 'print every record, message, secret and key as it comes; secrets are shown',
  },
  'extended-key-update': {
    kind: 'switch',
    help: 'offer, or take, keys that are made anew by key exchanges (a draft)',
  },
  'key-log': {
    kind: 'text',
    value: 'FILE',
    completes: 'file',
    help: 'append all secrets, for Wireshark; SSLKEYLOGFILE does the same',
  },
} as const satisfies Flags

export type TlsFlags = FlagValues<typeof TLS_FLAGS>
