import { describe, expect, it } from 'vitest'
import { NamedGroup } from '../../../src/tls13/codepoints.ts'
import type { ServerConfig } from '../../../src/tls13/config.ts'
import { createCookieSealer } from '../../../src/tls13/cookie.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import type { ExtensionName } from '../../../src/tls13/extensions.ts'
import { decodeHandshake, encodeHandshake, HELLO_RETRY_REQUEST } from '../../../src/tls13/messages.ts'
import { concat, EMPTY, fromHex, utf8 } from '../../../src/wire/index.ts'
import { outputOf } from '../../support/pair.ts'
import { reshape, withBytes, without, withValue } from '../../support/reshape.ts'
import { clientScene, type Scene, serverScene } from '../../support/scene.ts'
import {
  asking,
  firstFragment,
  type Retry,
  recordWith,
  refusedByClients,
  refusedByServers,
  refusedInTheMiddle,
  retry,
  type ServerHello,
  secondHello,
  serverHello,
  sharesOf,
  UNNAMED_GROUP,
} from './refusals.ts'

/* What may not be wrong with a HelloRetryRequest, and the hellos behind it. */

const { x25519, secp256r1 } = NamedGroup
/** A client whose first hello has no share. */
const retried = () => ({ keyShares: [] })
/** The hello of the server, turned into a HelloRetryRequest for P-256, with those bytes in an extension. */
const withRetry = (extension: ExtensionName, bytes: string) => (scene: Scene) => {
  const message = decodeHandshake(firstFragment(scene.genuine)) as ServerHello
  const { extensions } = withBytes(message, 'key_share', fromHex('0017'))
  const random = fromHex(HELLO_RETRY_REQUEST)
  const asked: Retry = { ...message, type: 'hello_retry_request', random, extensions }
  return recordWith(encodeHandshake({ ...asked, ...withBytes(asked, extension, fromHex(bytes)) }))
}

refusedByServers([
  [
    '§4.1.2',
    'illegal_parameter',
    'changed_second_hello',
    'a second ClientHello with another server name',
    secondHello(m => withValue(m, 'CH', 'server_name', [{ nameType: 0, hostName: utf8('other.local') }])),
    { peer: retried },
  ],
  [
    '§4.1.2',
    'illegal_parameter',
    'changed_second_hello',
    'a second ClientHello without the server name',
    secondHello(m => without(m, 'server_name')),
    { peer: retried },
  ],
  [
    '§4.1.2',
    'illegal_parameter',
    'changed_second_hello',
    'a second ClientHello with other cipher suites',
    secondHello(() => ({ cipherSuites: [0x1303] })),
    { peer: retried },
  ],
  [
    '§4.1.2',
    'illegal_parameter',
    'early_data_after_retry',
    'a second ClientHello with early_data',
    secondHello(m => withBytes(m, 'early_data', EMPTY)),
    { peer: retried },
  ],
  [
    '§4.1.2',
    'illegal_parameter',
    'missing_requested_share',
    'a second ClientHello without the share that was asked for',
    secondHello(m => withValue(m, 'CH', 'key_share', [])),
    { peer: retried },
  ],
  [
    '§4.1.2',
    'illegal_parameter',
    'missing_requested_share',
    'a second ClientHello with a share beside the one that was asked for',
    secondHello(m => {
      const other = node.groups.find(({ id }) => id === secp256r1)!.generate(node.random)
      const shares = [...sharesOf(m), { group: secp256r1, keyExchange: other.keyExchange }]
      return withValue(m, 'CH', 'key_share', shares)
    }),
    { peer: retried },
  ],
  [
    '§4.2.2',
    'illegal_parameter',
    'wrong_cookie',
    'a second ClientHello with a cookie that we did not send',
    secondHello(m => withValue(m, 'CH', 'cookie', fromHex('c00c1e'))),
    { peer: retried },
  ],
  [
    '§4.2.2',
    'illegal_parameter',
    'wrong_cookie',
    'a second ClientHello without our cookie',
    secondHello(m => without(m, 'cookie')),
    {
      subject: () => ({
        shape: reshape('hello_retry_request', m => withValue(m, 'HRR', 'cookie', fromHex('0a')))(),
      }),
      peer: retried,
    },
  ],
  [
    '§4.1.2',
    'protocol_version',
    'no_common_version',
    'a second ClientHello without TLS 1.3',
    secondHello(m => without(m, 'supported_versions')),
    { origin: 'configuration', peer: retried },
  ],
])

