import { describe, expect, it } from 'vitest'
import { CipherSuiteId } from '../../src/tls13/codepoints.ts'
import type { ClientConfig, ReplayStore, ServerConfig } from '../../src/tls13/config.ts'
import { createCookieSealer } from '../../src/tls13/cookie.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { EXTENSIONS } from '../../src/tls13/extensions.ts'
import type { MessageOf } from '../../src/tls13/messages.ts'
import { plaintextRecord } from '../../src/tls13/record.ts'
import { createReplayStore } from '../../src/tls13/replay.ts'
import { Session } from '../../src/tls13/session.ts'
import type { ResumptionTicket } from '../../src/tls13/state.ts'
import { concat, EMPTY, utf8 } from '../../src/wire/index.ts'
import {
  clientConfig,
  connectedPair,
  createPair,
  dataOf,
  joined,
  NOW,
  outputOf,
  type Pair,
  recordsOf,
  serverConfig,
  ticketSealer,
} from '../support/pair.ts'
import { providers } from '../support/providers.ts'
import { reshape, withValue } from '../support/reshape.ts'
import { Scene } from '../support/scene.ts'

const anything: ReplayStore = { register: () => true }
const tickets = { sealer: ticketSealer() }
const taking = (more: Partial<ServerConfig> = {}): Partial<ServerConfig> => ({
  tickets,
  earlyData: { maximum: 1000, replay: anything },
  ...more,
})

function ticketOf(
  client: Partial<ClientConfig> = {},
  server: Partial<ServerConfig> = taking(),
): ResumptionTicket {
  for (const event of connectedPair(client, server).clientEvents) {
    if (event.type === 'new_session_ticket') return event.ticket
  }
  throw new Error('no ticket')
}

/** Sends early data and goes on to the end. */
function tryEarly(client: Partial<ClientConfig>, server: Partial<ServerConfig>, data = utf8('early')): Pair {
  const pair = createPair({ earlyData: true, ...client }, server)
  pair.client.sendEarly(data)
  pair.settle()
  return pair
}

const early = ({ serverEvents }: Pair) =>
  dataOf(serverEvents.filter(event => event.type === 'application_data' && event.early === true))
const verdict = ({ clientEvents }: Pair) =>
  clientEvents.flatMap(event => (event.type === 'early_data' ? [event.accepted] : []))

function expectConnected(pair: Pair): void {
  expect([pair.client.connected, pair.server.connected]).toEqual([true, true])
  pair.client.send(utf8('late'))
  pair.server.send(utf8('answer'))
  pair.settle()
  expect(pair.serverEvents.at(-1)).toEqual({ type: 'application_data', data: utf8('late') })
  expect(dataOf(pair.clientEvents)).toEqual(utf8('answer'))
}

describe.each(providers)('$name', provider => {
  it('early data is accepted, marked, and followed by the rest', () => {
    const pair = tryEarly({ provider, resume: ticketOf() }, { ...taking(), provider })
    expect(early(pair)).toEqual(utf8('early'))
    expect(verdict(pair)).toEqual([true])
    expect(pair.serverEvents.map(({ type }) => type)).toEqual(['application_data', 'handshake_complete'])
    expectConnected(pair)
  })

  it('the same hello twice is refused as early data, and the handshake goes on', () => {
    const server = { ...taking({ earlyData: { maximum: 1000, replay: createReplayStore() } }), provider }
    const client = Session.client(clientConfig({ provider, resume: ticketOf(), earlyData: true }))
    client.sendEarly(utf8('once'))
    const first = outputOf(client)
    const attempts = [1, 2].map(() => Session.server(serverConfig(server)))
    const events = attempts.map(session => session.receive(first))
    expect(events.map(dataOf)).toEqual([utf8('once'), utf8('')])
    // the holder of the key can go on with the second one
    const second = joined(client, attempts[1]!)
    second.settle()
    expect(verdict(second)).toEqual([false])
    expectConnected(second)
  })
})

describe('goes out', () => {
  it('as much as the ticket allows, and as long as the handshake lasts', () => {
    const { client, server } = createPair({ resume: ticketOf(), earlyData: true }, taking())
    expect(client.sendEarly(new Uint8Array(400))).toBe(400)
    server.receive(outputOf(client))
    expect(client.sendEarly(new Uint8Array(700))).toBe(600)
    expect(client.sendEarly(utf8('x'))).toBe(0)
    const pair = joined(client, server)
    pair.settle()
    expect(client.sendEarly(utf8('x'))).toBe(0)
    expect(early(pair).length).toBe(600)
  })

  it('until the server has said no', () => {
    const { client, server } = createPair({ resume: ticketOf(), earlyData: true }, { tickets })
    server.receive(outputOf(client))
    client.receive(outputOf(server))
    expect(client.sendEarly(utf8('x'))).toBe(0)
  })

  const rows: readonly [string, () => Partial<ClientConfig>][] = [
    ['it is not asked for', () => ({ resume: ticketOf(), earlyData: false })],
    ['there is no ticket', () => ({ earlyData: true })],
    ['the ticket does not allow it', () => ({ resume: ticketOf({}, { tickets }), earlyData: true })],
    [
      "the ticket's protocol is not on offer",
      () => ({ resume: { ...ticketOf(), alpn: 'h2' }, alpn: ['http/1.1'], earlyData: true }),
    ],
    ['the ticket has expired', () => ({ resume: ticketOf(), earlyData: true, now: () => NOW + 8e6 })],
  ]
  it.each(rows)('not if %s', (_, config) => {
    const pair = tryEarly(config(), taking())
    expect(pair.client.sendEarly(utf8('x'))).toBe(0)
    expect([early(pair).length, verdict(pair)]).toEqual([0, []])
    expectConnected(pair)
  })
})

