import { concat, EMPTY, fromHex } from '../../../src/wire/index.ts'
import { twice, withBytes, without, withValue } from '../../support/reshape.ts'
import {
  hello,
  type Reshaped,
  refusedByServers,
  refusedInTheMiddle,
  secondHello,
  withMessage,
} from './refusals.ts'

/* What a ClientHello must not say, of versions, suites, compression and extensions as such. */

/** What is no version of TLS. */
const OBSOLETE = [0x0300, 0x02ff, 0x0200, 0x0002, 0x0000]

refusedByServers([
  ...OBSOLETE.map(
    (legacyVersion): Reshaped => [
      'Appendix D.5',
      'protocol_version',
      'obsolete_version',
      `a ClientHello with legacy_version 0x${legacyVersion.toString(16)}`,
      hello(() => ({ legacyVersion })),
    ],
  ),
  [
    'Appendix D.5',
    'protocol_version',
    'obsolete_version',
    'a second ClientHello with the legacy_version of SSL 3.0',
    secondHello(() => ({ legacyVersion: 0x0300 })),
    { peer: () => ({ keyShares: [] }) },
  ],
  [
    'Appendix D.5',
    'protocol_version',
    'obsolete_version',
    'a ClientHello of SSL 3.0, which has no extensions',
    hello(() => ({ legacyVersion: 0x0300, extensions: [] })),
  ],
  [
    '§4.2.1',
    'protocol_version',
    'no_common_version',
    'a ClientHello without supported_versions',
    hello(m => without(m, 'supported_versions')),
    { origin: 'configuration' },
  ],
  [
    '§4.1.2',
    'protocol_version',
    'no_common_version',
    'a ClientHello without any extensions',
    hello(() => ({ extensions: [] })),
    { origin: 'configuration' },
  ],
  [
    '§4.2.1',
    'protocol_version',
    'no_common_version',
    'supported_versions without TLS 1.3',
    hello(m => withValue(m, 'CH', 'supported_versions', [0x0303, 0x0302])),
    { origin: 'configuration' },
  ],
  [
    '§4.2.1',
    'decode_error',
    'malformed_extension',
    'an empty supported_versions',
    hello(m => withBytes(m, 'supported_versions', fromHex('00'))),
  ],
  [
    '§4.1.2',
    'illegal_parameter',
    'compression_offered',
    'a compression method beside null',
    hello(() => ({ legacyCompressionMethods: fromHex('0001') })),
  ],
  [
    '§4.1.2',
    'illegal_parameter',
    'compression_offered',
    'compression without null',
    hello(() => ({ legacyCompressionMethods: fromHex('01') })),
  ],
  [
    '§4.1.1',
    'handshake_failure',
    'no_common_cipher_suite',
    'no cipher suite of ours',
    hello(() => ({ cipherSuites: [0x1304, 0xc02f, 0x0a0a] })),
    { origin: 'configuration' },
  ],
  [
    '§4.2',
    'illegal_parameter',
    'duplicate_extension',
    'an extension twice',
    hello(m => twice(m, 'supported_groups')),
  ],
  [
    '§4.2',
    'illegal_parameter',
    'duplicate_extension',
    'an unknown extension twice',
    hello(({ extensions }) => {
      const unknown = { extensionType: 0xfafa, extensionData: EMPTY }
      return { extensions: [unknown, ...extensions, unknown] }
    }),
  ],
  [
    '§4.2',
    'illegal_parameter',
    'misplaced_extension',
    'an extension that belongs into a CertificateRequest',
    hello(m => withBytes(m, 'oid_filters', fromHex('0000'))),
  ],
  [
    '§4.2',
    'decode_error',
    'malformed_extension',
    'bytes behind the value of an extension',
    hello(m => withBytes(m, 'supported_versions', fromHex('02030400'))),
  ],
  [
    '§4.2.2',
    'decode_error',
    'malformed_extension',
    'an empty cookie',
    hello(m => withBytes(m, 'cookie', fromHex('0000'))),
  ],
  [
    '§4.2.10',
    'decode_error',
    'malformed_extension',
    'early_data with content',
    hello(m => withBytes(m, 'early_data', fromHex('00000000'))),
  ],
])

refusedInTheMiddle([
  [
    '§4.1.2',
    'decode_error',
    'malformed_message',
    'bytes behind the extensions of a ClientHello',
    ['server'],
    ['START'],
    scene => withMessage(scene, message => concat(message, fromHex('00'))),
  ],
  [
    '§4.1.2',
    'decode_error',
    'malformed_message',
    'a ClientHello that ends within an extension',
    ['server'],
    ['START', 'WAIT_SECOND_CLIENT_HELLO'],
    scene => withMessage(scene, message => message.slice(0, -1)),
  ],
  // behind version and random: the length, 32 bytes, and one more
  [
    '§4.1.2',
    'decode_error',
    'malformed_message',
    'a session id of 33 bytes',
    ['server'],
    ['START'],
    scene =>
      withMessage(scene, m =>
        concat(m.slice(0, 34), fromHex('21'), m.slice(35, 67), fromHex('00'), m.slice(67)),
      ),
  ],
  [
    '§4.1.2',
    'decode_error',
    'malformed_message',
    'no cipher suites at all',
    ['server'],
    ['START'],
    scene => withMessage(scene, m => concat(m.slice(0, 67), fromHex('0000'), m.slice(67 + 2 + 6))),
  ],
  [
    '§4.1.2',
    'decode_error',
    'malformed_message',
    'no compression methods at all',
    ['server'],
    ['START'],
    scene => withMessage(scene, m => concat(m.slice(0, 75), fromHex('00'), m.slice(77))),
  ],
])
