import { concat, EMPTY, fromHex } from '../../../src/wire/index.ts'
import { twice, withBytes, without, withValue } from '../../support/reshape.ts'
import {
  type Reshaped,
  refusedByClients,
  refusedInTheMiddle,
  retry,
  serverHello,
  withMessage,
} from './refusals.ts'

/* What a ServerHello must not say, of versions, suites, compression and extensions as such. */

/** TLS 1.2, and the end of the random says whether the server could do better. */
const downgraded = (mark: string) =>
  serverHello(m => ({
    ...without(m, 'supported_versions'),
    random: concat(m.random.subarray(0, 24), fromHex(mark)),
  }))

/** What is no version of TLS. */
const OBSOLETE = [0x0300, 0x02ff, 0x0002, 0x0000]

refusedByClients([
  ...OBSOLETE.map(
    (legacyVersion): Reshaped => [
      'Appendix D.5',
      'protocol_version',
      'obsolete_version',
      `a ServerHello with legacy_version 0x${legacyVersion.toString(16)}`,
      serverHello(() => ({ legacyVersion })),
    ],
  ),
  [
    'Appendix D.5',
    'protocol_version',
    'obsolete_version',
    'a HelloRetryRequest with the legacy_version of SSL 3.0',
    retry(() => ({ legacyVersion: 0x0300 })),
    { subject: () => ({ keyShares: [] }) },
  ],
  [
    'Appendix D.5',
    'protocol_version',
    'obsolete_version',
    'a ServerHello of SSL 3.0, which has no extensions',
    serverHello(() => ({ legacyVersion: 0x0300, extensions: [] })),
  ],
  [
    '§4.1.3',
    'illegal_parameter',
    'wrong_legacy_version',
    'a ServerHello with another legacy_version',
    serverHello(() => ({ legacyVersion: 0x0304 })),
  ],
  [
    '§4.2.1',
    'protocol_version',
    'no_common_version',
    'a ServerHello of TLS 1.2',
    serverHello(m => without(m, 'supported_versions')),
    { origin: 'configuration' },
  ],
  [
    '§4.2.1',
    'protocol_version',
    'no_common_version',
    'a ServerHello of TLS 1.2 with the extensions of its time',
    serverHello(() => ({
      legacySessionIdEcho: fromHex('aa'),
      cipherSuite: 0xc02f,
      extensions: [
        { extensionType: 0xff01, extensionData: fromHex('00') },
        { extensionType: 0, extensionData: EMPTY },
        { extensionType: 16, extensionData: fromHex('0003026832') },
      ],
    })),
    { origin: 'configuration' },
  ],
  [
    '§4.2.1',
    'protocol_version',
    'no_common_version',
    'a ServerHello without extensions',
    serverHello(() => ({ extensions: [] })),
    { origin: 'configuration' },
  ],
  [
    '§4.1.3',
    'illegal_parameter',
    'downgrade',
    'a ServerHello of TLS 1.2 whose random ends in 444f574e47524401',
    downgraded('444f574e47524401'),
  ],
  [
    '§4.1.3',
    'illegal_parameter',
    'downgrade',
    'a ServerHello of TLS 1.2 whose random ends in 444f574e47524400',
    downgraded('444f574e47524400'),
  ],
  [
    '§4.2.1',
    'illegal_parameter',
    'version_not_offered',
    'a ServerHello that selects TLS 1.2 in supported_versions',
    serverHello(m => withValue(m, 'SH', 'supported_versions', 0x0303)),
  ],
  [
    '§4.2.1',
    'decode_error',
    'malformed_extension',
    'a ServerHello with a list in supported_versions',
    serverHello(m => withBytes(m, 'supported_versions', fromHex('020304'))),
  ],
  [
    '§4.1.3',
    'illegal_parameter',
    'session_id_not_echoed',
    'a session id that is not echoed',
    serverHello(() => ({ legacySessionIdEcho: EMPTY })),
  ],
  [
    '§4.1.3',
    'illegal_parameter',
    'session_id_not_echoed',
    'another session id',
    serverHello(m => ({
      legacySessionIdEcho: m.legacySessionIdEcho.with(0, m.legacySessionIdEcho[0]! ^ 1),
    })),
  ],
  [
    '§4.1.3',
    'illegal_parameter',
    'cipher_suite_not_offered',
    'a cipher suite that was not offered',
    serverHello(() => ({ cipherSuite: 0x1304 })),
  ],
  [
    '§4.1.3',
    'illegal_parameter',
    'compression_selected',
    'a compression method',
    serverHello(() => ({ legacyCompressionMethod: 1 })),
  ],
  [
    '§4.2',
    'unsupported_extension',
    'unrequested_extension',
    'an unknown extension in a ServerHello',
    serverHello(m => withBytes(m, 0xff01, fromHex('00'))),
  ],
  [
    'RFC 8701 §3.1',
    'unsupported_extension',
    'unrequested_extension',
    'the extension of a reserved number in a ServerHello',
    serverHello(m => withBytes(m, 0x1a1a, EMPTY)),
  ],
  [
    '§4.2',
    'illegal_parameter',
    'misplaced_extension',
    'an extension in a ServerHello that belongs into EncryptedExtensions',
    serverHello(m => withBytes(m, 'server_name', EMPTY)),
  ],
  [
    '§4.2',
    'illegal_parameter',
    'duplicate_extension',
    'an extension twice in a ServerHello',
    serverHello(m => twice(m, 'key_share')),
  ],
])

refusedInTheMiddle([
  [
    '§4.1.3',
    'decode_error',
    'malformed_message',
    'bytes behind the extensions of a ServerHello',
    ['client'],
    ['WAIT_SH'],
    scene => withMessage(scene, message => concat(message, fromHex('00'))),
  ],
])
