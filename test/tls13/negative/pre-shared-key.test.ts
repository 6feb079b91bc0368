import { describe, expect, it } from 'vitest'
import { node } from '../../../src/tls13/crypto/node.ts'
import { fromHex } from '../../../src/wire/index.ts'
import { ticketSealer } from '../../support/pair.ts'
import { withBytes, without, withValue } from '../../support/reshape.ts'
import { serverScene } from '../../support/scene.ts'
import { flipped, hello, refusedByClients, refusedByServers, serverHello, ticket } from './refusals.ts'

/* What neither hello may say of pre-shared keys. */

const psk = (identities: number, ...binders: number[]) => ({
  identities: new Array(identities).fill({ identity: fromHex('0102'), obfuscatedTicketAge: 0 }),
  binders: binders.map(length => new Uint8Array(length)),
})

refusedByServers([
  [
    '§4.2.3',
    'missing_extension',
    'missing_signature_algorithms',
    'an unusable PSK, and no signature_algorithms for a certificate',
    hello(m => withValue(without(m, 'signature_algorithms'), 'CH', 'pre_shared_key', psk(1, 32))),
  ],
  [
    '§4.2.11',
    'illegal_parameter',
    'psk_not_last',
    'pre_shared_key that is not the last extension',
    hello(m => {
      const { extensions } = withValue(m, 'CH', 'pre_shared_key', psk(1, 32))
      return { extensions: [extensions.at(-1)!, ...extensions.slice(0, -1)] }
    }),
  ],
  [
    '§4.2.9',
    'missing_extension',
    'missing_psk_modes',
    'pre_shared_key without psk_key_exchange_modes',
    hello(m => withValue(without(m, 'psk_key_exchange_modes'), 'CH', 'pre_shared_key', psk(1, 32))),
  ],
  [
    '§4.2.11',
    'illegal_parameter',
    'binder_count_mismatch',
    'more identities than binders',
    hello(m => withValue(m, 'CH', 'pre_shared_key', psk(2, 32))),
  ],
  [
    '§4.2.11',
    'illegal_parameter',
    'binder_count_mismatch',
    'more binders than identities',
    hello(m => withValue(m, 'CH', 'pre_shared_key', psk(1, 32, 32))),
  ],
  [
    '§4.2.11',
    'decode_error',
    'malformed_extension',
    'a binder of 31 bytes',
    hello(m => withBytes(m, 'pre_shared_key', fromHex(`00070001aa00000000${'0020'}1f${'00'.repeat(31)}`))),
  ],
  [
    '§4.2.11',
    'decode_error',
    'malformed_extension',
    'pre_shared_key without an identity',
    hello(m => withBytes(m, 'pre_shared_key', fromHex(`0000${'0021'}20${'00'.repeat(32)}`))),
  ],
  [
    '§4.2.9',
    'decode_error',
    'malformed_extension',
    'an empty psk_key_exchange_modes',
    hello(m => withBytes(m, 'psk_key_exchange_modes', fromHex('00'))),
  ],
])

refusedByClients([
  [
    '§4.2',
    'unsupported_extension',
    'unrequested_extension',
    'pre_shared_key that was not offered',
    serverHello(m => withValue(m, 'SH', 'pre_shared_key', 0)),
  ],
  [
    '§4.2.11',
    'illegal_parameter',
    'psk_not_offered',
    'the index of a PSK that was not offered',
    serverHello(m => withValue(m, 'SH', 'pre_shared_key', 1)),
    { subject: () => ({ resume: ticket() }), peer: () => ({ tickets: { sealer: ticketSealer() } }) },
  ],
  [
    '§4.2.11',
    'illegal_parameter',
    'psk_hash_mismatch',
    'a PSK with a cipher suite of another hash',
    serverHello(m => withValue(m, 'SH', 'pre_shared_key', 0)),
    {
      subject: () => ({ resume: ticket() }),
      peer: () => ({
        provider: { ...node, cipherSuites: node.cipherSuites.filter(({ id }) => id === 0x1302) },
      }),
    },
  ],
  [
    '§4.2.11',
    'bad_record_mac',
    'undecryptable_record',
    'a PSK whose key the server does not have',
    serverHello(m => withValue(m, 'SH', 'pre_shared_key', 0)),
    { subject: () => ({ resume: ticket() }) },
  ],
])

describe('a PSK binder that does not fit', () => {
  const resuming = () => {
    const { scene } = serverScene({ tickets: { sealer: ticketSealer() } }, { resume: ticket() })
    return scene
  }

  it('§4.2.11: is decrypt_error', () => {
    const scene = resuming()
    expect(scene.provoke(flipped(scene.genuine, -1)).alert).toBe('decrypt_error')
  })

  it('§4.2.11.2: so is one over another hello', () => {
    const scene = resuming()
    // the last byte of the client's random
    expect(scene.provoke(flipped(scene.genuine, 5 + 4 + 2 + 31)).alert).toBe('decrypt_error')
  })

  it('and without a change the same hello resumes', () => {
    const scene = resuming()
    expect(scene.provoke(scene.genuine)).toMatchObject({ events: [], alert: undefined })
    expect(scene.subject.inspect().resumed).toBe(true)
  })
})
