import { NamedGroup } from '../../../src/tls13/codepoints.ts'
import { fromHex } from '../../../src/wire/index.ts'
import { withBytes, without, withValue } from '../../support/reshape.ts'
import {
  hello,
  refusedByClients,
  refusedByServers,
  serverHello,
  sharesOf,
  UNNAMED_GROUP,
} from './refusals.ts'

/* What neither hello may say of groups and key shares. */

const { x25519, secp256r1, secp384r1 } = NamedGroup
const share = (group: number, bytes: string) =>
  hello(m => withValue(m, 'CH', 'key_share', [{ group, keyExchange: fromHex(bytes) }]))

refusedByServers([
  [
    '§9.2',
    'missing_extension',
    'unpaired_key_share',
    'supported_groups without key_share',
    hello(m => without(m, 'key_share')),
  ],
  // 4.2.8 would blame the share as well; 9.2 names the alert
  [
    '§9.2',
    'missing_extension',
    'unpaired_key_share',
    'key_share without supported_groups',
    hello(m => without(m, 'supported_groups')),
  ],
  [
    '§9.2',
    'missing_extension',
    'missing_mandatory_extension',
    'neither supported_groups nor key_share nor pre_shared_key',
    hello(m => without(without(m, 'supported_groups'), 'key_share')),
  ],
  [
    '§4.1.1',
    'handshake_failure',
    'no_common_group',
    'no group of ours',
    hello(m => ({
      ...withValue(withValue(m, 'CH', 'supported_groups', [UNNAMED_GROUP]), 'CH', 'key_share', []),
    })),
    { origin: 'configuration' },
  ],
  [
    '§4.2.7',
    'decode_error',
    'malformed_extension',
    'an odd number of bytes in supported_groups',
    hello(m => withBytes(m, 'supported_groups', fromHex('0003001d00'))),
  ],
  [
    '§4.2.8',
    'illegal_parameter',
    'key_share_without_group',
    'a key share for a group that is not in supported_groups',
    hello(m => withValue(m, 'CH', 'supported_groups', [secp256r1])),
  ],
  [
    '§4.2.8',
    'illegal_parameter',
    'duplicate_key_share',
    'two key shares for one group',
    hello(m => withValue(m, 'CH', 'key_share', [...sharesOf(m), ...sharesOf(m)])),
  ],
  [
    '§4.2.8.2',
    'illegal_parameter',
    'invalid_key_share',
    'an x25519 share of 31 bytes',
    share(x25519, '09'.repeat(31)),
  ],
  [
    '§4.2.8.2',
    'illegal_parameter',
    'invalid_key_share',
    'an x25519 share of 33 bytes',
    share(x25519, '09'.repeat(33)),
  ],
  [
    '§7.4.2',
    'illegal_parameter',
    'invalid_key_share',
    'an x25519 share that makes the secret all zeros',
    share(x25519, '00'.repeat(32)),
  ],
  [
    '§4.2.8.2',
    'illegal_parameter',
    'invalid_key_share',
    'a P-256 share that is no point',
    share(secp256r1, `04${'11'.repeat(64)}`),
  ],
  [
    '§4.2.8.2',
    'illegal_parameter',
    'invalid_key_share',
    'a P-256 share in compressed form',
    share(secp256r1, `02${'11'.repeat(32)}`),
  ],
  [
    '§4.2.8.2',
    'illegal_parameter',
    'invalid_key_share',
    'the point at infinity as a P-256 share',
    share(secp256r1, '00'),
  ],
  [
    '§4.2.8.2',
    'illegal_parameter',
    'invalid_key_share',
    'a P-384 share of the length of P-256',
    share(secp384r1, `04${'11'.repeat(64)}`),
  ],
  [
    '§4.2.8',
    'decode_error',
    'malformed_extension',
    'a key share without bytes',
    hello(m => withBytes(m, 'key_share', fromHex('0004001d0000'))),
  ],
])

refusedByClients([
  [
    '§4.1.1',
    'missing_extension',
    'missing_key_share',
    'a ServerHello without key_share',
    serverHello(m => without(m, 'key_share')),
  ],
  [
    '§4.2.8',
    'illegal_parameter',
    'key_share_for_unsent_group',
    'a key share for a group that we sent none for',
    serverHello(m =>
      withValue(m, 'SH', 'key_share', { group: secp256r1, keyExchange: fromHex(`04${'11'.repeat(64)}`) }),
    ),
  ],
  [
    '§4.2.8',
    'illegal_parameter',
    'key_share_for_unsent_group',
    'a key share for a group that we do not know',
    serverHello(m =>
      withValue(m, 'SH', 'key_share', { group: UNNAMED_GROUP, keyExchange: new Uint8Array(9) }),
    ),
  ],
  [
    '§4.2.8.2',
    'illegal_parameter',
    'invalid_key_share',
    'an x25519 share of 31 bytes',
    serverHello(m =>
      withValue(m, 'SH', 'key_share', { group: x25519, keyExchange: new Uint8Array(31).fill(9) }),
    ),
  ],
  [
    '§7.4.2',
    'illegal_parameter',
    'invalid_key_share',
    'an x25519 share that makes the secret all zeros',
    serverHello(m => withValue(m, 'SH', 'key_share', { group: x25519, keyExchange: new Uint8Array(32) })),
  ],
  [
    '§4.2.8',
    'decode_error',
    'malformed_extension',
    'the key_share of a HelloRetryRequest in a ServerHello',
    serverHello(m => withBytes(m, 'key_share', fromHex('001d'))),
  ],
])
