import { writeFileSync } from 'node:fs'
import { H2Client, H2Server } from '../../src/http/h2/index.ts'
import { FORMAT_VERSION, type Envelope, encodeEnvelope } from '../../src/transfer/envelope.ts'
import { hex, utf8 } from '../../src/wire/index.ts'

/**
 * Writes `envelope-v7.json`: envelopes with fixed values, as JSON and as bytes. It was run once for version
 * 7: a run that gives other bytes means that the format has changed.
 */
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

const common = {
  formatVersion: FORMAT_VERSION,
  sessionId: Uint8Array.from({ length: 16 }, (_, i) => i),
  extensions: [],
  upstreams: [],
}

const session = {
  role: 'server',
  cipherSuite: 0x1301,
  clientRandom: undefined,
  serverName: 'echo.local',
  alpn: 'http/1.1',
  certificate: filled(4, 0xc4),
  peerCertificate: undefined,
  recordSizeLimits: undefined,
  resumed: false,
  keyUpdate: { kind: 'none' },
  writeClosed: false,
  readClosed: false,
  inboundRecords: new Uint8Array(0),
  inboundHandshake: new Uint8Array(0),
  outbound: new Uint8Array(0),
  peerIntermediates: [] as Uint8Array[],
} as const

const ENVELOPES: Record<string, Envelope> = {
  'an idle HTTPS connection': {
    ...common,
    generation: 7,
    hops: 7,
    idleLeft: 29_500,
    tls: {
      ...session,
      handshake: {
        state: 'CONNECTED',
        exporterMasterSecret: filled(32, 0xe1),
        resumptionMasterSecret: filled(32, 0xe2),
        ticketsIssued: 2,
        transcript: undefined,
        authentication: undefined,
      },
      read: { trafficSecret: filled(32, 0xa1), sequenceNumber: 12 },
      write: { trafficSecret: filled(32, 0xa2), sequenceNumber: 34 },
    },
    application: { protocol: 'http1', requestsServed: 9, inbound: new Uint8Array(0) },
  },
  'a busy HTTPS connection with a larger suite': {
    ...common,
    generation: 0xffffffff,
    hops: 0xffff,
    idleLeft: 1,
    tls: {
      ...session,
      cipherSuite: 0x1302,
      clientRandom: filled(32, 0xcc),
      resumed: true,
      peerCertificate: utf8('an earlier client'),
      peerIntermediates: [utf8('who vouches for it'), utf8('and for that')],
      recordSizeLimits: { write: 16384, read: 1024 },
      keyUpdate: { kind: 'owed' },
      handshake: {
        state: 'CONNECTED',
        exporterMasterSecret: filled(48, 0xe1),
        resumptionMasterSecret: filled(48, 0xe2),
        ticketsIssued: 0xffff,
        transcript: utf8('ClientHello to Finished'),
        authentication: { stage: 'WAIT_VERDICT', transcript: utf8('and Certificate'), chain: [utf8('a client')] },
      },
      read: { trafficSecret: filled(48, 0xa1), sequenceNumber: Number.MAX_SAFE_INTEGER },
      write: { trafficSecret: filled(48, 0xa2), sequenceNumber: 0 },
      inboundRecords: utf8('half a record'),
      inboundHandshake: utf8('half a message'),
      outbound: utf8('sealed, not sent'),
    },
    application: { protocol: 'http1', requestsServed: 99, inbound: utf8('GET /hello HTTP/1.1\r\n') },
    extensions: [{ type: 0xff01, data: utf8('from later') }],
  },
  'a handshake that waits for Finished': {
    ...common,
    generation: 1,
    hops: 1,
    idleLeft: 30_000,
    tls: {
      ...session,
      handshake: {
        state: 'WAIT_FINISHED',
        transcript: utf8('hello, hello'),
        masterSecret: filled(32, 0xd1),
        clientApplicationTrafficSecret: filled(32, 0xd2),
        exporterMasterSecret: filled(32, 0xd3),
        takesTickets: true,
        keepsTranscript: false,
        skipEarlyData: 65536,
      },
      read: { trafficSecret: filled(32, 0xb1), sequenceNumber: 0 },
      write: { trafficSecret: filled(32, 0xb2), sequenceNumber: 0 },
    },
    application: { protocol: 'http1', requestsServed: 0, inbound: new Uint8Array(0) },
  },
  'a connection that has not spoken': {
    ...common,
    generation: 0,
    hops: 0,
    idleLeft: 30_000,
    tls: {
      ...session,
      cipherSuite: 0,
      serverName: undefined,
      alpn: undefined,
      certificate: undefined,
      handshake: { state: 'START' },
      read: undefined,
      write: undefined,
      inboundRecords: utf8('a ClientHello'),
    },
    application: { protocol: 'http1', requestsServed: 0, inbound: new Uint8Array(0) },
  },
  'a connection without TLS': {
    ...common,
    generation: 3,
    hops: 2,
    idleLeft: 10,
    tls: undefined,
    application: { protocol: 'http1', requestsServed: 2, inbound: utf8('POST') },
  },
}

