import { describe, expect, it } from 'vitest'
import type { AlertName } from '../../../src/tls13/alert.ts'
import { ContentType, NamedGroup } from '../../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig } from '../../../src/tls13/config.ts'
import { hybridGroups, mlKem768 } from '../../../src/tls13/crypto/hybrid.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import type { KeyExchangeGroup } from '../../../src/tls13/crypto/provider.ts'
import { KeyShareEntry } from '../../../src/tls13/extensions.ts'
import type { TlsReason } from '../../../src/tls13/reasons.ts'
import { concat, EMPTY, encode, fromHex, hex, utf8 } from '../../../src/wire/index.ts'
import { certificateOf, ed25519Identity, trusting } from '../../support/identity.ts'
import { connectedPair, createPair, outputOf, type Pair, recordsOf } from '../../support/pair.ts'
import { reshape, withBytes } from '../../support/reshape.ts'
import { Scene } from '../../support/scene.ts'
import { EXTENDING, extendingPair, generationOf, updateMessage } from '../../support/updating.ts'

/* What a peer may not do with extended key updates, and what becomes of the session that it does it to. */

type Role = 'client' | 'server'
const OTHER = { client: 'server', server: 'client' } as const
const ROLES = ['client', 'server'] as const

const share = (keyExchange: Uint8Array, group: number = NamedGroup.x25519): Uint8Array =>
  encode(KeyShareEntry, { group, keyExchange })
/** A share that is a good one. */
const good = (): Uint8Array =>
  share(node.groups.find(({ id }) => id === NamedGroup.x25519)!.generate(node.random).keyExchange)
const request = (content = good()): Uint8Array => updateMessage(0, content)
const response = (content = good()): Uint8Array => updateMessage(1, content)
const FINISH = updateMessage(2, EMPTY)

/** A session in a stage of an exchange, and a hand that writes what its peer could. */
function sceneIn(stage: 'idle' | 'WAIT_RESPONSE' | 'RESPONSE_OWED' | 'WAIT_FINISH', role: Role): Scene {
  const pair = extendingPair()
  const subject = pair[role]
  const peer = pair[OTHER[role]]
  if (stage === 'WAIT_RESPONSE') {
    subject.updateKeys(false)
    outputOf(subject)
  } else if (stage !== 'idle') {
    peer.updateKeys(false)
    subject.receive(outputOf(peer))
    if (stage === 'WAIT_FINISH') outputOf(subject)
  }
  return new Scene(subject, [])
}

const key_update = fromHex('1800000100')
type Row = readonly [
  what: string,
  alert: AlertName,
  reason: TlsReason,
  stage: Parameters<typeof sceneIn>[0],
  messages: () => readonly Uint8Array[],
]

