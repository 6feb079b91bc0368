import { describe, expect, it } from 'vitest'
import {
  type Certificate,
  certificateId,
  certificatesFor,
  certificateVerifyContent,
  certificateWithKey,
  checkFinished,
  chooseCertificate,
  finishedVerifyData,
} from '../../src/tls13/authentication.ts'
import { ContentType, SignatureScheme } from '../../src/tls13/codepoints.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { encodeHandshake } from '../../src/tls13/messages.ts'
import { Protection } from '../../src/tls13/protection.ts'
import { readRecord } from '../../src/tls13/record.ts'
import { Session } from '../../src/tls13/session.ts'
import { concat, EMPTY, fromHex, hex, utf8 } from '../../src/wire/index.ts'
import { because } from '../support/alert.ts'
import { certificateOf, newIdentity } from '../support/identity.ts'
import {
  clientConfig,
  connectedPair,
  createPair,
  identity,
  outputOf,
  recordsOf,
  serverConfig,
} from '../support/pair.ts'
import { splitHandshake } from '../support/scene.ts'

const { hash } = node.cipherSuites[0]!

describe('which certificate', () => {
  const named = (...names: string[]): Certificate => ({ chain: [utf8(names.join())], signers: [], names })
  const any: Certificate = { chain: [utf8('any')], signers: [] }
  const echo = named('echo.local')
  const wild = named('*.fn.local')
  const choose = (name?: string) => certificatesFor([any, echo, wild], name)

  it.each([
    ['echo.local', [echo]],
    ['ECHO.local', [echo]],
    ['a.fn.local', [wild]],
    ['A.FN.LOCAL', [wild]],
    // a wildcard stands for one label (RFC 9525 §6.3)
    ['a.b.fn.local', [any]],
    ['fn.local', [any]],
    ['.fn.local', [any]],
    ['xecho.local', [any]],
    [undefined, [any]],
  ])('for %s', (name, expected) => {
    expect(choose(name)).toEqual(expected)
  })

  it('the one that names it before one with a wildcard, in whatever order they are', () => {
    const wide = named('*.fn.local', 'other.local')
    const exact = named('a.fn.local', '*.fn.local')
    for (const all of [
      [wide, exact, any],
      [any, exact, wide],
    ])
      expect(certificatesFor(all, 'a.fn.local')).toEqual([exact, wide])
  })

  it('and which of its schemes: the first of ours that the client takes', () => {
    const [rsa, ed] = [newIdentity('rsa2048'), identity].map(one => certificateOf(one, node)) as [
      Certificate,
      Certificate,
    ]
    const { rsa_pss_rsae_sha256, rsa_pss_rsae_sha512, ed25519, rsa_pkcs1_sha256 } = SignatureScheme
    const chosen = (...offered: number[]) => chooseCertificate([rsa, ed], offered).signer.scheme
    expect(chosen(ed25519, rsa_pss_rsae_sha512, rsa_pss_rsae_sha256)).toBe(rsa_pss_rsae_sha256)
    expect(chosen(ed25519, rsa_pss_rsae_sha512)).toBe(rsa_pss_rsae_sha512)
    expect(chosen(rsa_pkcs1_sha256, ed25519)).toBe(ed25519)
    expect(() => chosen(rsa_pkcs1_sha256)).toThrow(because('no_common_signature_scheme'))
    expect(() => chooseCertificate([], [ed25519])).toThrow(because('no_common_signature_scheme'))
  })

  it('a handshake takes it by the name that the client asks for', () => {
    const other = newIdentity('p256')
    const certificates = [
      certificateOf(identity, node, ['echo.local']),
      certificateOf(other, node, ['other.local']),
    ]
    const { server } = connectedPair({ serverName: 'echo.local' }, { certificates })
    expect(hex(server.inspect().certificate!)).toBe(hex(certificateId(hash, certificates[0]!)))
    const unknown = createPair({ serverName: 'unknown.local' }, { certificates })
    unknown.settle()
    expect(unknown.serverEvents).toMatchObject([{ type: 'alert', from: 'local', alert: 'handshake_failure' }])
    expect(unknown.clientEvents).toMatchObject([{ type: 'alert', from: 'peer', alert: 'handshake_failure' }])
  })

  it('a private key of no use is an error of the configuration', () => {
    expect(() => certificateWithKey(node, [], utf8('no key'))).toThrow(
      'no signature scheme for this private key',
    )
  })
})

