import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { ClientConfig, ServerConfig } from '../../src/tls13/config.ts'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { Session } from '../../src/tls13/session.ts'
import { freshServerState, SessionState } from '../../src/tls13/state.ts'
import { decode, EMPTY, encode, hex, utf8 } from '../../src/wire/index.ts'
import { because } from '../support/alert.ts'
import { certificateOf, newIdentity, trusting } from '../support/identity.ts'
import {
  clientConfig,
  connectedPair,
  createPair,
  dataOf,
  joined,
  outputOf,
  type Pair,
  recordsOf,
  serverConfig,
  ticketSealer,
} from '../support/pair.ts'
import { seeded } from '../support/random.ts'

/** Every method that does something with the session. */
const METHODS: readonly [string, (session: Session) => unknown][] = [
  ['receive', session => session.receive(Uint8Array.of(1))],
  ['feed', session => session.feed(Uint8Array.of(1))],
  ['next', session => session.next()],
  ['settle', session => session.settle()],
  ['send', session => session.send(Uint8Array.of(1))],
  ['updateKeys', session => session.updateKeys(false)],
  ['sendTickets', session => session.sendTickets(1)],
  ['close', session => session.close()],
  ['takeOutput', session => session.takeOutput()],
  ['exportKeyingMaterial', session => session.exportKeyingMaterial('x', EMPTY, 1)],
  ['trafficKeys', session => session.trafficKeys()],
  ['inspect', session => session.inspect()],
  ['inspect with secrets', session => session.inspect('with secrets')],
  ['release', session => session.release()],
]

describe('a released session (TRAP 1)', () => {
  it.each(METHODS)('refuses %s', (_, call) => {
    const { server } = connectedPair()
    server.release()
    expect(() => call(server)).toThrow('this session was released')
  })

  it('says nothing when it is released, and takes the unsent with it (TRAP 3, 8)', () => {
    const { client, server } = connectedPair()
    server.send(utf8('sealed, not yet written'))
    const state = server.release()
    expect(client.receive(state.outbound)).toMatchObject([{ type: 'application_data' }])
  })

  it('keeps nothing of what it gave away', () => {
    const { server } = connectedPair()
    const secret = hex(server.inspect('with secrets').write!.trafficSecret)
    expect(server.connected).toBe(true)
    server.release()
    expect([server.connected, server.serverName, server.alpn, server.buffered]).toEqual([
      false,
      undefined,
      undefined,
      0,
    ])
    expect(inspect(server, { showHidden: true, depth: 9 })).not.toContain(secret)
  })

  it('takes along what has been fed and not been read', () => {
    const { client, server } = connectedPair()
    client.send(utf8('x'))
    server.feed(outputOf(client))
    expect(server.release().inboundRecords.length).toBeGreaterThan(0)
  })

  it('two events in one record never wait for each other', () => {
    const { client, server } = createPair()
    server.receive(outputOf(client))
    client.receive(outputOf(server))
    client.send(utf8('early bird'))
    server.feed(outputOf(client))
    expect(server.next()?.type).toBe('handshake_complete')
    const state = decode(SessionState, encode(SessionState, server.release()))
    const heir = Session.restore(state, serverConfig())
    expect(dataOf(heir.receive(EMPTY))).toEqual(utf8('early bird'))
  })
})

