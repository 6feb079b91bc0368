import { concat, EMPTY, fromHex, utf8 } from '../../../src/wire/index.ts'
import type { Scene } from '../../support/scene.ts'
import {
  BOTH,
  firstFragment,
  flipped,
  HALF_KEY_UPDATE,
  HANDSHAKE,
  KEY_UPDATE,
  recordWith,
  refusedInTheMiddle,
} from './refusals.ts'

/* What may not be wrong with records, alerts and ChangeCipherSpec, and where messages end in them. */

/** Where records are not protected yet. */
const PLAIN = ['START', 'WAIT_SECOND_CLIENT_HELLO', 'WAIT_SH'] as const
/** Where they are. */
const SEALED = ['WAIT_FINISHED', 'CONNECTED', 'WAIT_EE', 'WAIT_CERT_CR', 'WAIT_CERT', 'WAIT_CV'] as const
const EVERYWHERE = [...PLAIN, ...SEALED]
/** Where a ChangeCipherSpec may come. */
const ALLOWED = ['WAIT_SH', 'WAIT_SECOND_CLIENT_HELLO', 'WAIT_EE', 'WAIT_FINISHED'] as const

/** A record of another type, its content in hexadecimal, inside a handshake message. */
const interrupted =
  (type: number, content: string) =>
  (scene: Scene): Uint8Array => {
    const seal = scene.writer()
    return concat(seal(HANDSHAKE, HALF_KEY_UPDATE), seal(type, fromHex(content)))
  }

