import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Client, ClientConnectionState } from '../../src/client/index.ts'
import { H2Client } from '../../src/http/h2/index.ts'
import { CipherSuiteId } from '../../src/tls13/codepoints.ts'
import { decode, encode, fromHex, hex, utf8 } from '../../src/wire/index.ts'

/*
 * Connections with fixed values, and the bytes that they must be encoded to: a change of these bytes needs
 * another version. Nothing in them was ever a key.
 */
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

const session = {
  role: 'client',
  handshake: {
    state: 'CONNECTED',
    exporterMasterSecret: filled(32, 0xe1),
    resumptionMasterSecret: filled(32, 0xe2),
    ticketsIssued: 0,
    transcript: undefined,
    authentication: undefined,
  },
  cipherSuite: CipherSuiteId.TLS_AES_128_GCM_SHA256,
  clientRandom: undefined,
  serverName: 'localhost',
  alpn: 'http/1.1',
  certificate: undefined,
  peerCertificate: filled(4, 0xc4),
  recordSizeLimits: undefined,
  resumed: false,
  keyUpdate: { kind: 'none' },
  writeClosed: false,
  readClosed: false,
  read: { trafficSecret: filled(32, 0xa1), sequenceNumber: 7 },
  write: { trafficSecret: filled(32, 0xa2), sequenceNumber: 9 },
  inboundRecords: Uint8Array.of(0x17, 3, 3),
  inboundHandshake: new Uint8Array(0),
  outbound: new Uint8Array(0),
  peerIntermediates: [] as Uint8Array[],
} as unknown as NonNullable<ClientConnectionState['session']>

const exchange = {
  label: 'mine',
  method: 'GET',
  url: 'https://localhost/large',
  redirected: false,
  status: 200,
  fields: [{ name: 'content-type', value: 'text/plain' }],
  empty: false,
  unread: utf8('unread'),
  owed: 6,
} as const

const idle = {
  pending: [],
  inbound: new Uint8Array(0),
  body: undefined,
  untilClose: false,
  persistent: true,
  last: false,
}

function http2(): Extract<ClientConnectionState['application'], { protocol: 'h2' }> {
  const http = new H2Client()
  http.request({ method: 'GET', scheme: 'https', authority: 'localhost', path: '/large' }, true)
  return {
    protocol: 'h2',
    sent: 1,
    http: http.export(),
    exchanges: [{ id: 1, exchange, rest: undefined, uploading: false }],
  }
}

const STATES: Readonly<Record<string, ClientConnectionState>> = {
  'an idle connection over plain TCP': {
    version: 1,
    origin: 'http://localhost:8080',
    session: undefined,
    application: { protocol: 'http/1.1', sent: 3, idle: 4000, http: idle, exchange: undefined },
  },
  'a response over HTTPS, in the middle of a chunk': {
    version: 1,
    origin: 'https://localhost',
    session,
    application: {
      protocol: 'http/1.1',
      sent: 1,
      idle: 4000,
      http: {
        ...idle,
        pending: [{ method: 'GET', upgrade: false, last: false }],
        body: { remaining: 94, next: 'data-end', content: 100, extensionBytes: 0 },
      },
      exchange,
    },
  },
  'a stream over HTTP/2': { version: 1, origin: 'https://localhost', session, application: http2() },
}

const file = fileURLToPath(new URL('../../vectors/client/connection-v1.json', import.meta.url))
const GOLDEN = JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, string>>

describe('the state of a connection', () => {
  it.each(Object.entries(STATES))('is these bytes, there and back: %s', (name, state) => {
    expect(hex(encode(ClientConnectionState, state))).toBe(GOLDEN[name])
    const bytes = fromHex(GOLDEN[name]!)
    const read = decode(ClientConnectionState, bytes)
    expect(hex(encode(ClientConnectionState, read))).toBe(GOLDEN[name])
  })

  it('is refused in another version, cut or with more behind it, and its socket is closed', () => {
    const bytes = fromHex(GOLDEN['an idle connection over plain TCP']!)
    const other = bytes.slice()
    other[1] = 2
    const wrong = [other, bytes.slice(0, -1), Uint8Array.of(...bytes, 0), new Uint8Array(0)]
    for (const state of wrong) {
      let closed = 0
      const descriptor = { close: () => closed++ } as never
      expect(() => Client.restore([{ state, descriptor }])).toThrow()
      expect(closed).toBe(1)
    }
  })
})