describe('secrets (TRAP 10)', () => {
  const secretsOf = (state: SessionState): string[] =>
    state.handshake.state === 'CONNECTED'
      ? [
          state.handshake.exporterMasterSecret,
          state.handshake.resumptionMasterSecret,
          state.read!.trafficSecret,
          state.write!.trafficSecret,
        ].map(hex)
      : []

  it('are zeros in inspect(), and there if asked for by name', () => {
    const { client, server } = connectedPair()
    for (const session of [client, server]) {
      const zeros = '00'.repeat(32)
      expect(secretsOf(session.inspect())).toEqual([zeros, zeros, zeros, zeros])
      expect(new Set(secretsOf(session.inspect('with secrets'))).size).toBe(4)
      expect(secretsOf(session.inspect('with secrets'))).not.toContain(zeros)
    }
    expect(secretsOf(client.inspect('with secrets')).slice(0, 2)).toEqual(
      secretsOf(server.inspect('with secrets')).slice(0, 2),
    )
  })

  it('of a handshake that is under way are zeros, too', () => {
    const { client, server } = createPair(
      { resume: earlierTicket() },
      { tickets: { sealer: ticketSealer() } },
    )
    const { handshake } = client.inspect()
    if (handshake.state !== 'WAIT_SH') throw new Error(handshake.state)
    expect(handshake.keyShares.map(({ privateKey }) => hex(privateKey))).toEqual(['00'.repeat(32)])
    expect(hex(handshake.psks[0]!.psk)).toBe('00'.repeat(32))
    server.receive(outputOf(client))
    const waiting = server.inspect().handshake
    if (!('clientApplicationTrafficSecret' in waiting)) throw new Error(waiting.state)
    expect(hex(waiting.masterSecret)).toBe('00'.repeat(32))
    expect(hex(waiting.clientApplicationTrafficSecret)).toBe('00'.repeat(32))
  })

  it('are not in what util.inspect or JSON show of a session', () => {
    const { client, server } = connectedPair()
    for (const session of [client, server]) {
      const secrets = secretsOf(session.inspect('with secrets'))
      for (const shown of [inspect(session, { showHidden: true, depth: 9 }), JSON.stringify(session)]) {
        expect(shown.length).toBeLessThan(1000)
        for (const secret of secrets) expect(shown).not.toContain(secret.slice(0, 16))
      }
    }
  })

  it('inspect() gives a copy: the session does not care what becomes of it', () => {
    const { client, server } = connectedPair()
    const copy = server.inspect('with secrets')
    copy.write!.trafficSecret.fill(0)
    copy.write!.sequenceNumber = 99
    server.send(utf8('still works'))
    expect(dataOf(client.receive(outputOf(server)))).toEqual(utf8('still works'))
  })

  it('go to onSecret alone, once each, the same on both sides', () => {
    const seen: Record<string, string[]> = { client: [], server: [] }
    const recorder =
      (role: string): ServerConfig['onSecret'] & {} =>
      ({ name, secret }, clientRandom) =>
        seen[role]!.push(`${name} ${hex(secret)} ${hex(clientRandom)}`)
    const { client } = connectedPair({ onSecret: recorder('client') }, { onSecret: recorder('server') })
    expect(seen.client!.sort()).toEqual(seen.server!.sort())
    expect(seen.client!.length).toBe(9)
    // the client random is part of the state only while the caller logs keys
    expect(client.inspect().clientRandom?.length).toBe(32)
    expect(connectedPair().client.inspect().clientRandom).toBeUndefined()
  })
})