const ROWS: readonly Row[] = [
  ['a KeyUpdate', 'unexpected_message', 'key_update_not_allowed', 'idle', () => [key_update]],
  [
    'a KeyUpdate while we wait',
    'unexpected_message',
    'key_update_not_allowed',
    'WAIT_RESPONSE',
    () => [key_update],
  ],
  [
    'a subtype that there is not',
    'unexpected_message',
    'unknown_extended_key_update',
    'idle',
    () => [updateMessage(3, EMPTY)],
  ],
  [
    'the last subtype',
    'unexpected_message',
    'unknown_extended_key_update',
    'WAIT_FINISH',
    () => [updateMessage(255, good())],
  ],
  ['no subtype', 'decode_error', 'malformed_message', 'idle', () => [fromHex('fa000000')]],
  ['a request without a share', 'decode_error', 'malformed_bytes', 'idle', () => [request(EMPTY)]],
  [
    'a request with a share cut short',
    'decode_error',
    'malformed_bytes',
    'idle',
    () => [request(good().slice(0, -1))],
  ],
  [
    'a request with a byte too many',
    'decode_error',
    'malformed_bytes',
    'idle',
    () => [request(concat(good(), Uint8Array.of(0)))],
  ],
  [
    'a request with an empty share',
    'decode_error',
    'malformed_bytes',
    'idle',
    () => [request(fromHex('001d0000'))],
  ],
  [
    'a finish with content',
    'decode_error',
    'malformed_message',
    'WAIT_FINISH',
    () => [updateMessage(2, Uint8Array.of(0))],
  ],
  [
    'a request for another group',
    'illegal_parameter',
    'wrong_update_group',
    'idle',
    () => [request(share(new Uint8Array(65).fill(4), NamedGroup.secp256r1))],
  ],
  [
    'a request for no group',
    'illegal_parameter',
    'wrong_update_group',
    'idle',
    () => [request(share(new Uint8Array(32), 0))],
  ],
  [
    'a response for another group',
    'illegal_parameter',
    'wrong_update_group',
    'WAIT_RESPONSE',
    () => [response(share(new Uint8Array(65).fill(4), NamedGroup.secp256r1))],
  ],
  [
    'a share of zeros',
    'illegal_parameter',
    'invalid_key_share',
    'idle',
    () => [request(share(new Uint8Array(32)))],
  ],
  [
    'a share of small order',
    'illegal_parameter',
    'invalid_key_share',
    'idle',
    () => [request(share(fromHex('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800')))],
  ],
  [
    'a response of zeros',
    'illegal_parameter',
    'invalid_key_share',
    'WAIT_RESPONSE',
    () => [response(share(new Uint8Array(32)))],
  ],
  [
    'a share of another length',
    'illegal_parameter',
    'invalid_key_share',
    'idle',
    () => [request(share(new Uint8Array(33).fill(9)))],
  ],
  [
    'a response to nothing',
    'unexpected_message',
    'extended_key_update_out_of_order',
    'idle',
    () => [response()],
  ],
  ['a finish of nothing', 'unexpected_message', 'extended_key_update_out_of_order', 'idle', () => [FINISH]],
  [
    'a finish where a response is due',
    'unexpected_message',
    'extended_key_update_out_of_order',
    'WAIT_RESPONSE',
    () => [FINISH],
  ],
  [
    'a response where a finish is due',
    'unexpected_message',
    'extended_key_update_out_of_order',
    'WAIT_FINISH',
    () => [response()],
  ],
  [
    'a finish before our response',
    'unexpected_message',
    'extended_key_update_out_of_order',
    'RESPONSE_OWED',
    () => [FINISH],
  ],
  [
    'a second request',
    'unexpected_message',
    'overlapping_extended_key_updates',
    'RESPONSE_OWED',
    () => [request()],
  ],
  [
    'two requests in one record',
    'unexpected_message',
    'overlapping_extended_key_updates',
    'idle',
    () => [request(), request()],
  ],
  [
    'a request where a finish is due',
    'unexpected_message',
    'overlapping_extended_key_updates',
    'WAIT_FINISH',
    () => [request()],
  ],
  [
    'two requests that cross ours',
    'unexpected_message',
    'overlapping_extended_key_updates',
    'WAIT_RESPONSE',
    () => {
      // X25519 takes any string but those few: this one loses against every share that is made.
      const least = share(Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? 9 : 0)))
      return [request(least), request(least)]
    },
  ],
  [
    'a key that changes inside a message',
    'unexpected_message',
    'interrupted_message',
    'WAIT_FINISH',
    () => [FINISH, fromHex('fa0000')],
  ],
]