refusedInTheMiddle([
  [
    '§5',
    'unexpected_message',
    'unknown_record_type',
    'a record of an unknown type',
    BOTH,
    EVERYWHERE,
    () => fromHex('1803030001ff'),
  ],
  [
    '§5',
    'unexpected_message',
    'unknown_record_type',
    'the first byte of something that is not TLS',
    BOTH,
    EVERYWHERE,
    () => utf8('G'),
  ],
  [
    '§5.1',
    'record_overflow',
    'record_too_long',
    'a record that is longer than allowed, as soon as its header is there',
    BOTH,
    PLAIN,
    () => fromHex('1603034001'),
  ],
  [
    '§5.2',
    'record_overflow',
    'record_too_long',
    'a protected record that is longer than allowed, as soon as its header is there',
    BOTH,
    SEALED,
    () => fromHex('1703034101'),
  ],
  [
    '§5.2',
    'record_overflow',
    'record_too_long',
    'a protected record with 2^14 + 1 bytes of content',
    BOTH,
    ['CONNECTED'],
    scene => scene.writer()(23, new Uint8Array(2 ** 14 + 1).fill(1)),
  ],
  [
    '§5.4',
    'record_overflow',
    'record_too_long',
    'a protected record that padding makes too long',
    BOTH,
    ['CONNECTED'],
    scene => scene.writer()(23, new Uint8Array(2 ** 14).fill(1), 1),
  ],
  [
    '§5.1',
    'unexpected_message',
    'empty_fragment',
    'an empty handshake record',
    BOTH,
    EVERYWHERE,
    scene => scene.writer()(HANDSHAKE, EMPTY),
  ],
  [
    '§5.4',
    'unexpected_message',
    'empty_fragment',
    'an empty protected alert',
    BOTH,
    SEALED,
    scene => scene.writer()(21, EMPTY),
  ],
  [
    '§6',
    'decode_error',
    'malformed_alert',
    'an alert of 1 bytes',
    BOTH,
    EVERYWHERE,
    scene => scene.writer()(21, fromHex('02')),
  ],
  [
    '§6',
    'decode_error',
    'malformed_alert',
    'an alert of 3 bytes',
    BOTH,
    EVERYWHERE,
    scene => scene.writer()(21, fromHex('022800')),
  ],
  [
    '§6',
    'decode_error',
    'malformed_alert',
    'an alert of 4 bytes',
    BOTH,
    EVERYWHERE,
    scene => scene.writer()(21, fromHex('01000100')),
  ],
  [
    '§5.4',
    'unexpected_message',
    'missing_content_type',
    'a record of padding alone',
    BOTH,
    SEALED,
    scene => scene.writer()(0, EMPTY, 16),
  ],
  [
    '§5.2',
    'unexpected_message',
    'unexpected_content_type',
    'a protected record of a type that does not exist',
    BOTH,
    SEALED,
    scene => scene.writer()(24, fromHex('01')),
  ],
  [
    '§5.2',
    'bad_record_mac',
    'undecryptable_record',
    'a protected record with a wrong tag',
    BOTH,
    SEALED,
    scene => flipped(scene.writer()(HANDSHAKE, KEY_UPDATE), -1),
  ],
  [
    '§5.2',
    'bad_record_mac',
    'undecryptable_record',
    'a protected record with a changed header',
    BOTH,
    SEALED,
    scene => flipped(scene.writer()(HANDSHAKE, KEY_UPDATE), 2),
  ],
  [
    '§5.2',
    'bad_record_mac',
    'undecryptable_record',
    'a protected record shorter than its tag',
    BOTH,
    SEALED,
    () => fromHex(`170303000f${'00'.repeat(15)}`),
  ],
  [
    '§5.2',
    'bad_record_mac',
    'undecryptable_record',
    'an empty protected record',
    BOTH,
    SEALED,
    () => fromHex('1703030000'),
  ],
  [
    '§5.3',
    'bad_record_mac',
    'undecryptable_record',
    'a record for the second time',
    BOTH,
    ['CONNECTED'],
    scene => {
      const record = scene.writer()(23, fromHex('01'))
      return concat(record, record)
    },
  ],
  [
    '§5.3',
    'bad_record_mac',
    'undecryptable_record',
    'records in another order',
    BOTH,
    ['CONNECTED'],
    scene => {
      const seal = scene.writer()
      const first = seal(23, fromHex('01'))
      return concat(seal(23, fromHex('02')), first)
    },
  ],
  [
    '§5',
    'unexpected_message',
    'data_during_handshake',
    'a protected record before there are keys',
    BOTH,
    PLAIN,
    () => fromHex(`1703030020${'aa'.repeat(32)}`),
  ],
  [
    '§5',
    'unexpected_message',
    'unprotected_record',
    'a handshake record without protection',
    BOTH,
    SEALED,
    () => concat(fromHex('1603030005'), KEY_UPDATE),
  ],
  [
    '§6',
    'unexpected_message',
    'unprotected_record',
    'an alert without protection on an established connection',
    BOTH,
    ['CONNECTED'],
    () => fromHex('15030300020100'),
  ],
  [
    '§5',
    'unexpected_message',
    'misplaced_change_cipher_spec',
    'a ChangeCipherSpec before the first ClientHello',
    ['server'],
    ['START'],
    () => fromHex('140303000101'),
  ],
  [
    '§5',
    'unexpected_message',
    'misplaced_change_cipher_spec',
    'a ChangeCipherSpec after the handshake',
    BOTH,
    ['CONNECTED'],
    () => fromHex('140303000101'),
  ],
  [
    '§5',
    'unexpected_message',
    'misplaced_change_cipher_spec',
    'a ChangeCipherSpec of nothing',
    BOTH,
    ALLOWED,
    () => fromHex('1403030000'),
  ],
  [
    '§5',
    'unexpected_message',
    'misplaced_change_cipher_spec',
    'a ChangeCipherSpec of 00',
    BOTH,
    ALLOWED,
    () => fromHex('140303000100'),
  ],
  [
    '§5',
    'unexpected_message',
    'misplaced_change_cipher_spec',
    'a ChangeCipherSpec of 02',
    BOTH,
    ALLOWED,
    () => fromHex('140303000102'),
  ],
  [
    '§5',
    'unexpected_message',
    'misplaced_change_cipher_spec',
    'a ChangeCipherSpec of 0101',
    BOTH,
    ALLOWED,
    () => fromHex('14030300020101'),
  ],
  [
    '§5',
    'unexpected_message',
    'unexpected_content_type',
    'a protected ChangeCipherSpec',
    BOTH,
    SEALED,
    scene => scene.writer()(20, fromHex('01')),
  ],
  [
    '§5.1',
    'unexpected_message',
    'interrupted_message',
    'a ChangeCipherSpec inside a handshake message',
    BOTH,
    ['WAIT_SECOND_CLIENT_HELLO', 'WAIT_SH', 'WAIT_EE', 'WAIT_FINISHED'],
    scene => concat(scene.writer()(HANDSHAKE, HALF_KEY_UPDATE), fromHex('140303000101')),
  ],
  [
    '§5.1',
    'unexpected_message',
    'interrupted_message',
    'application data inside a handshake message',
    BOTH,
    ['CONNECTED'],
    interrupted(23, '01'),
  ],
  [
    '§5.1',
    'unexpected_message',
    'interrupted_message',
    'an alert inside a handshake message',
    BOTH,
    EVERYWHERE,
    interrupted(21, '0100'),
  ],
  [
    '§5.1',
    'unexpected_message',
    'interrupted_message',
    'another message behind a KeyUpdate in its record',
    BOTH,
    ['CONNECTED'],
    scene => scene.handshake(KEY_UPDATE, KEY_UPDATE),
  ],
  [
    '§5.1',
    'unexpected_message',
    'interrupted_message',
    'half a message behind a KeyUpdate in its record',
    BOTH,
    ['CONNECTED'],
    scene => scene.handshake(KEY_UPDATE, HALF_KEY_UPDATE),
  ],
  [
    '§5.1',
    'unexpected_message',
    'interrupted_message',
    'another message behind a Finished in its record',
    BOTH,
    ['WAIT_FINISHED'],
    scene => withBehind(scene, KEY_UPDATE),
  ],
  [
    '§5.1',
    'unexpected_message',
    'interrupted_message',
    'half a message behind the hello in its record',
    BOTH,
    ['START', 'WAIT_SH'],
    scene => withBehind(scene, HALF_KEY_UPDATE),
  ],
  [
    '§4',
    'decode_error',
    'message_too_long',
    'a handshake message beyond our limit, as soon as its header is there',
    BOTH,
    EVERYWHERE,
    scene => scene.handshake(fromHex('0b010001')),
  ],
])

/** The first record of the peer, with more bytes behind its message. */
function withBehind(scene: Scene, more: Uint8Array): Uint8Array {
  const { subject, genuine } = scene
  const { read } = subject.trafficKeys()
  if (read === undefined) return recordWith(concat(firstFragment(genuine), more))
  return scene.handshake(openedFirst(scene), more)
}

/** The content of the first protected record that the peer would send. */
function openedFirst(scene: Scene): Uint8Array {
  return scene.open(scene.genuine.subarray(scene.genuine[0] === 20 ? 6 : 0))
}
