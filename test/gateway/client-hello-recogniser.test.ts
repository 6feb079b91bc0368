import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ClientHelloRecogniser, type FirstFlight } from '../../src/gateway/client-hello-recogniser.ts'
import { CipherSuiteId, LEGACY_VERSION, NamedGroup } from '../../src/tls13/codepoints.ts'
import { Session } from '../../src/tls13/index.ts'
import { decodeHandshake, type Extension, encodeHandshake, type MessageOf } from '../../src/tls13/messages.ts'
import { plaintextRecord } from '../../src/tls13/record.ts'
import { concat, utf8 } from '../../src/wire/index.ts'
import { NO_HOST_NAMES, shown } from '../support/names.ts'
import { clientConfig, serverConfig } from '../support/pair.ts'

const uint16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff)
const sized = (bytes: Uint8Array): Uint8Array => concat(uint16(bytes.length), bytes)
const extension = (extensionType: number, extensionData: Uint8Array): Extension => ({
  extensionType,
  extensionData,
})
const serverName = (name: string | Uint8Array): Extension =>
  extension(0, sized(concat(Uint8Array.of(0), sized(typeof name === 'string' ? utf8(name) : name))))
const alpn = (...names: string[]): Extension =>
  extension(16, sized(concat(...names.map(name => concat(Uint8Array.of(name.length), utf8(name))))))

/** A ClientHello as a handshake message. */
function hello(extensions: readonly Extension[]): Uint8Array {
  return encodeHandshake({
    type: 'client_hello',
    legacyVersion: LEGACY_VERSION,
    random: new Uint8Array(32).fill(5),
    legacySessionId: new Uint8Array(32),
    cipherSuites: [0x0a0a, CipherSuiteId.TLS_AES_128_GCM_SHA256],
    legacyCompressionMethods: Uint8Array.of(0),
    extensions: [...extensions],
  })
}

/** A message in records of at most so many bytes. */
function records(message: Uint8Array, size = 16_384): Uint8Array {
  const parts: Uint8Array[] = []
  for (let at = 0; at < message.length; at += size)
    parts.push(plaintextRecord(22, message.subarray(at, at + size), 0x0301))
  return concat(...parts)
}

function recognise(bytes: Uint8Array): FirstFlight {
  return new ClientHelloRecogniser().recognise(bytes)
}

const FOUND = { kind: 'client_hello', serverName: 'echo.local', alpn: ['h2', 'http/1.1'] } as const
const ORDINARY = hello([serverName('echo.local'), alpn('h2', 'http/1.1')])

