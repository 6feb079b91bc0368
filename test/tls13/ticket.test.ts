import { describe, expect, it } from 'vitest'
import { CipherSuiteId } from '../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig } from '../../src/tls13/config.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { ResumptionTicket } from '../../src/tls13/state.ts'
import { createTicketKey, createTicketSealer, type TicketContents } from '../../src/tls13/ticket.ts'
import { concat, EMPTY, hex } from '../../src/wire/index.ts'
import { connectedPair, dataOf, NOW, outputOf, ticketSealer } from '../support/pair.ts'
import { providers } from '../support/providers.ts'
import { seeded } from '../support/random.ts'

const contents: TicketContents = {
  cipherSuite: CipherSuiteId.TLS_AES_128_GCM_SHA256,
  psk: new Uint8Array(32).fill(5),
  issuedAt: NOW,
  lifetime: 7200,
  ageAdd: 77,
  serverName: 'echo.local',
  alpn: 'http/1.1',
  maxEarlyData: 1000,
  peerCertificate: undefined,
  peerIntermediates: [],
}

describe.each(providers)('$name: a sealed ticket', provider => {
  const key = { name: new Uint8Array(16).fill(1), key: new Uint8Array(16).fill(2) }
  const sealer = createTicketSealer(provider, [key])
  const ticket = sealer.seal(contents, seeded(1))

  it('opens for its sealer, in every provider', () => {
    for (const other of providers) expect(createTicketSealer(other, [key]).open(ticket)).toEqual(contents)
  })

  it('hides what is in it', () => {
    expect(hex(ticket)).not.toContain(hex(contents.psk).slice(0, 8))
    expect(hex(sealer.seal(contents, seeded(2)))).not.toBe(hex(ticket))
  })

  it('does not open with another key, cut, longer or changed', () => {
    expect(createTicketSealer(provider, [{ ...key, key: new Uint8Array(16) }]).open(ticket)).toBeUndefined()
    expect(createTicketSealer(provider, [{ ...key, name: new Uint8Array(16) }]).open(ticket)).toBeUndefined()
    for (let length = 0; length < ticket.length; length++) {
      expect(sealer.open(ticket.subarray(0, length))).toBeUndefined()
    }
    expect(sealer.open(concat(ticket, new Uint8Array(1)))).toBeUndefined()
    for (let at = 0; at < ticket.length; at++) {
      expect(sealer.open(ticket.with(at, ticket[at]! ^ 1))).toBeUndefined()
    }
  })

  it('opens with a retired key that is still in the list', () => {
    const newer = createTicketKey(provider)
    const both = createTicketSealer(provider, [newer, key])
    const bound = createTicketSealer(provider, [key], Uint8Array.of(1))
    expect(bound.open(sealer.seal(contents, provider.random))).toBeUndefined()
    expect(bound.open(bound.seal(contents, provider.random))).toEqual(contents)
    expect(both.open(ticket)).toEqual(contents)
    expect(createTicketSealer(provider, [newer]).open(both.seal(contents, provider.random))).toEqual(contents)
  })
})

it('a sealer needs a key', () => {
  expect(() => createTicketSealer(node, [])).toThrow(TypeError)
})

