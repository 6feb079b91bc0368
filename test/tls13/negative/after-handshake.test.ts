import { concat, EMPTY, fromHex } from '../../../src/wire/index.ts'
import { ticketSealer } from '../../support/pair.ts'
import { reshape } from '../../support/reshape.ts'
import { BOTH, HANDSHAKE, KEY_UPDATE, refusedByClients, refusedInTheMiddle } from './refusals.ts'

/* What may not be wrong with tickets and KeyUpdates. */

const issuing = { peer: () => ({ tickets: { sealer: ticketSealer() } }) }

refusedByClients([
  [
    '§4.6.1',
    'illegal_parameter',
    'ticket_lifetime_too_long',
    'a ticket for more than seven days',
    reshape('new_session_ticket', () => ({ ticketLifetime: 604_801 })),
    issuing,
  ],
  [
    '§4.2',
    'illegal_parameter',
    'duplicate_extension',
    'a ticket with an extension twice',
    reshape('new_session_ticket', () => ({
      extensions: new Array(2).fill({ extensionType: 42, extensionData: new Uint8Array(4) }),
    })),
    issuing,
  ],
  [
    '§4.2',
    'illegal_parameter',
    'misplaced_extension',
    'a ticket with an extension that belongs elsewhere',
    reshape('new_session_ticket', () => ({ extensions: [{ extensionType: 0, extensionData: EMPTY }] })),
    issuing,
  ],
  [
    '§4.2.10',
    'decode_error',
    'malformed_extension',
    'a ticket with early_data of two bytes',
    reshape('new_session_ticket', () => ({
      extensions: [{ extensionType: 42, extensionData: new Uint8Array(2) }],
    })),
    issuing,
  ],
])

refusedInTheMiddle([
  [
    '§4.6.3',
    'bad_record_mac',
    'undecryptable_record',
    'a record under the old key behind a KeyUpdate',
    BOTH,
    ['CONNECTED'],
    scene => {
      const seal = scene.writer()
      return concat(seal(HANDSHAKE, KEY_UPDATE), seal(23, fromHex('01')))
    },
  ],
  [
    '§4.6.3',
    'illegal_parameter',
    'unknown_key_update_request',
    'an unknown request in a KeyUpdate',
    BOTH,
    ['CONNECTED'],
    scene => scene.handshake(fromHex('1800000102')),
  ],
  [
    '§4.6.3',
    'decode_error',
    'malformed_message',
    'an empty KeyUpdate',
    BOTH,
    ['CONNECTED'],
    scene => scene.handshake(fromHex('18000000')),
  ],
  [
    '§4.6.3',
    'decode_error',
    'malformed_message',
    'a KeyUpdate of two bytes',
    BOTH,
    ['CONNECTED'],
    scene => scene.handshake(fromHex('180000020000')),
  ],
  [
    '§4.6.1',
    'decode_error',
    'malformed_message',
    'an empty ticket',
    ['client'],
    ['CONNECTED'],
    scene => scene.handshake(fromHex(`0400000d${'00'.repeat(8)}00${'0000'}${'0000'}`)),
  ],
])