refusedByClients([
  [
    '§4.1.4',
    'illegal_parameter',
    'retry_without_change',
    'a HelloRetryRequest that changes nothing',
    retry(m => without(m, 'key_share')),
    { peer: asking },
  ],
  [
    '§4.2.8',
    'illegal_parameter',
    'retry_for_sent_share',
    'a HelloRetryRequest for the group that we sent a share for',
    retry(m => withValue(m, 'HRR', 'key_share', x25519)),
    { peer: asking },
  ],
  [
    '§4.2.8',
    'illegal_parameter',
    'group_not_offered',
    'a HelloRetryRequest for a group that we did not name',
    retry(m => withValue(m, 'HRR', 'key_share', UNNAMED_GROUP)),
    { peer: asking },
  ],
  [
    '§4.1.4',
    'protocol_version',
    'no_common_version',
    'a HelloRetryRequest without supported_versions',
    retry(m => without(m, 'supported_versions')),
    { origin: 'configuration', peer: asking },
  ],
  [
    '§4.1.4',
    'illegal_parameter',
    'session_id_not_echoed',
    'a HelloRetryRequest with another session id',
    retry(() => ({ legacySessionIdEcho: fromHex('01') })),
    { peer: asking },
  ],
  [
    '§4.1.4',
    'illegal_parameter',
    'cipher_suite_not_offered',
    'a HelloRetryRequest with a cipher suite that was not offered',
    retry(() => ({ cipherSuite: 0x1305 })),
    { peer: asking },
  ],
  [
    '§4.1.4',
    'illegal_parameter',
    'compression_selected',
    'a HelloRetryRequest with compression',
    retry(() => ({ legacyCompressionMethod: 1 })),
    { peer: asking },
  ],
  [
    '§4.2',
    'unsupported_extension',
    'unrequested_extension',
    'a HelloRetryRequest with an extension that was not offered',
    retry(m => withBytes(m, 0xff01, EMPTY)),
    { peer: asking },
  ],
  [
    '§4.1.4',
    'illegal_parameter',
    'cipher_suite_changed_after_retry',
    'a ServerHello with another cipher suite than the HelloRetryRequest',
    serverHello(() => ({ cipherSuite: 0x1303 })),
    { peer: asking },
  ],
  [
    '§4.2.8',
    'illegal_parameter',
    'key_share_for_unsent_group',
    'a ServerHello with another group than the HelloRetryRequest',
    serverHello(m =>
      withValue(m, 'SH', 'key_share', { group: x25519, keyExchange: new Uint8Array(32).fill(9) }),
    ),
    { peer: asking },
  ],
])

refusedInTheMiddle([
  [
    '§4.2.8',
    'decode_error',
    'malformed_extension',
    'a HelloRetryRequest with a whole key share',
    ['client'],
    ['WAIT_SH'],
    withRetry('key_share', '0017000104'),
  ],
  [
    '§4.2.2',
    'decode_error',
    'malformed_extension',
    'a HelloRetryRequest with an empty cookie',
    ['client'],
    ['WAIT_SH'],
    withRetry('cookie', '0000'),
  ],
  [
    '§4.2',
    'illegal_parameter',
    'misplaced_extension',
    'a HelloRetryRequest with an extension of EncryptedExtensions',
    ['client'],
    ['WAIT_SH'],
    withRetry('supported_groups', '0002001d'),
  ],
])

refusedByClients([
  [
    '§4.1.4',
    'illegal_parameter',
    'version_changed_after_retry',
    'a ServerHello without supported_versions',
    serverHello(m => without(m, 'supported_versions')),
    { subject: retried },
  ],
  [
    '§4.1.4',
    'illegal_parameter',
    'version_changed_after_retry',
    'a ServerHello without extensions',
    serverHello(() => ({ extensions: [] })),
    { subject: retried },
  ],
  [
    '§4.1.4',
    'illegal_parameter',
    'version_not_offered',
    'a ServerHello of another version',
    serverHello(m => withValue(m, 'SH', 'supported_versions', 0x0303)),
    { subject: retried },
  ],
])

describe('what shares its record with a hello that a HelloRetryRequest follows or is (§5.1)', () => {
  const more = [
    ['the first byte of the next one', (message: Uint8Array) => message.slice(0, 1)],
    ['its header', (message: Uint8Array) => message.slice(0, 4)],
    ['all of it but a byte', (message: Uint8Array) => message.slice(0, -1)],
    ['a whole one', (message: Uint8Array) => message],
  ] as const
  const servers: readonly (readonly [string, Partial<ServerConfig>])[] = [
    ['', {}],
    [', with a cookie', { cookies: createCookieSealer(node, new Uint8Array(16)) }],
  ]
  const expectRefusal = (scene: Scene, bytes: Uint8Array) => {
    const { events, alert } = scene.provoke(bytes)
    expect([alert, events.at(-1)]).toMatchObject([
      'unexpected_message',
      { from: 'local', error: { reason: 'interrupted_message' } },
    ])
  }

  for (const [note, config] of servers) {
    it.each(more)(`is refused by a server${note}: %s`, (_, part) => {
      const { scene } = serverScene(config, { keyShares: [] })
      const hello = firstFragment(scene.genuine)
      expectRefusal(scene, recordWith(concat(hello, part(hello))))
    })
  }

  it.each(more)('is refused by a client: %s', (_, part) => {
    const { scene } = clientScene({}, asking())
    const hello = firstFragment(scene.genuine)
    expectRefusal(scene, recordWith(concat(hello, part(hello))))
  })

  it('is none where the next one has a record of its own, which may begin at once', () => {
    const { scene, peer } = serverScene({}, { keyShares: [] })
    scene.subject.receive(scene.genuine)
    peer.receive(outputOf(scene.subject))
    const hello = firstFragment(outputOf(peer))
    const [front, back] = [hello.subarray(0, 1), hello.subarray(1)]
    expect(scene.provoke(recordWith(front))).toMatchObject({ events: [], alert: undefined })
    expect(scene.provoke(recordWith(back))).toMatchObject({ events: [], alert: undefined })
    expect(scene.state).toBe('WAIT_FINISHED')
  })
})

describe('a second HelloRetryRequest', () => {
  it('§4.1.4: is unexpected_message', () => {
    const { scene, peer } = clientScene({}, asking())
    const retryRequest = scene.genuine
    scene.subject.receive(retryRequest)
    outputOf(scene.subject)
    expect(peer.closed).toBe(false)
    expect(scene.provoke(retryRequest).alert).toBe('unexpected_message')
  })
})