describe('is refused, and passed over, and the handshake goes on', () => {
  const rows: readonly [string, () => Partial<ServerConfig>, (() => Partial<ClientConfig>)?][] = [
    ['by a server that takes none', () => ({ tickets })],
    ['by a server that takes no tickets', () => ({})],
    [
      'by a server that has seen it',
      () => taking({ earlyData: { maximum: 9, replay: { register: () => false } } }),
    ],
    [
      'with a ticket that seems older than it is',
      () => taking(),
      () => ({ resume: { ...ticketOf(), receivedAt: NOW - 10_001 } }),
    ],
    ['that is too old', () => taking({ now: () => NOW + 10_001 })],
    [
      'with another protocol',
      () => taking({ alpn: ['b'] }),
      () => ({ resume: ticketOf({ alpn: ['a'] }, taking({ alpn: ['a'] })), alpn: ['a', 'b'] }),
    ],
    [
      'with another suite of the same hash',
      () =>
        taking({
          provider: {
            ...node,
            cipherSuites: node.cipherSuites.filter(
              ({ id }) => id === CipherSuiteId.TLS_CHACHA20_POLY1305_SHA256,
            ),
          },
        }),
    ],
    ['with a HelloRetryRequest', () => taking(), () => ({ keyShares: [] })],
    [
      'with a HelloRetryRequest and a cookie of which nothing is kept',
      () => taking({ cookies: createCookieSealer(node, new Uint8Array(16)) }),
    ],
    [
      'with a cookie and no session id',
      () => taking({ cookies: createCookieSealer(node, new Uint8Array(16)) }),
      () => ({ compatibilityMode: false }),
    ],
  ]
  it.each(rows)('%s', (_, server, client) => {
    for (const data of [utf8('early'), new Uint8Array(1000)]) {
      const pair = tryEarly({ resume: ticketOf(), ...client?.() }, server(), data)
      expect([early(pair).length, verdict(pair)]).toEqual([0, [false]])
      expectConnected(pair)
    }
  })

  it('in records of the largest size, and in one byte at a time', () => {
    const big = taking({ earlyData: { maximum: 40_000, replay: anything } })
    const ticket = ticketOf({}, big)
    for (const keyShares of [undefined, []]) {
      const pair = createPair(
        { resume: ticket, earlyData: true, ...(keyShares === undefined ? {} : { keyShares }) },
        { tickets },
      )
      pair.client.sendEarly(new Uint8Array(20_000))
      for (const byte of outputOf(pair.client)) expect(pair.server.receive(Uint8Array.of(byte))).toEqual([])
      pair.settle()
      expectConnected(pair)
    }
  })

  it.each<[string, Partial<ServerConfig>, Partial<ClientConfig>]>([
    ['', taking(), {}],
    [' by a server that takes none', {}, {}],
    [' with a HelloRetryRequest', taking(), { keyShares: [] }],
    [' with a cookie', taking({ cookies: createCookieSealer(node, new Uint8Array(16)) }), {}],
    [' with a PSK that the server does not know', { earlyData: taking().earlyData! }, { resume: ticketOf() }],
  ])('where it comes without a PSK%s (§4.2.10)', (_, server, client) => {
    const offers = reshape('client_hello', (m, turn) => (turn === 0 ? offeredAgain(m) : {}))
    const pair = createPair({ shape: offers(), ...client }, server)
    pair.server.receive(outputOf(pair.client))
    for (const length of [17, 1000, 16_384 + 256])
      expect(pair.server.receive(plaintextRecord(23, new Uint8Array(length).fill(7)))).toEqual([])
    pair.settle()
    expectConnected(pair)
  })

  it('but not more of it than is bearable', () => {
    const ticket = ticketOf({}, taking({ earlyData: { maximum: 100_000, replay: anything } }))
    for (const keyShares of [undefined, []]) {
      const pair = tryEarly(
        { resume: ticket, ...(keyShares === undefined ? {} : { keyShares }) },
        { tickets },
        new Uint8Array(100_000),
      )
      const alert = keyShares === undefined ? 'bad_record_mac' : 'unexpected_message'
      expect(pair.serverEvents.at(-1)).toMatchObject({ type: 'alert', from: 'local', alert })
    }
  })

  it('and nothing is passed over once a record has opened', () => {
    const { client, server } = createPair({ resume: ticketOf(), earlyData: true }, { tickets })
    client.sendEarly(utf8('early'))
    const [hello, ...rest] = recordsOf(outputOf(client))
    server.receive(concat(hello!, ...rest))
    client.receive(outputOf(server))
    server.receive(outputOf(client))
    expect(server.connected).toBe(true)
    expect(server.receive(rest.at(-1)!)).toMatchObject([{ type: 'alert', alert: 'bad_record_mac' }])
  })
})