describe('a ClientHello', () => {
  it('of our own client is recognised', () => {
    const client = Session.client(clientConfig({ alpn: ['http/1.1'] }))
    expect(recognise(concat(...client.takeOutput()))).toEqual({
      kind: 'client_hello',
      serverName: 'echo.local',
      alpn: ['http/1.1'],
    })
  })

  it('is recognised at its last byte, wherever it is split into segments, and nothing is changed', () => {
    const bytes = records(ORDINARY)
    const copy = bytes.slice()
    for (let split = 0; split < bytes.length; split++) {
      const recogniser = new ClientHelloRecogniser()
      expect(recogniser.recognise(bytes.subarray(0, split))).toEqual({ kind: 'more' })
      expect(recogniser.recognise(bytes)).toEqual(FOUND)
    }
    expect(bytes).toEqual(copy)
    const recogniser = new ClientHelloRecogniser()
    for (let length = 1; length < bytes.length; length++)
      expect(recogniser.recognise(bytes.subarray(0, length))).toEqual({ kind: 'more' })
    expect(recogniser.recognise(bytes)).toEqual(FOUND)
  })

  it('is recognised wherever it is split into two records, byte by byte', () => {
    for (let split = 1; split < ORDINARY.length; split++) {
      const bytes = concat(
        plaintextRecord(22, ORDINARY.subarray(0, split)),
        plaintextRecord(22, ORDINARY.subarray(split)),
      )
      const recogniser = new ClientHelloRecogniser()
      for (let length = 0; length < bytes.length; length += 11)
        expect(recogniser.recognise(bytes.subarray(0, length))).toEqual({ kind: 'more' })
      expect(recogniser.recognise(bytes)).toEqual(FOUND)
    }
  })

  it('in records of one byte is taken within the limit', () => {
    const front = Array.from(ORDINARY.subarray(0, 31), byte => plaintextRecord(22, Uint8Array.of(byte)))
    const bytes = concat(...front, plaintextRecord(22, ORDINARY.subarray(31)))
    expect(recognise(bytes)).toEqual(FOUND)
    const more = concat(
      ...front,
      plaintextRecord(22, ORDINARY.subarray(31, 32)),
      plaintextRecord(22, ORDINARY.subarray(32)),
    )
    expect(recognise(more)).toMatchObject({
      kind: 'refused',
      alert: 'decode_error',
      reason: 'too_many_records',
    })
  })

  it('with what comes after it in the same segment is recognised', () => {
    expect(recognise(concat(records(ORDINARY), Uint8Array.of(20, 3, 3, 0, 1, 1), utf8('and so on')))).toEqual(
      FOUND,
    )
  })

  it('with GREASE, unknown and encrypted extensions is recognised by its outer name', () => {
    const bytes = records(
      hello([
        extension(0x0a0a, new Uint8Array(0)),
        extension(0xfe0d, new Uint8Array(300).fill(9)),
        serverName('echo.local'),
        extension(0xffee, utf8('whatever')),
        alpn('h2', 'http/1.1'),
        extension(0xdada, Uint8Array.of(0)),
      ]),
    )
    expect(recognise(bytes)).toEqual(FOUND)
  })

  it('with a large post-quantum share is recognised, in segments and in records', () => {
    const share = sized(
      concat(
        uint16(NamedGroup.X25519MLKEM768),
        sized(new Uint8Array(1216).fill(7)),
        uint16(NamedGroup.x25519),
        sized(new Uint8Array(32)),
      ),
    )
    const large = hello([
      extension(51, share),
      serverName('echo.local'),
      alpn('h2', 'http/1.1'),
      extension(21, new Uint8Array(400)),
    ])
    expect(large.length).toBeGreaterThan(1700)
    const whole = records(large)
    const recogniser = new ClientHelloRecogniser()
    for (let length = 0; length < whole.length; length += 536)
      expect(recogniser.recognise(whole.subarray(0, length))).toEqual({ kind: 'more' })
    expect(recogniser.recognise(whole)).toEqual(FOUND)
    expect(recognise(records(large, 60))).toEqual(FOUND)
  })

  it('without server name or ALPN has none', () => {
    expect(recognise(records(hello([])))).toEqual({ kind: 'client_hello', serverName: undefined, alpn: [] })
  })

  it('of more than 16 KiB is refused as soon as it says so', () => {
    const fits = hello([serverName('echo.local'), alpn('h2', 'http/1.1')])
    const room = 16_384 + 4 - fits.length - 4
    const largest = hello([
      serverName('echo.local'),
      alpn('h2', 'http/1.1'),
      extension(21, new Uint8Array(room)),
    ])
    expect(largest.length).toBe(16_388)
    expect(recognise(records(largest))).toEqual(FOUND)
    const head = plaintextRecord(22, Uint8Array.of(1, 0, 0x40, 1))
    expect(recognise(head)).toMatchObject({ kind: 'refused', alert: 'decode_error' })
  })
})

describe('names that never route', () => {
  it.each(NO_HOST_NAMES.slice(0, -1).map(one => [shown(one), one] as const))('%s', (_, name) => {
    expect(recognise(records(hello([serverName(name)])))).toEqual({
      kind: 'client_hello',
      serverName: undefined,
      alpn: [],
    })
  })

  it('an empty name, an empty list, and two names', () => {
    const two = concat(Uint8Array.of(0), sized(utf8('a')), Uint8Array.of(0), sized(utf8('b')))
    for (const bad of [
      serverName(''),
      extension(0, sized(new Uint8Array(0))),
      extension(0, sized(two)),
      extension(0, utf8('x')),
    ])
      expect(recognise(records(hello([bad])))).toMatchObject({ kind: 'refused' })
  })

  it('an empty ALPN list, or an empty protocol in it', () => {
    for (const bad of [extension(16, sized(new Uint8Array(0))), alpn(''), alpn('h2', '')])
      expect(recognise(records(hello([bad])))).toMatchObject({ kind: 'refused', alert: 'decode_error' })
  })

  it('an extension that comes twice', () => {
    expect(recognise(records(hello([serverName('a'), serverName('b')])))).toMatchObject({
      kind: 'refused',
      alert: 'illegal_parameter',
    })
  })
})