/**
 * Two requests, of which one is answered and one waits unaccepted with half of its content; what the client has in its tables is in
 * those of the server. A third has begun to arrive.
 */
function http2() {
  const client = new H2Client()
  const server = new H2Server()
  const common = { scheme: 'https', authority: 'echo.local' }
  client.request({ ...common, method: 'GET', path: '/echo', headers: [['user-agent', 'golden']] }, true)
  client.request({ ...common, method: 'GET', path: '/echo/2', headers: [['user-agent', 'golden']] }, true)
  const posted = client.request({ ...common, method: 'POST', path: '/resize?w=10' }, false)
  client.write(posted, utf8('half of '))
  server.receive(client.takeOutput())
  for (let event = server.next(); event !== undefined; event = server.next())
    if (event.type === 'request' && event.streamId === 1)
      server.reply(1, { status: 200, headers: [['server', 'golden']], body: 'answered' })
  server.takeOutput()
  server.reply(3, { status: 200, headers: [['server', 'golden']], body: 'sent, not taken' })
  client.request({ ...common, method: 'GET', path: '/late' }, true)
  server.receive(client.takeOutput().slice(0, 10))
  while (server.next() !== undefined);
  return server.export()
}

ENVELOPES['an HTTP/2 connection'] = {
  ...common,
  generation: 4,
  hops: 4,
  idleLeft: 12_345,
  tls: { ...ENVELOPES['an idle HTTPS connection']!.tls!, alpn: 'h2' },
  application: { protocol: 'http2', requestsServed: 2, http: http2() },
}

ENVELOPES['a WebSocket'] = {
  ...common,
  generation: 2,
  hops: 1,
  idleLeft: 30_000,
  tls: ENVELOPES['an idle HTTPS connection']!.tls!,
  application: {
    protocol: 'websocket',
    requestsServed: 1,
    target: '/echo/chat?room=1',
    headers: [
      { name: 'Host', value: 'echo.local' },
      { name: 'Sec-WebSocket-Version', value: '13' },
    ],
    host: 'echo.local',
    subprotocol: 'chat',
    socket: {
      inbound: Uint8Array.of(0x80),
      outbound: Uint8Array.of(0x8a, 0),
      partial: { kind: 'text', data: utf8('half of ') },
      closeSent: false,
    },
    state: utf8('{"count":3}'),
  },
}

ENVELOPES['a response in its middle'] = {
    ...common,
    generation: 3,
    hops: 3,
    idleLeft: 20_000,
    tls: undefined,
    application: {
      protocol: 'http1_response',
      requestsServed: 4,
      inbound: utf8('GET /resize HTTP/1.1\r\n'),
      response: {
        request: {
          method: 'GET',
          target: '/echo/events',
          headers: [
            { name: 'Host', value: 'echo.local' },
            { name: 'Last-Event-ID', value: '7' },
          ],
          host: 'echo.local',
        },
        current: true,
        framing: 'chunked',
        owed: 0,
        persistent: true,
      },
      call: {
        callId: '4bf92f35-77b3-4da6-a3ce-929d0e0e4736',
        status: 200,
        began: 1_795_996_800_000,
        deadline: 1_795_996_860_000,
        age: 61_000,
        given: 1_234_567,
        content: utf8('id: 8\ndata: tick\n\n'),
        state: utf8('"8"'),
      },
    },
}

