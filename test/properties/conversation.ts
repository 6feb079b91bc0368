import { NamedGroup } from '../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig, SessionEvent } from '../../src/tls13/config.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import { Session } from '../../src/tls13/session.ts'
import { type ResumptionTicket, SessionState } from '../../src/tls13/state.ts'
import { concat, encode, hex, utf8 } from '../../src/wire/index.ts'
import { clientConfig, connectedPair, outputOf, serverConfig, ticketSealer } from '../lib/pair.ts'
import { type Seeded, seeded } from '../lib/random.ts'

export type Role = 'client' | 'server'

/** What one side of a recorded conversation lives through: bytes come, or its owner does something. */
export type Step =
  | { readonly bytes: Uint8Array; readonly act?: undefined }
  | { readonly act: (session: Session) => void; readonly bytes?: undefined }

/** One side of a conversation, and what it said without any move. */
export interface Recording {
  readonly role: Role
  readonly start: (provider: CryptoProvider, random: Seeded) => Session
  readonly restore: (state: SessionState, provider: CryptoProvider, random: Seeded) => Session
  readonly steps: readonly Step[]
  /** The output after each step. */
  readonly outputs: readonly string[]
  /** All events in their order. */
  readonly events: readonly string[]
  /** The encoded state at the end, secrets and all. */
  readonly end: string
}

export const SEED = { client: 11, server: 12 } as const

const ticket = earlierTicket()

/** The ticket of an earlier connection. */
function earlierTicket(): ResumptionTicket {
  const { clientEvents } = connectedPair({}, { tickets: { sealer: ticketSealer() } })
  for (const event of clientEvents) if (event.type === 'new_session_ticket') return event.ticket
  throw new Error('no ticket')
}

export interface Kind {
  readonly name: string
  readonly client?: () => Partial<ClientConfig>
  readonly server?: (provider: CryptoProvider) => Partial<ServerConfig>
}

const tickets = (provider: CryptoProvider): Partial<ServerConfig> => ({
  tickets: { sealer: ticketSealer(provider), count: 1 },
  alpn: ['h2', 'http/1.1'],
})

/** The conversations that are tried. Every one goes on with data, KeyUpdates both ways, a ticket and a half-close. */
export const KINDS: readonly Kind[] = [
  { name: 'a full handshake', server: tickets, client: () => ({ alpn: ['http/1.1'] }) },
  { name: 'a HelloRetryRequest', server: tickets, client: () => ({ alpn: ['http/1.1'], keyShares: [] }) },
  { name: 'a resumption', server: tickets, client: () => ({ alpn: ['http/1.1'], resume: ticket }) },
]

/** Records both sides of a conversation between two sessions over `node:crypto`. */
export function record(kind: Kind): { readonly client: Recording; readonly server: Recording } {
  const sides = { client: side('client', kind), server: side('server', kind) }
  const deliver = (from: Role, to: Role): void => {
    const bytes = concat(...sides[from].waiting.splice(0))
    if (bytes.length > 0) sides[to].take({ bytes })
  }
  const settle = (): void => {
    while (sides.client.waiting.length + sides.server.waiting.length > 0) {
      deliver('client', 'server')
      deliver('server', 'client')
    }
  }
  const act = (role: Role, doIt: (session: Session) => void): void => {
    sides[role].take({ act: doIt })
    settle()
  }
  settle()
  act('client', session => session.send(utf8('GET / HTTP/1.1\r\n\r\n')))
  act('server', session => {
    session.send(utf8('one'))
    session.send(utf8('two'))
  })
  act('server', session => session.updateKeys(true))
  act('server', session => session.send(utf8('under the next key')))
  act('client', session => {
    session.updateKeys(true)
    session.send(utf8('and mine'))
  })
  act('server', session => session.sendTickets(1))
  act('client', session => session.close())
  act('server', session => session.send(utf8('half closed')))
  act('server', session => session.close())
  return { client: sides.client.finish(), server: sides.server.finish() }
}

const smaller = new Map<CryptoProvider, CryptoProvider>()

/** A provider with the group of the smallest key shares alone: the fewer bytes, the fewer moves. */
function small(provider: CryptoProvider): CryptoProvider {
  const groups = provider.groups.filter(({ id }) => id === NamedGroup.x25519)
  const found = smaller.get(provider) ?? { ...provider, groups }
  smaller.set(provider, found)
  return found
}

function side(role: Role, kind: Kind) {
  const start = (provider: CryptoProvider, random: Seeded): Session =>
    role === 'client'
      ? Session.client(clientConfig({ ...kind.client?.(), provider: small(provider), random }))
      : Session.server(serverConfig({ ...kind.server?.(provider), provider: small(provider), random }))
  const restore = (state: SessionState, provider: CryptoProvider, random: Seeded): Session =>
    Session.restore(
      state,
      role === 'client'
        ? clientConfig({ ...kind.client?.(), provider: small(provider), random })
        : serverConfig({ ...kind.server?.(provider), provider: small(provider), random }),
    )
  const session = start(node, seeded(SEED[role]))
  const steps: Step[] = []
  const outputs: string[] = []
  const events: string[] = []
  const waiting: Uint8Array[] = []
  const collect = (): void => {
    const output = outputOf(session)
    outputs.push(hex(output))
    if (output.length > 0) waiting.push(output)
  }
  const take = (step: Step): void => {
    steps.push(step)
    events.push(...perform(session, step).map(describeEvent))
    collect()
  }
  // the client's hello is there before anything has happened: a step without anything
  take({ act: () => {} })
  const finish = (): Recording => ({
    role,
    start,
    restore,
    steps,
    outputs,
    events,
    end: hex(encode(SessionState, session.inspect('with secrets'))),
  })
  return { take, waiting, finish }
}

/** Lets a session live through a step. */
export function perform(session: Session, step: Step): SessionEvent[] {
  if (step.bytes !== undefined) return session.receive(step.bytes)
  step.act(session)
  return []
}

/** An event as text. */
export function describeEvent(event: SessionEvent): string {
  return JSON.stringify(event, (_, value) => (value instanceof Uint8Array ? hex(value) : value))
}