for (const role of ROLES) {
  describe(`a ${role} answers`, () => {
    it.each(ROWS.map(row => [`${row[3]}: ${row[0]} → ${row[1]}, ${row[2]}`, row] as const))(
      '%s',
      (_, row) => {
        const [, alert, reason, stage, messages] = row
        const scene = sceneIn(stage, role)
        const { events, alert: sent } = scene.provoke(scene.handshake(...messages()))
        expect(events.at(-1)).toMatchObject({
          type: 'alert',
          from: 'local',
          alert,
          error: { reason, origin: 'peer' },
        })
        // Under whichever key it stands: sent it was.
        expect([undefined, alert]).toContain(sent)
        expect(scene.subject.closed).toBe(true)
      },
    )

    it('its own request, come back, with unexpected_message', () => {
      const pair = extendingPair()
      pair[role].updateKeys(false)
      const { keyUpdate } = pair[role].inspect('with secrets')
      const exchange = keyUpdate.kind === 'extended' ? keyUpdate.exchange : undefined
      if (exchange?.stage !== 'WAIT_RESPONSE') throw new Error('no request')
      const scene = new Scene(pair[role], [])
      const { events } = scene.provoke(scene.handshake(exchange.request))
      expect(events.at(-1)).toMatchObject({
        alert: 'unexpected_message',
        error: { reason: 'equal_key_shares' },
      })
    })

    it('an update that was not agreed on with unexpected_message, whatever is in it', () => {
      for (const message of [request(), response(), FINISH, updateMessage(9, EMPTY)]) {
        const scene = new Scene(connectedPair()[role], [])
        const { events } = scene.provoke(scene.handshake(message))
        const error = { reason: 'extended_key_update_not_negotiated' }
        expect(events.at(-1)).toMatchObject({ alert: 'unexpected_message', error })
      }
    })

    it('a record under the new key before the finish with bad_record_mac', () => {
      const pair = extendingPair()
      const peer = pair[OTHER[role]]
      peer.updateKeys(false)
      pair[role].receive(outputOf(peer))
      peer.receive(outputOf(pair[role]))
      peer.send(utf8('under the new key'))
      const [, ...behind] = recordsOf(outputOf(peer))
      const events = pair[role].receive(concat(...behind))
      expect(events.at(-1)).toMatchObject({ error: { reason: 'undecryptable_record' } })
    })

    it('a record under the old key behind the finish with bad_record_mac', () => {
      const scene = sceneIn('WAIT_FINISH', role)
      const seal = scene.writer()
      const bytes = concat(
        seal(ContentType.handshake, FINISH),
        seal(ContentType.application_data, utf8('old')),
      )
      const { events } = scene.provoke(bytes)
      expect(events.map(({ type }) => type)).toEqual(['extended_key_update', 'alert'])
      expect(events.at(-1)).toMatchObject({ error: { reason: 'undecryptable_record' } })
    })

    it('requests without end, and takes them at a pace that a budget allows', () => {
      let now = 1_700_000_000_000
      // A request costs a hundred of it: here ten in a second, and fifty at once.
      const budget = { now: () => now, tinyRecords: { burst: 5000, perSecond: 1000 } }
      const pair = extendingPair(budget, budget)
      const peer = OTHER[role]
      const ask = (): void => {
        pair[peer].updateKeys(false)
        pair.settle()
      }
      for (let i = 0; i < 100; i++, now += 200) ask()
      expect([generationOf(pair[role]), pair[role].closed]).toEqual([100, false])
      for (let i = 0; i < 110 && !pair[role].closed; i++) ask()
      const events = role === 'client' ? pair.clientEvents : pair.serverEvents
      const error = { reason: 'too_many_trifles' }
      expect(events.at(-1)).toMatchObject({ type: 'alert', alert: 'unexpected_message', error })
    })
  })
}

describe('shares that are none, in every kind of group', () => {
  const groups: readonly KeyExchangeGroup[] = [
    ...node.groups,
    ...hybridGroups(node.groups),
    mlKem768,
    ...(node.costlyGroups ?? []),
  ]

  it.each(groups.map(group => [group.name, group] as const))('%s', (_, group) => {
    const config = { provider: { ...node, groups: [group] } }
    const { keyExchange } = group.generate(node.random)
    // All ones are a point of Montgomery's curves, and all zeros a key of ML-KEM.
    const all = group.name === 'MLKEM768' ? 0xff : /^x(25519|448)$/.test(group.name) ? 0 : undefined
    const whole = (all === undefined ? [0, 0xff] : [all]).map(byte =>
      new Uint8Array(keyExchange.length).fill(byte),
    )
    const bad = [...whole, new Uint8Array(1)]
    for (const one of bad) {
      const asked = new Scene(extendingPair({ ...config, keyShares: [group.id] }, config).server, [])
      const { events } = asked.provoke(asked.handshake(request(share(one, group.id))))
      expect(events.at(-1)).toMatchObject({
        alert: 'illegal_parameter',
        error: { reason: 'invalid_key_share' },
      })
    }
    // What a KEM answers with is a ciphertext of its own length; any other length is refused.
    const asking = extendingPair({ ...config, keyShares: [group.id] }, config)
    asking.client.updateKeys(false)
    outputOf(asking.client)
    const scene = new Scene(asking.client, [])
    const { events } = scene.provoke(scene.handshake(response(share(new Uint8Array(1), group.id))))
    expect(events.at(-1)).toMatchObject({
      alert: 'illegal_parameter',
      error: { reason: 'invalid_key_share' },
    })
  })
})