describe('resumption', () => {
  const tickets = { sealer: ticketSealer() }

  it('takes the ticket, needs no certificate, and mixes in a new key exchange', () => {
    const [ticket] = ticketsOf()
    const pair = connectedPair(
      { resume: ticket!, random: seeded(21) },
      { tickets, certificates: [], random: seeded(22) },
    )
    expect(pair.clientEvents[0]).toMatchObject({ type: 'handshake_complete', resumed: true })
    expect(pair.serverEvents[0]).toMatchObject({ type: 'handshake_complete', resumed: true })
    pair.client.send(Uint8Array.of(1))
    expect(dataOf(pair.server.receive(outputOf(pair.client)))).toEqual(Uint8Array.of(1))
  })

  it('works after a HelloRetryRequest, too: the binder covers both hellos (§4.2.11.2)', () => {
    const [ticket] = ticketsOf()
    expect(resumed({ resume: ticket!, keyShares: [] }, { tickets })).toBe(true)
  })

  it('works with another suite of the same hash (§4.2.11)', () => {
    const [ticket] = ticketsOf()
    const provider = {
      ...node,
      cipherSuites: node.cipherSuites.filter(({ id }) => id === CipherSuiteId.TLS_CHACHA20_POLY1305_SHA256),
    }
    expect(resumed({ resume: ticket! }, { tickets, provider })).toBe(true)
  })

  it('every ticket of a connection has a PSK of its own, and each works', () => {
    const all = ticketsOf()
    expect(new Set(all.map(({ psk }) => hex(psk))).size).toBe(2)
    for (const ticket of all) expect(resumed({ resume: ticket }, { tickets })).toBe(true)
  })

  const [ticket] = ticketsOf()
  const HOUR = 3_600_000
  const rows: readonly [string, Partial<ClientConfig>, Partial<ServerConfig>][] = [
    ['a ticket that the server cannot open', {}, { tickets: { sealer: ticketSealer(node, 99) } }],
    ['a server without tickets', {}, {}],
    ['a ticket that the server finds expired', {}, { tickets, now: () => NOW + 3 * HOUR }],
    ['a ticket from the future', {}, { tickets, now: () => NOW - 1 }],
    ['a ticket that the client finds expired', { now: () => NOW + 3 * HOUR }, { tickets }],
    ['a ticket that the client has for another server name', { serverName: 'other.local' }, { tickets }],
    [
      'a ticket that the server gave out for another server name',
      { serverName: 'other.local', resume: { ...ticket!, serverName: 'other.local' } },
      { tickets },
    ],
    [
      'a ticket with a name, and the server is asked for none',
      { resume: { ...ticket!, serverName: undefined } },
      { tickets },
    ],
    [
      'a ticket of a suite that the client no longer has',
      { provider: { ...node, cipherSuites: node.cipherSuites.slice(1) } },
      { tickets },
    ],
    [
      'a ticket whose hash does not go with the chosen suite',
      {},
      {
        tickets,
        provider: {
          ...node,
          cipherSuites: node.cipherSuites.filter(({ id }) => id === CipherSuiteId.TLS_AES_256_GCM_SHA384),
        },
      },
    ],
    ['a truncated ticket', { resume: { ...ticket!, ticket: ticket!.ticket.slice(0, 20) } }, { tickets }],
  ]

  it.each(rows)('%s: a full handshake instead', (_, client, server) => {
    expect(resumed({ resume: ticket!, ...client }, server)).toBe(false)
  })

  it('of a ticket with its PSK forgotten is decrypt_error, not a full handshake', () => {
    const forged = { ...ticket!, psk: new Uint8Array(32) }
    expect(() => connectedPair({ resume: forged }, { tickets })).toThrow('wrong_binder')
  })

  it('tells the age of the ticket, hidden by ageAdd (§4.2.11.1)', () => {
    let age: number | undefined
    connectedPair(
      {
        resume: ticket!,
        now: () => NOW + 1234,
        shape: message => {
          if (message.type !== 'client_hello') return message
          const { extensionData } = message.extensions.at(-1)!
          const at = 2 + 2 + ticket!.ticket.length
          age = new DataView(extensionData.slice(at, at + 4).buffer).getUint32(0)
          return message
        },
      },
      { tickets },
    )
    expect(age).toBe((1234 + ticket!.ticketAgeAdd) % 2 ** 32)
  })

  it('lifetimes are cut to seven days (§4.6.1)', () => {
    const long = ticketsOf({ tickets: { ...tickets, lifetimeSeconds: 10_000_000 } })
    expect(long[0]!.lifetime).toBe(604_800)
  })

  function ticketsOf(server: Partial<ServerConfig> = { tickets }): ResumptionTicket[] {
    return connectedPair({}, server).clientEvents.flatMap(event =>
      event.type === 'new_session_ticket' ? [event.ticket] : [],
    )
  }

  function resumed(client: Partial<ClientConfig>, server: Partial<ServerConfig>): boolean {
    const { clientEvents, serverEvents } = connectedPair(client, server)
    const [mine, theirs] = [clientEvents[0], serverEvents[0]]
    if (mine?.type !== 'handshake_complete' || theirs?.type !== 'handshake_complete')
      throw new Error('no handshake')
    expect(mine.resumed).toBe(theirs.resumed)
    return mine.resumed
  }
})

it('a ticket of nothing is nothing', () => {
  expect(ticketSealer().open(EMPTY)).toBeUndefined()
})

it.each([
  [undefined, 2, 1],
  [4, 4, 1],
  [1, 1, 1],
  [0, 0, 0],
] as const)('of %s tickets, %i follow a full handshake and %i a resumed one', (count, full, resumed) => {
  const tickets = { sealer: ticketSealer(), ...(count === undefined ? {} : { count }) }
  const ticketsOf = (client: Partial<ClientConfig>) =>
    connectedPair(client, { tickets }).clientEvents.flatMap(event =>
      event.type === 'new_session_ticket' ? [event.ticket] : [],
    )
  const [other] = connectedPair({}, { tickets: { sealer: ticketSealer() } }).clientEvents.flatMap(event =>
    event.type === 'new_session_ticket' ? [event.ticket] : [],
  )
  expect(ticketsOf({}).length).toBe(full)
  expect(ticketsOf({ resume: other! }).length).toBe(resumed)
})