describe('misuse of the interface is an Error, never an alert', () => {
  const unconnected = (): Session => createPair().server

  it.each([
    ['send', (session: Session) => session.send(utf8('x'))],
    ['updateKeys', (session: Session) => session.updateKeys(true)],
    ['sendTickets', (session: Session) => session.sendTickets(1)],
    ['exportKeyingMaterial', (session: Session) => session.exportKeyingMaterial('x', EMPTY, 16)],
  ] as const)('%s before the handshake is over', (_, call) => {
    const session = unconnected()
    expect(() => call(session)).toThrow(/handshake/)
    expect(outputOf(session)).toEqual(EMPTY)
    expect(session.closed).toBe(false)
  })

  it.each([
    ['send', (session: Session) => session.send(utf8('x'))],
    ['updateKeys', (session: Session) => session.updateKeys(true)],
    ['sendTickets', (session: Session) => session.sendTickets(1)],
  ] as const)('%s after close', (_, call) => {
    const { server } = connectedPair()
    server.close()
    outputOf(server)
    expect(() => call(server)).toThrow('closed for writing')
    expect(outputOf(server)).toEqual(EMPTY)
  })

  it('tickets from a client', () => {
    expect(() => connectedPair().client.sendTickets(1)).toThrow('only a server')
  })

  it('close twice says it once', () => {
    const { server, client } = connectedPair()
    server.close()
    server.close()
    expect(client.receive(outputOf(server))).toEqual([{ type: 'close_notify' }])
    expect([server.closed, client.closed]).toEqual([false, false])
    client.close()
    server.receive(outputOf(client))
    expect([server.closed, client.closed]).toEqual([true, true])
  })

  it('a key share for a group that the provider does not have', () => {
    expect(() => Session.client(clientConfig({ keyShares: [0x0001] }))).toThrow(TypeError)
  })

  it('the state of one role with the configuration of the other (TRAP 9)', () => {
    const { client, server } = connectedPair()
    const swapped: readonly [Session, ServerConfig | ClientConfig][] = [
      [client, serverConfig()],
      [server, clientConfig()],
    ]
    for (const [session, config] of swapped) {
      const state = session.inspect('with secrets')
      expect(() => Session.restore(state, config)).toThrow(because('role_mismatch'))
    }
  })

  it('a provider without the cipher suite of the state', () => {
    const state = connectedPair().server.inspect('with secrets')
    const poor = { ...node, cipherSuites: node.cipherSuites.slice(1) }
    expect(() => Session.restore(state, serverConfig({ provider: poor }))).toThrow(
      because('missing_cipher_suite'),
    )
  })
})

describe('a moved session', () => {
  const moved = (session: Session, config: ServerConfig | ClientConfig): Session =>
    Session.restore(decode(SessionState, encode(SessionState, session.release())), config)

  it('goes on counting its tickets: no two of them share a PSK (TRAP 6)', () => {
    const tickets = { sealer: ticketSealer() }
    const { client, server, clientEvents } = connectedPair({}, { tickets })
    let heir: Session = server
    for (let i = 0; i < 3; i++) {
      heir = moved(heir, serverConfig({ tickets }))
      heir.sendTickets(2)
      clientEvents.push(...client.receive(outputOf(heir)))
    }
    const psks = clientEvents.flatMap(event =>
      event.type === 'new_session_ticket' ? [hex(event.ticket.psk)] : [],
    )
    expect(psks.length).toBe(8)
    expect(new Set(psks).size).toBe(8)
    const { handshake } = heir.inspect()
    expect(handshake.state === 'CONNECTED' && handshake.ticketsIssued).toBe(8)
  })

  it('knows its names, its exporter and its resumption secret (TRAP 7)', () => {
    const alpn = ['h2']
    const { client, server } = connectedPair({ alpn }, { alpn })
    const material = server.exportKeyingMaterial('EXPORTER-test', utf8('context'), 40)
    const before = server.inspect('with secrets').handshake
    const heir = moved(server, serverConfig({ provider: noble, alpn }))
    expect([heir.serverName, heir.alpn, heir.cipherSuite, heir.role]).toEqual([
      'echo.local',
      'h2',
      'TLS_AES_128_GCM_SHA256',
      'server',
    ])
    expect(heir.exportKeyingMaterial('EXPORTER-test', utf8('context'), 40)).toEqual(material)
    expect(client.exportKeyingMaterial('EXPORTER-test', utf8('context'), 40)).toEqual(material)
    expect(heir.inspect('with secrets').handshake).toEqual(before)
  })

  it('still owes the KeyUpdate that it was asked for (TRAP 15)', () => {
    const { client, server } = connectedPair()
    client.updateKeys(true)
    expect(server.receive(outputOf(client))).toEqual([{ type: 'key_update', updateRequested: true }])
    const heir = moved(server, serverConfig({ provider: noble }))
    expect(client.receive(outputOf(heir))).toEqual([{ type: 'key_update', updateRequested: false }])
    heir.send(utf8('under the new key'))
    expect(dataOf(client.receive(outputOf(heir)))).toEqual(utf8('under the new key'))
  })

  it('has half a KeyUpdate in it (TRAP 11)', () => {
    const { client, server } = connectedPair({ padding: () => 3 })
    const state = client.inspect('with secrets')
    client.updateKeys(false)
    const [record] = recordsOf(outputOf(client))
    server.receive(record!.slice(0, 11))
    const heir = moved(server, serverConfig())
    expect(heir.buffered).toBe(11)
    expect(heir.receive(record!.slice(11))).toEqual([{ type: 'key_update', updateRequested: false }])
    expect(state.write!.sequenceNumber).toBe(0)
  })

  it('stays half closed in either direction (TRAP 16)', () => {
    const { client, server } = connectedPair()
    client.close()
    expect(server.receive(outputOf(client))).toEqual([{ type: 'close_notify' }])
    const heir = moved(server, serverConfig())
    heir.send(utf8('you may listen'))
    expect(dataOf(client.receive(outputOf(heir)))).toEqual(utf8('you may listen'))
    expect(heir.receive(utf8('whatever comes now is ignored'))).toEqual([])
    const other = moved(client, clientConfig())
    expect(() => other.send(utf8('x'))).toThrow('closed for writing')
  })

  it('that has failed stays so', () => {
    const { server } = connectedPair()
    server.receive(Uint8Array.of(255))
    const heir = moved(server, serverConfig())
    expect(recordsOf(outputOf(heir)).length).toBe(1)
    expect(heir.closed).toBe(true)
    expect(heir.receive(Uint8Array.of(255))).toEqual([])
  })

  it('can be fresh: bytes that another process has read (TRAP 11)', () => {
    const client = Session.client(clientConfig())
    const bytes = outputOf(client)
    const state = freshServerState(bytes.slice(0, 100))
    const server = Session.restore(decode(SessionState, encode(SessionState, state)), serverConfig())
    const pair = joined(client, server)
    server.receive(bytes.slice(100))
    pair.settle()
    expect([client.connected, server.connected]).toEqual([true, true])
  })
})

