import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  AlertDescription,
  alertName,
  alertRecord,
  asTlsError,
  encodeAlert,
  TlsError,
} from '../../src/tls13/alert.ts'
import { isGrease, NamedGroup, nameOf } from '../../src/tls13/codepoints.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import {
  decodeHandshake,
  encodeHandshake,
  type HandshakeMessage,
  HELLO_RETRY_REQUEST,
  handshakeLength,
  wholeHandshake,
} from '../../src/tls13/messages.ts'
import { extendTranscript, messageHash } from '../../src/tls13/transcript.ts'
import { concat, DecodeError, EMPTY, fromHex, hex, utf8 } from '../../src/wire/index.ts'
import { alertOf } from '../support/alert.ts'
import { createPair } from '../support/pair.ts'
import { messages, traces } from '../support/traces.ts'

const NAMES = [
  'ClientHello',
  'ServerHello',
  'EncryptedExtensions',
  'CertificateRequest',
  'Certificate',
  'CertificateVerify',
  'Finished',
  'NewSessionTicket',
]

describe('every message of RFC 8448', () => {
  const all = traces.flatMap(one =>
    NAMES.flatMap(name =>
      messages(one, name)
        // the trace prints this hello without its binders
        .filter(bytes => handshakeLength(bytes) === bytes.length)
        .map(bytes => ({ name, section: one.section, bytes })),
    ),
  )

  it('there are many of them', () => {
    expect(all.length).toBeGreaterThan(30)
    expect(new Set(all.map(({ name }) => name)).size).toBe(NAMES.length)
  })

  it.each(all)('§$section $name is read, and written to the same bytes', ({ bytes }) => {
    expect(hex(encodeHandshake(decodeHandshake(bytes)))).toBe(hex(bytes))
  })

  it.each(all)(
    '§$section $name is refused when it is cut inside, or has bytes too many',
    ({ name, bytes }) => {
      // Finished takes what there is; its length is held against the hash
      if (name === 'Finished') return expect(decodeHandshake(bytes).type).toBe('finished')
      const body = bytes.subarray(4)
      const step = Math.max(1, Math.floor(body.length / 100))
      for (let length = 0; length < body.length; length += step) {
        const cut = concat(bytes.subarray(0, 4), body.subarray(0, length))
        // a hello may end before its extensions: an old one does (§4.1.2)
        const alert = alertOf(() => decodeHandshake(cut))
        if (alert === undefined) expect([name, length]).toEqual([name, endOfOldHello(bytes)])
        else expect(alert).toBe('decode_error')
      }
      expect(alertOf(() => decodeHandshake(concat(bytes, fromHex('00'))))).toBe('decode_error')
    },
  )
})

it('every message of a handshake survives the way through its codec', () => {
  const seen: HandshakeMessage[] = []
  const shape = (message: HandshakeMessage) => {
    seen.push(message)
    return message
  }
  createPair({ shape, keyShares: [] }, { shape }).settle()
  expect(seen.length).toBe(9)
  for (const message of seen) expect(decodeHandshake(encodeHandshake(message))).toEqual(message)
})

it('a HelloRetryRequest is a ServerHello with the random of §4.1.3', () => {
  expect(hex(node.cipherSuites[0]!.hash.digest(utf8('HelloRetryRequest')))).toBe(HELLO_RETRY_REQUEST)
  const [retry] = messages(traces.find(({ name }) => name === 'hello-retry-request')!, 'ServerHello')
  expect(decodeHandshake(retry!).type).toBe('hello_retry_request')
  expect(decodeHandshake(retry!.with(6, retry![6]! ^ 1)).type).toBe('server_hello')
  expect(encodeHandshake(decodeHandshake(retry!))[0]).toBe(2)
})

it('random bodies are messages or errors that know their alert', () => {
  fc.assert(
    fc.property(fc.nat({ max: 255 }), fc.uint8Array({ maxLength: 80 }), (type, body) => {
      const bytes = concat(Uint8Array.of(type, 0, 0, body.length), new Uint8Array(body))
      const alert = alertOf(() => decodeHandshake(bytes))
      expect([undefined, 'decode_error', 'unexpected_message']).toContain(alert)
      if (alert === undefined)
        expect(decodeHandshake(encodeHandshake(decodeHandshake(bytes)))).toEqual(decodeHandshake(bytes))
    }),
    { numRuns: 500 },
  )
})

it('the length of a message is known with its header', () => {
  expect(handshakeLength(fromHex('010203'))).toBeUndefined()
  expect(handshakeLength(fromHex('01020304'))).toBe(4 + 0x020304)
  expect(wholeHandshake(fromHex('0100000201'), 100)).toBeUndefined()
  expect(wholeHandshake(fromHex('010000020102ff'), 100)).toBe(6)
  expect(alertOf(() => wholeHandshake(fromHex('01000061'), 100))).toBe('decode_error')
})

describe('the transcript', () => {
  it('is the messages, one after the other', () => {
    const first = fromHex('01')
    expect(extendTranscript(EMPTY, first)).toEqual(first)
    expect(hex(extendTranscript(fromHex('01'), fromHex('02'), fromHex('0304')))).toBe('01020304')
  })

  it('starts with a message_hash after a HelloRetryRequest (§4.4.1)', () => {
    const { hash } = node.cipherSuites[1]!
    expect(hex(messageHash(hash, utf8('hello')))).toBe(`fe000030${hex(hash.digest(utf8('hello')))}`)
  })
})

describe('alerts', () => {
  it('have the names and numbers of §6', () => {
    for (const [name, number] of Object.entries(AlertDescription)) expect(alertName(number)).toBe(name)
    expect(alertName(1)).toBeUndefined()
    expect(Object.keys(AlertDescription).length).toBe(27)
  })

  it('are fatal, but for the two that close (§6.1)', () => {
    expect(hex(encodeAlert('close_notify'))).toBe('0100')
    expect(hex(encodeAlert('user_canceled'))).toBe('015a')
    expect(hex(encodeAlert('decode_error'))).toBe('0232')
    expect(hex(alertRecord('unrecognized_name'))).toBe('15030300020270')
  })

  it('every error becomes one that knows its alert', () => {
    const known = new TlsError('bad_certificate', 'peer', 'refused_by_application', 'x')
    expect(asTlsError(known)).toBe(known)
    expect(asTlsError(new DecodeError('x', 3))).toMatchObject({
      alert: 'decode_error',
      origin: 'peer',
      reason: 'malformed_bytes',
    })
    expect(asTlsError(new RangeError('x'))).toMatchObject({
      alert: 'internal_error',
      origin: 'local',
      reason: 'internal_failure',
    })
    expect(asTlsError('thrown')).toMatchObject({
      alert: 'internal_error',
      origin: 'local',
      reason: 'internal_failure',
    })
  })
})

it('numbers have their names, and those without keep their number', () => {
  expect(nameOf(NamedGroup, 0x001d)).toBe('x25519')
  expect(nameOf(NamedGroup, 0x01fc)).toBe('0x01fc')
  const reserved = Array.from({ length: 65536 }, (_, i) => i).filter(isGrease)
  expect(reserved).toEqual(Array.from({ length: 16 }, (_, i) => 0x0a0a + i * 0x1010))
})

/** Bytes of a hello's body before its extensions. */
function endOfOldHello(bytes: Uint8Array): number | string {
  const sessionId = bytes[4 + 34]!
  const after = 35 + sessionId
  if (bytes[0] === 2) return after + 3
  if (bytes[0] !== 1) return 'nowhere'
  const suites = (bytes[4 + after]! << 8) | bytes[4 + after + 1]!
  return after + 2 + suites + 2
}
