import { EMPTY, fromHex } from '../../../src/wire/index.ts'
import { twice, withBytes } from '../../support/reshape.ts'
import { encrypted, refusedByClients } from './refusals.ts'

/* What EncryptedExtensions must not say. */

refusedByClients([
  [
    '§4.2',
    'unsupported_extension',
    'unrequested_extension',
    'EncryptedExtensions with something that was not offered',
    encrypted(m => withBytes(m, 'record_size_limit', fromHex('4001'))),
  ],
  [
    '§4.2.10',
    'unsupported_extension',
    'unrequested_extension',
    'EncryptedExtensions with early_data that was not offered',
    encrypted(m => withBytes(m, 'early_data', EMPTY)),
  ],
  [
    '§4.3.1',
    'illegal_parameter',
    'misplaced_extension',
    'EncryptedExtensions with an extension of the ServerHello',
    encrypted(m => withBytes(m, 'supported_versions', fromHex('0304'))),
  ],
  [
    '§4.3.1',
    'illegal_parameter',
    'misplaced_extension',
    'EncryptedExtensions with signature_algorithms',
    encrypted(m => withBytes(m, 'signature_algorithms', fromHex('00020807'))),
  ],
  [
    '§4.2',
    'illegal_parameter',
    'duplicate_extension',
    'EncryptedExtensions with an extension twice',
    encrypted(m => twice(m, 'server_name')),
  ],
])