describe('memory', () => {
  it.each(['Buffer', 'Uint8Array'])('what is left of a fed %s is copied (TRAP 27)', kind => {
    const { client, server } = connectedPair()
    client.send(utf8('hello'))
    const record = outputOf(client)
    const half = kind === 'Buffer' ? Buffer.from(record.slice(0, 9)) : record.slice(0, 9)
    server.receive(half)
    half.fill(0)
    expect(dataOf(server.receive(record.slice(9)))).toEqual(utf8('hello'))
  })

  it.each(['Buffer', 'Uint8Array'])('a released state shares none with a fed %s', kind => {
    const { client, server } = connectedPair()
    client.send(utf8('hello'))
    const record = outputOf(client)
    const given = kind === 'Buffer' ? Buffer.from(record) : record.slice()
    server.feed(given)
    const { inboundRecords } = server.release()
    given.fill(0)
    expect(hex(inboundRecords)).toBe(hex(record))
    expect(Object.getPrototypeOf(inboundRecords)).toBe(Uint8Array.prototype)
  })

  it('settle() makes fed memory the caller’s again before everything has been read', () => {
    const { client, server } = connectedPair()
    client.send(utf8('one'))
    client.send(utf8('two'))
    const bytes = outputOf(client)
    server.feed(bytes)
    expect(server.next()).toMatchObject({ data: utf8('one') })
    server.settle()
    bytes.fill(0)
    expect(server.next()).toMatchObject({ data: utf8('two') })
  })

  it('data that is sent may change afterwards', () => {
    const { client, server } = connectedPair()
    const data = utf8('hello')
    client.send(data)
    data.fill(0)
    expect(dataOf(server.receive(outputOf(client)))).toEqual(utf8('hello'))
  })
})