/** A connection that has begun to answer one request. */
function answering() {
  const client = new H2Client()
  const server = new H2Server()
  const streamId = client.request(
    { method: 'GET', scheme: 'https', authority: 'echo.local', path: '/echo/events' },
    true,
  )
  server.receive(client.takeOutput())
  while (server.next() !== undefined);
  server.accept(streamId)
  server.respond(streamId, { status: 200, headers: [['content-type', 'text/event-stream']] })
  server.write(streamId, utf8('id: 8\ndata: tick\n\n'))
  server.takeOutput()
  return { streamId, http: server.export() }
}

const { streamId, http: answered } = answering()
ENVELOPES['responses in their middle over HTTP/2'] = {
  ...common,
  generation: 3,
  hops: 3,
  idleLeft: 20_000,
  tls: undefined,
  application: {
    protocol: 'http2_responses',
    requestsServed: 1,
    http: answered,
    calls: [
      {
        streamId,
        index: 0,
        request: {
          method: 'GET',
          target: '/echo/events',
          headers: [{ name: 'host', value: 'echo.local' }],
          host: 'echo.local',
        },
        call: {
          callId: '4bf92f35-77b3-4da6-a3ce-929d0e0e4736',
          status: 200,
          began: 1_795_996_800_000,
          deadline: undefined,
          age: 61_000,
          given: 19,
          content: new Uint8Array(0),
          state: utf8('"8"'),
        },
      },
    ],
  },
}

const idle = ENVELOPES['an idle HTTPS connection']!
type KeyUpdate = NonNullable<Envelope['tls']>['keyUpdate']
type Extended = Extract<KeyUpdate, { kind: 'extended' }>

/** A session with extended key updates. */
function extended(generation: number, exchange: Extended['exchange']): Envelope {
  const keyUpdate: KeyUpdate = {
    kind: 'extended',
    group: 0x001d,
    generation,
    salt: filled(32, 0xf1),
    transcriptHash: filled(32, 0xf2),
    exporterSecret: filled(32, 0xf3),
    exchange,
  }
  return { ...idle, tls: { ...idle.tls!, keyUpdate } }
}

/** A request as it goes out: a handshake message with a share. */
const request = Uint8Array.from([250, 0, 0, 37, 0, 0x00, 0x1d, 0, 32, ...filled(32, 0x0f)])
ENVELOPES['a session with extended key updates'] = extended(0, undefined)
ENVELOPES['an extended key update that waits for its response'] = extended(0xffffffff, {
  stage: 'WAIT_RESPONSE',
  privateKey: filled(32, 0xf4),
  request,
  crossed: true,
})
ENVELOPES['an extended key update whose response is owed'] = extended(1, {
  stage: 'RESPONSE_OWED',
  response: Uint8Array.from([...request.slice(0, 4), 1, ...request.slice(5)]),
  writeSecret: filled(32, 0xf5),
  readSecret: filled(32, 0xf6),
  exporterSecret: filled(32, 0xf7),
})
ENVELOPES['an extended key update that waits for its finish'] = extended(2, {
  stage: 'WAIT_FINISH',
  readSecret: filled(32, 0xf6),
  exporterSecret: filled(32, 0xf7),
})
const handshake = ENVELOPES['a handshake that waits for Finished']!
ENVELOPES['a handshake that agrees on extended key updates'] = {
  ...handshake,
  tls: {
    ...handshake.tls!,
    keyUpdate: { kind: 'negotiating', group: 0x11ec, exporterSecret: filled(32, 0xf3) },
  },
}