it('what is signed is told apart by role (§4.4.3)', () => {
  const content = certificateVerifyContent('server', fromHex('aabb'))
  expect(hex(content)).toBe(`${'20'.repeat(64)}${hex(utf8('TLS 1.3, server CertificateVerify'))}00aabb`)
  expect(hex(certificateVerifyContent('client', fromHex('aabb')))).not.toBe(hex(content))
})

it('a Finished fits its secret and its transcript, and nothing else (§4.4.4)', () => {
  const secret = new Uint8Array(32).fill(1)
  const data = finishedVerifyData(hash, secret, hash.digest(utf8('transcript')))
  checkFinished(hash, secret, hash.digest(utf8('transcript')), data)
  expect(() => checkFinished(hash, secret, hash.digest(utf8('another')), data)).toThrow(
    because('wrong_finished'),
  )
  expect(() => checkFinished(hash, new Uint8Array(32), hash.digest(utf8('transcript')), data)).toThrow(
    because('wrong_finished'),
  )
  expect(() => checkFinished(hash, secret, hash.digest(utf8('transcript')), data.slice(1))).toThrow(
    because('wrong_finished_length'),
  )
})

describe('a server that asks for a certificate', () => {
  const REQUEST = encodeHandshake({
    type: 'certificate_request',
    certificateRequestContext: EMPTY,
    extensions: [{ extensionType: 13, extensionData: fromHex('00020807') }],
  })

  it('gets an empty one, no CertificateVerify, and a Finished over both (§4.4.2)', () => {
    const secrets = new Map<string, Uint8Array>()
    const client = Session.client(clientConfig({ onSecret: ({ name, secret }) => secrets.set(name, secret) }))
    const hello = outputOf(client)
    const server = Session.server(serverConfig())
    server.receive(hello)
    // our server never asks, so its flight is opened, changed and sealed anew
    const records = recordsOf(outputOf(server))
    client.receive(concat(...records.slice(0, -1)))
    const trafficSecret = secrets.get('server_handshake_traffic_secret')!
    const protection = () => new Protection(node.cipherSuites[0]!, { trafficSecret, sequenceNumber: 0 })
    const raw = readRecord(records.at(-1)!, 0, true)!
    const [extensions, certificate] = splitHandshake(protection().open(raw).content)
    const hellos = concat(hello.subarray(5), records[0]!.subarray(5))
    const signed = concat(hellos, extensions!, REQUEST, certificate!)
    const { signers } = certificateOf(identity, node)
    const verify = encodeHandshake({
      type: 'certificate_verify',
      algorithm: signers[0]!.scheme,
      signature: signers[0]!.sign!(certificateVerifyContent('server', hash.digest(signed))),
    })
    const verifyData = finishedVerifyData(hash, trafficSecret, hash.digest(concat(signed, verify)))
    const finished = encodeHandshake({ type: 'finished', verifyData })
    const flight = concat(extensions!, REQUEST, certificate!, verify, finished)
    const events = client.receive(protection().seal(ContentType.handshake, flight))
    expect(events).toMatchObject([{ type: 'handshake_complete', resumed: false }])

    const answer = recordsOf(outputOf(client))
    expect(answer.map(record => record[0])).toEqual([20, 23])
    const answered = readRecord(answer[1]!, 0, true)!
    const clientSecret = secrets.get('client_handshake_traffic_secret')!
    const reader = new Protection(node.cipherSuites[0]!, { trafficSecret: clientSecret, sequenceNumber: 0 })
    const [empty, clientFinished, ...more] = splitHandshake(reader.open(answered).content)
    expect(more).toEqual([])
    expect(hex(empty!)).toBe('0b00000400000000')
    const whole = concat(signed, verify, finished, empty!)
    checkFinished(hash, clientSecret, hash.digest(whole), clientFinished!.subarray(4))
  })
})