/** early_data in front of the others: pre_shared_key has to be the last. */
function offeredAgain({ extensions }: MessageOf<'client_hello'>) {
  return { extensions: [{ extensionType: EXTENSIONS.early_data.type, extensionData: EMPTY }, ...extensions] }
}

describe('what a peer must not do', () => {
  it('send more than was allowed', () => {
    const pair = tryEarly({ resume: { ...ticketOf(), maxEarlyData: 2000 } }, taking(), new Uint8Array(1001))
    expect(pair.serverEvents.at(-1)).toMatchObject({
      type: 'alert',
      from: 'local',
      alert: 'unexpected_message',
    })
  })

  it('offer it after a HelloRetryRequest', () => {
    const again = reshape('client_hello', (m, turn) => (turn === 1 ? offeredAgain(m) : {}))
    const pair = tryEarly({ resume: ticketOf(), keyShares: [], shape: again() }, taking())
    expect(pair.serverEvents.at(-1)).toMatchObject({ type: 'alert', alert: 'illegal_parameter' })
  })

  const accept = reshape('encrypted_extensions', m => withValue(m, 'EE', 'early_data', {}))
  const rows: readonly [string, () => Partial<ClientConfig>, () => Partial<ServerConfig>, string][] = [
    ['accept what was not offered', () => ({}), () => ({ shape: accept() }), 'unsupported_extension'],
    [
      'accept it after a HelloRetryRequest',
      () => ({ resume: ticketOf(), earlyData: true, keyShares: [] }),
      () => ({ ...taking(), shape: accept() }),
      // the second hello did not offer it any more
      'unsupported_extension',
    ],
    [
      'accept it without its PSK',
      () => ({ resume: ticketOf(), earlyData: true }),
      () => ({ shape: accept() }),
      'illegal_parameter',
    ],
    [
      'accept it with another suite',
      () => ({ resume: ticketOf(), earlyData: true }),
      () => ({
        tickets,
        shape: accept(),
        provider: {
          ...node,
          cipherSuites: node.cipherSuites.filter(
            ({ id }) => id === CipherSuiteId.TLS_CHACHA20_POLY1305_SHA256,
          ),
        },
      }),
      'illegal_parameter',
    ],
    [
      'accept it and choose another protocol',
      () => ({
        resume: ticketOf({ alpn: ['a'] }, taking({ alpn: ['a'] })),
        alpn: ['a', 'b'],
        earlyData: true,
      }),
      () => ({ tickets, alpn: ['b'], shape: accept() }),
      'illegal_parameter',
    ],
  ]
  it.each(rows)('%s', (_, client, server, alert) => {
    const pair = createPair(client(), server())
    pair.settle()
    expect(pair.clientEvents.at(-1)).toMatchObject({ type: 'alert', from: 'local', alert })
  })

  it.each([
    ['nothing but EndOfEarlyData and data', 20, 'unexpected_message'],
    ['no EndOfEarlyData with content', 5, 'decode_error'],
  ])('%s may come', (_, type, alert) => {
    const { client, server } = createPair({ resume: ticketOf(), earlyData: true }, taking())
    server.receive(outputOf(client))
    expect(server.inspect().handshake.state).toBe('WAIT_EOED')
    const scene = new Scene(server, [])
    const { events } = scene.provoke(scene.handshake(Uint8Array.of(type, 0, 0, 1, 0)))
    expect(events).toMatchObject([{ type: 'alert', from: 'local', alert }])
  })
})

describe('a replay store', () => {
  const hash = (seed: number) => new Uint8Array(32).fill(seed)

  it('says yes once', () => {
    const store = createReplayStore()
    expect([1, 2, 1, 2, 3].map(seed => store.register(hash(seed), NOW + 10, NOW))).toEqual([
      true,
      true,
      false,
      false,
      true,
    ])
  })

  it('forgets what has expired, and refuses when it is full', () => {
    const store = createReplayStore({ limit: 2 })
    expect(store.register(hash(1), NOW + 10, NOW)).toBe(true)
    expect(store.register(hash(2), NOW + 20, NOW + 10)).toBe(true)
    expect(store.register(hash(3), NOW + 20, NOW + 10)).toBe(false)
    expect(store.register(hash(3), NOW + 21, NOW + 11)).toBe(true)
    expect(store.register(hash(2), NOW + 21, NOW + 11)).toBe(false)
  })

  it('that has just begun knows nothing of what was before', () => {
    const store = createReplayStore({ since: NOW })
    expect(store.register(hash(1), NOW + 9 + 20, NOW + 9)).toBe(false)
    expect(store.register(hash(1), NOW + 20 + 20, NOW + 20)).toBe(true)
  })
})