describe('application data', () => {
  it.each([0, 1, 2 ** 14 - 1, 2 ** 14, 2 ** 14 + 1, 50_000])(
    '%i bytes arrive, in records of at most 2^14',
    length => {
      const { client, server } = connectedPair()
      const data = seeded(length)(length)
      client.send(data)
      const output = outputOf(client)
      const records = recordsOf(output)
      expect(records.length).toBe(Math.ceil(length / 2 ** 14))
      for (const record of records) expect(record.length).toBeLessThanOrEqual(5 + 2 ** 14 + 1 + 16)
      expect(hex(dataOf(server.receive(output)))).toBe(hex(data))
    },
  )

  it('padding hides the length and changes nothing else; it never makes a record too long', () => {
    const pair = connectedPair({ padding: length => 1000 - (length % 1000) })
    const sizes = [1, 5, 999].map(length => {
      pair.client.send(new Uint8Array(length).fill(7))
      const output = outputOf(pair.client)
      expect(dataOf(pair.server.receive(output)).length).toBe(length)
      return output.length
    })
    expect(new Set(sizes).size).toBe(1)
    const greedy = connectedPair({ padding: () => 1e9 })
    greedy.client.send(new Uint8Array(20_000).fill(7))
    expect(dataOf(greedy.server.receive(outputOf(greedy.client))).length).toBe(20_000)
  })

  it('an empty record is no event', () => {
    const { client, server } = connectedPair()
    client.send(EMPTY)
    expect(outputOf(client)).toEqual(EMPTY)
    expect(server.receive(EMPTY)).toEqual([])
  })
})

describe('a key wears out (§5.5)', () => {
  const LIMIT = 24
  const worn = {
    ...node,
    cipherSuites: node.cipherSuites.map(suite => ({
      ...suite,
      aead: { ...suite.aead, confidentialityLimit: LIMIT },
    })),
  }

  it('and is changed before it does, in time for the KeyUpdate itself', () => {
    const { client, server } = connectedPair({ provider: worn })
    let updates = 0
    for (let i = 0; i < 100; i++) {
      client.send(Uint8Array.of(i))
      expect(client.trafficKeys().write!.sequenceNumber).toBeLessThan(LIMIT)
      const events = server.receive(outputOf(client))
      updates += events.filter(({ type }) => type === 'key_update').length
      expect(dataOf(events)).toEqual(Uint8Array.of(i))
    }
    expect(updates).toBeGreaterThan(100 / LIMIT)
  })

  it('also within one long send', () => {
    const { client, server } = connectedPair({ provider: worn })
    client.send(new Uint8Array(2 ** 14 * 30))
    const events = server.receive(outputOf(client))
    expect(dataOf(events).length).toBe(2 ** 14 * 30)
    expect(events.filter(({ type }) => type === 'key_update').length).toBeGreaterThan(1)
  })

  it('and under tickets alone, too', () => {
    const tickets = { sealer: ticketSealer() }
    const { client, server, clientEvents } = connectedPair({}, { provider: worn, tickets })
    for (let i = 0; i < 40; i++) {
      server.sendTickets(1)
      clientEvents.push(...client.receive(outputOf(server)))
    }
    expect(clientEvents.filter(({ type }) => type === 'new_session_ticket').length).toBe(42)
    expect(clientEvents.some(({ type }) => type === 'key_update')).toBe(true)
  })
})

describe('KeyUpdate', () => {
  it('is answered when asked for, once however often it was asked for', () => {
    const { client, server } = connectedPair()
    client.updateKeys(true)
    client.updateKeys(true)
    server.receive(outputOf(client))
    expect(client.receive(outputOf(server))).toEqual([{ type: 'key_update', updateRequested: false }])
  })

  it('is not answered on a connection that we have closed', () => {
    const { client, server } = connectedPair()
    server.close()
    client.receive(outputOf(server))
    client.updateKeys(true)
    client.send(utf8('x'))
    expect(dataOf(server.receive(outputOf(client)))).toEqual(utf8('x'))
    expect(outputOf(server)).toEqual(EMPTY)
  })

  it('changes the keys of one direction and starts its numbers anew', () => {
    const { client, server } = connectedPair()
    const before = client.trafficKeys()
    client.updateKeys(false)
    const after = client.trafficKeys()
    expect(after.read).toEqual(before.read)
    expect(after.write!.sequenceNumber).toBe(0)
    expect(hex(after.write!.key)).not.toBe(hex(before.write!.key))
    server.receive(outputOf(client))
    expect(server.trafficKeys().read).toEqual(after.write)
  })
})