ENVELOPES['a response that is passed on'] = {
  ...ENVELOPES['a response in its middle']!,
  upstreams: [
    { streamId: 0, live: true, state: utf8('UpstreamState, encoded') },
    { streamId: 0, live: false, state: utf8('another one') },
  ],
}

ENVELOPES['a request in its middle'] = {
  ...common,
  generation: 4,
  hops: 4,
  idleLeft: 20_000,
  tls: undefined,
  application: {
    protocol: 'http1_upload',
    requestsServed: 2,
    inbound: utf8('and mo'),
    upload: {
      request: {
        method: 'POST',
        target: '/echo/tally',
        headers: [{ name: 'transfer-encoding', value: 'chunked' }],
        host: 'echo.local',
      },
      current: true,
      body: { remaining: 8, next: 'data-end', content: 20, extensionBytes: 3 },
      response: undefined,
      persistent: true,
    },
    call: {
      callId: '4bf92f35-77b3-4da6-a3ce-929d0e0e4736',
      status: 0,
      began: 1_795_996_800_000,
      deadline: 1_795_996_860_000,
      age: 61_000,
      given: 0,
      content: new Uint8Array(0),
      state: utf8('{"bytes":8}'),
    },
    unread: utf8('some'),
  },
}

/** A connection with a WebSocket, and a request that is being answered before it has come whole. */
function tunnelling() {
  const client = new H2Client()
  const server = new H2Server()
  client.receive(server.takeOutput())
  while (client.next() !== undefined);
  const asked = { scheme: 'https', authority: 'echo.local', path: '/echo/chat' }
  const socket = client.request({ ...asked, method: 'CONNECT', protocol: 'websocket' }, false)
  const upload = client.request({ ...asked, method: 'POST', path: '/echo/shout' }, false)
  client.write(upload, utf8('hello'))
  server.receive(client.takeOutput())
  while (server.next() !== undefined);
  for (const streamId of [socket, upload]) {
    server.accept(streamId)
    server.respond(streamId, { status: 200, headers: [] })
  }
  while (server.next() !== undefined);
  server.takeOutput()
  return { socket, upload, http: server.export() }
}

const { socket, upload, http: tunnelled } = tunnelling()
const asked = { headers: [{ name: 'host', value: 'echo.local' }], host: 'echo.local' }
ENVELOPES['a WebSocket and a request in its middle over HTTP/2'] = {
  ...common,
  generation: 5,
  hops: 5,
  idleLeft: 20_000,
  tls: undefined,
  application: {
    protocol: 'http2_streams',
    requestsServed: 2,
    http: tunnelled,
    passengers: [
      {
        streamId: socket,
        index: 0,
        request: { method: 'GET', target: '/echo/chat', ...asked },
        frozen: {
          kind: 'websocket',
          subprotocol: 'chat',
          socket: {
            inbound: new Uint8Array(0),
            outbound: utf8('\u0081'),
            partial: { kind: 'text', data: utf8('Hel') },
            closeSent: false,
          },
          state: utf8('{"count":3}'),
        },
      },
      {
        streamId: upload,
        index: 1,
        request: { method: 'POST', target: '/echo/shout', ...asked },
        frozen: {
          kind: 'upload',
          call: {
            callId: '4bf92f35-77b3-4da6-a3ce-929d0e0e4737',
            status: 200,
            began: 1_795_996_800_000,
            deadline: undefined,
            age: 100,
            given: 3,
            content: utf8('HEL'),
            state: utf8('1'),
          },
          unread: utf8('lo'),
        },
      },
    ],
  },
}

const vectors = Object.entries(ENVELOPES).map(([name, envelope]) => ({
  name,
  envelope: JSON.parse(JSON.stringify(envelope, (_, value) => (value instanceof Uint8Array ? hex(value) : value))),
  bytes: hex(encodeEnvelope(envelope)),
}))
writeFileSync(
  new URL('./envelope-v7.json', import.meta.url),
  `${JSON.stringify({ formatVersion: FORMAT_VERSION, vectors }, undefined, 2)}\n`,
)