describe('gateway and server', () => {
  const asking = (extensions: readonly Extension[], legacyVersion?: number) => {
    const { hello: own } = ownHello()
    const kept = own.extensions.filter(one => one.extensionType !== 0)
    const message = { ...own, extensions: [...extensions, ...kept] }
    return encodeHandshake(legacyVersion === undefined ? message : { ...message, legacyVersion })
  }
  const ownHello = () => {
    const bytes = concat(...Session.client(clientConfig({})).takeOutput())
    return { hello: decodeHandshake(bytes.subarray(5)) as MessageOf<'client_hello'> }
  }
  const both = (message: Uint8Array) => {
    const bytes = records(message)
    const found = recognise(bytes)
    const server = Session.server(serverConfig({}))
    const last = server.receive(bytes).at(-1)
    return {
      gateway: found.kind === 'refused' ? found.alert : found.kind === 'client_hello' && found.serverName,
      server: last?.type === 'alert' ? last.alert : server.serverName,
    }
  }

  it.each(
    [...NO_HOST_NAMES.slice(0, -1), 'echo.local', 'echo.local.', '127.0.0.1'].map(one => [shown(one), one]),
  )('read the same name in %s', (_, name) => {
    const { gateway, server } = both(asking([serverName(name!)]))
    expect(gateway).toBe(server)
  })

  it('read the same name in any text', () => {
    const letters = fc.string({
      unit: fc.constantFrom('a', 'Z', '9', '-', '_', '.', ':', ' ', 'é', '[', '\0'),
    })
    fc.assert(
      fc.property(letters, text => {
        const { gateway, server } = both(asking([serverName(text)]))
        expect(gateway).toBe(server)
      }),
      { numRuns: 200 },
    )
  })

  it.each([0x0300, 0x02ff, 0x0200, 0x0002, 0])('refuse legacy_version %i alike (Appendix D.5)', version => {
    expect(both(asking([serverName('echo.local')], version))).toEqual({
      gateway: 'protocol_version',
      server: 'protocol_version',
    })
  })

  it.each([0x0301, 0x0302, 0x0304, 0x7f1c, 0xffff])('go on with legacy_version %i', version => {
    expect(both(asking([serverName('echo.local')], version))).toEqual({
      gateway: 'echo.local',
      server: 'echo.local',
    })
  })
})

it.each([0x0000, 0x02ff, 0x0300, 0x0305, 0x0400, 0xffff])('a record version of %i says nothing', version => {
  expect(recognise(plaintextRecord(22, ORDINARY, version)).kind).toBe('client_hello')
})

describe('what is no ClientHello', () => {
  it.each(['GET / HTTP/1.1\r\n', 'P', 'OPTIONS * HTTP/1.1'])('%j is HTTP in the clear', text => {
    expect(recognise(utf8(text))).toEqual({ kind: 'http' })
  })

  it.each([
    ['an alert', Uint8Array.of(21, 3, 3, 0, 2, 1, 0), 'unexpected_message'],
    ['application data', Uint8Array.of(23), 'unexpected_message'],
    ['SSL 2', Uint8Array.of(0x80, 0x2e, 1), 'unexpected_message'],
    ['a ServerHello', plaintextRecord(22, Uint8Array.of(2, 0, 0, 0)), 'unexpected_message'],
    ['an empty record', plaintextRecord(22, new Uint8Array(0)), 'unexpected_message'],
    ['an oversized record', Uint8Array.of(22, 3, 1, 0x40, 1), 'record_overflow'],
    [
      'a record of another type inside',
      concat(plaintextRecord(22, ORDINARY.subarray(0, 9)), plaintextRecord(20, Uint8Array.of(1))),
      'unexpected_message',
    ],
  ] as const)('%s is refused', (_, bytes, alert) => {
    expect(recognise(bytes)).toMatchObject({ kind: 'refused', alert })
  })

  it('rubbish never throws, and a decision does not change', () => {
    const bytes = records(ORDINARY)
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.nat(bytes.length),
        fc.nat(255),
        (random, place, change) => {
          expect(['more', 'refused', 'http', 'client_hello']).toContain(recognise(random).kind)
          const changed = bytes.slice()
          if (place < changed.length) changed[place]! ^= change
          expect(['more', 'refused', 'http', 'client_hello']).toContain(recognise(changed).kind)
        },
      ),
      { numRuns: 3000 },
    )
  })
})