describe('tickets', () => {
  it('cannot outnumber their nonces', () => {
    const { server } = connectedPair({}, { tickets: { sealer: ticketSealer() } })
    expect(() => server.sendTickets(65_536)).toThrow(RangeError)
    expect(outputOf(server)).toEqual(EMPTY)
  })

  it('are not sent to a client that cannot take them', () => {
    const { clientEvents } = connectedPair(
      { shape: message => (message.type === 'client_hello' ? withoutModes(message) : message) },
      { tickets: { sealer: ticketSealer() } },
    )
    expect(clientEvents.map(({ type }) => type)).toEqual(['handshake_complete'])
  })

  it('of lifetime zero are thrown away', () => {
    const { clientEvents } = connectedPair({}, { tickets: { sealer: ticketSealer(), lifetimeSeconds: 0 } })
    expect(clientEvents.map(({ type }) => type)).toEqual(['handshake_complete'])
  })
})

describe('every pair of key exchange, signature and cipher suite', () => {
  const kinds = ['p256', 'p384', 'rsa2048'] as const

  it.each(kinds)('a certificate with a key of %s', kind => {
    const identity = newIdentity(kind)
    const pair = connectedPair(
      { verify: trusting(identity), provider: noble },
      { certificates: [certificateOf(identity, node)] },
    )
    exchange(pair)
  })

  it.each(node.groups)('$name', group => {
    exchange(connectedPair({ keyShares: [group.id] }, { provider: noble }))
    // and after a HelloRetryRequest
    exchange(connectedPair({}, { provider: { ...node, groups: [group] } }))
  })

  it.each(node.cipherSuites)('$name', suite => {
    const provider = { ...node, cipherSuites: [suite] }
    const { client, server, ...rest } = connectedPair({ provider: noble }, { provider })
    expect(server.cipherSuite).toBe(suite.name)
    exchange({ client, server, ...rest })
  })
})

it('ALPN names are characters, not bytes', () => {
  const alpn = ['grüße/1']
  const { client, server } = connectedPair({ alpn }, { alpn })
  expect([client.alpn, server.alpn]).toEqual([alpn[0], alpn[0]])
})

function exchange({ client, server }: Pair): void {
  client.send(utf8('ping'))
  expect(dataOf(server.receive(outputOf(client)))).toEqual(utf8('ping'))
  server.send(utf8('pong'))
  expect(dataOf(client.receive(outputOf(server)))).toEqual(utf8('pong'))
}

function withoutModes<M extends { readonly extensions: readonly { readonly extensionType: number }[] }>(
  message: M,
): M {
  return { ...message, extensions: message.extensions.filter(({ extensionType }) => extensionType !== 45) }
}

function earlierTicket() {
  for (const event of connectedPair({}, { tickets: { sealer: ticketSealer() } }).clientEvents) {
    if (event.type === 'new_session_ticket') return event.ticket
  }
  throw new Error('no ticket')
}

describe('a state that makes no sense', () => {
  const changed = (change: (state: SessionState) => unknown) => () => {
    const state = connectedPair().server.release()
    change(state)
    Session.restore(state, serverConfig())
  }

  it.each<[string, (state: SessionState) => unknown]>([
    ['nothing to open with', state => Object.assign(state, { read: undefined })],
    ['nothing to seal with', state => Object.assign(state, { write: undefined })],
    [
      'a secret of another length',
      state => Object.assign(state.read!, { trafficSecret: new Uint8Array(48) }),
    ],
    ['records of no bytes', state => Object.assign(state, { recordSizeLimits: { write: 0, read: 16384 } })],
    ['no suite', state => Object.assign(state, { cipherSuite: 0 })],
  ])('is refused before anything is done with it: %s', (_, change) => {
    expect(changed(change)).toThrow(
      expect.objectContaining({ alert: 'internal_error', origin: 'configuration' }),
    )
  })
})