describe('who talks the two out of it', () => {
  const flags = (bytes: string): Uint8Array => fromHex(bytes)
  const failed = (client: Partial<ClientConfig>, server: Partial<ServerConfig>): Pair => {
    const pair = createPair(client, server)
    pair.settle()
    return pair
  }

  it('by taking the flag out of the hello ends the handshake', () => {
    const pair = createPair(EXTENDING, EXTENDING)
    const hello = outputOf(pair.client)
    const at = hex(hello).indexOf('003e000a09') / 2
    // The last bit of the flags: it says nothing any more, and the length stays.
    const changed = hello.with(at + 13, 2)
    pair.server.receive(changed)
    expect(pair.server.inspect().keyUpdate.kind).toBe('none')
    pair.client.receive(outputOf(pair.server))
    // What the client has hashed is what it has sent.
    expect(pair.client.closed).toBe(true)
  })

  it('by an answer with a flag that was not offered is told illegal_parameter', () => {
    const shape = (bytes: string) =>
      reshape('encrypted_extensions', message => withBytes(message, 'tls_flags', flags(bytes)))()
    for (const [bytes, reason] of [
      ['0102', 'flag_not_offered'],
      ['09000000000000000003', 'flag_not_offered'],
      ['0a00000000000000000100', 'malformed_flags'],
    ] as const) {
      const pair = failed(EXTENDING, { ...EXTENDING, shape: shape(bytes) })
      expect(pair.clientEvents.at(-1)).toMatchObject({ alert: 'illegal_parameter', error: { reason } })
    }
    const pair = failed({}, { shape: shape('0101') })
    expect(pair.clientEvents.at(-1)).toMatchObject({ alert: 'unsupported_extension' })
  })

  it('by flags with zeros behind, or none, is told so by the server', () => {
    const shape = (bytes: string) =>
      reshape('client_hello', message => withBytes(message, 'tls_flags', flags(bytes)))()
    const told = (bytes: string): unknown => failed({ shape: shape(bytes) }, {}).serverEvents.at(-1)
    expect(told('020100')).toMatchObject({ alert: 'illegal_parameter', error: { reason: 'malformed_flags' } })
    expect(told('00')).toMatchObject({ alert: 'decode_error' })
    expect(told('0101')).toMatchObject({ type: 'handshake_complete' })
  })

  it('by agreeing without a key exchange is told illegal_parameter', () => {
    const psks = [{ identity: utf8('a potato'), key: new Uint8Array(16).fill(5) }]
    const alone = { psks, pskModes: ['psk_ke'] as const }
    const shape = reshape('encrypted_extensions', message =>
      withBytes(message, 'tls_flags', flags('09000000000000000001')),
    )()
    const pair = failed({ ...EXTENDING, ...alone }, { ...alone, shape })
    const error = { reason: 'extended_key_update_without_group' }
    expect(pair.clientEvents.at(-1)).toMatchObject({ alert: 'illegal_parameter', error })
  })
})

describe('a server that asks for a certificate', () => {
  const known = ed25519Identity(9)
  const asked = (): Pair =>
    extendingPair(
      { postHandshakeAuth: true, certificates: [certificateOf(known, node)] },
      { clientCertificates: { verify: trusting(known), postHandshake: true } },
    )

  it('while it has an update underway is told unexpected_message', () => {
    const pair = asked()
    pair.server.updateKeys(false)
    pair.client.receive(outputOf(pair.server))
    outputOf(pair.client)
    const scene = new Scene(pair.client, [])
    const { events } = scene.provoke(scene.handshake(fromHex('0d00000c01010008000d000400020807')))
    expect(events.at(-1)).toMatchObject({ error: { reason: 'overlapping_extended_key_updates' } })
  })

  it('hears no update between Certificate and Finished', () => {
    const pair = asked()
    pair.server.requestCertificate()
    pair.client.receive(outputOf(pair.server))
    const [certificate] = recordsOf(outputOf(pair.client))
    const scene = new Scene(pair.server, [])
    const opened = scene.open(certificate!)
    const first = opened.slice(0, 4 + ((opened[2]! << 8) | opened[3]!))
    const { events } = scene.provoke(scene.handshake(first, request()))
    expect(events.at(-1)).toMatchObject({ error: { reason: 'interrupted_authentication' } })
  })
})
