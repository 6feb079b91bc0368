import { NamedGroup } from '../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig, SessionEvent } from '../../src/tls13/config.ts'
import { createCookieSealer } from '../../src/tls13/cookie.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import { zlib } from '../../src/tls13/io/compression.ts'
import { Session } from '../../src/tls13/session.ts'
import { type ResumptionTicket, SessionState } from '../../src/tls13/state.ts'
import { concat, EMPTY, encode, hex, utf8 } from '../../src/wire/index.ts'
import { certificateOf, ed25519Identity, trusting } from './identity.ts'
import { clientConfig, connectedPair, identity, outputOf, serverConfig, ticketSealer } from './pair.ts'
import { type Seeded, seeded } from './random.ts'
import { answerTo, eventsOf, remoteCertificate } from './remote.ts'

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

const clientIdentity = ed25519Identity(8)
const ticket = earlierTicket()
const earlyTicket = earlierTicket({ earlyData: { maximum: 500, replay: 'ask' } })
const sharedKey = {
  pskModes: ['psk_ke'] as const,
  psks: [{ identity: utf8('a potato'), key: new Uint8Array(16).fill(5), imported: { context: EMPTY } }],
}

/** The ticket of an earlier connection. */
function earlierTicket(server: Partial<ServerConfig> = {}): ResumptionTicket {
  const alpn = ['http/1.1']
  const sealer = ticketSealer()
  const { clientEvents } = connectedPair({ alpn }, { tickets: { sealer }, alpn, ...server })
  for (const event of clientEvents) if (event.type === 'new_session_ticket') return event.ticket
  throw new Error('no ticket')
}

export interface Kind {
  readonly name: string
  /** Another PSK or ticket takes the place of the certificate. */
  readonly resumed?: boolean
  /** The client sends early data. */
  readonly early?: boolean
  /** The server asks for a certificate when the handshake is over. */
  readonly asksLater?: boolean
  /** Keys change by extended key updates; then there are no tickets. */
  readonly extended?: boolean
  /** What happens beside the ordinary, by role. */
  readonly extra?: { readonly client?: readonly string[]; readonly server?: readonly string[] }
  readonly client?: (provider: CryptoProvider) => Partial<ClientConfig>
  readonly server?: (provider: CryptoProvider) => Partial<ServerConfig>
}

const tickets = (provider: CryptoProvider): Partial<ServerConfig> => ({
  tickets: { sealer: ticketSealer(provider), count: 1 },
  alpn: ['h2', 'http/1.1'],
})

/**
 * The conversations that are tried. Every one goes on with data, KeyUpdates both ways, a ticket and a
 * half-close.
 */
export const KINDS: readonly Kind[] = [
  { name: 'a full handshake', server: tickets, client: () => ({ alpn: ['http/1.1'] }) },
  { name: 'a HelloRetryRequest', server: tickets, client: () => ({ alpn: ['http/1.1'], keyShares: [] }) },
  {
    name: 'a resumption',
    resumed: true,
    server: tickets,
    client: () => ({ alpn: ['http/1.1'], resume: ticket }),
  },
  {
    name: 'a client with a certificate, both compressed',
    server: provider => ({
      ...tickets(provider),
      clientCertificates: { verify: trusting(clientIdentity) },
      certificateCompression: [zlib],
    }),
    client: provider => ({
      alpn: ['http/1.1'],
      certificates: [certificateOf(clientIdentity, provider)],
      certificateCompression: [zlib],
    }),
  },
  {
    name: 'questions on both sides',
    server: provider => ({
      ...tickets(provider),
      certificates: [remoteCertificate(identity)],
      clientCertificates: { verify: 'ask' },
    }),
    client: () => ({
      alpn: ['http/1.1'],
      verify: 'ask',
      certificates: [remoteCertificate(clientIdentity)],
    }),
  },
  {
    name: 'a client that is asked later, with questions, and keys that change',
    asksLater: true,
    server: provider => ({
      ...tickets(provider),
      clientCertificates: { verify: 'ask', postHandshake: true },
    }),
    client: () => ({
      alpn: ['http/1.1'],
      postHandshakeAuth: true,
      certificates: [remoteCertificate(clientIdentity)],
    }),
    extra: { server: ['client_authenticated'] },
  },
  {
    name: 'extended key updates, and a client that is asked later',
    extended: true,
    asksLater: true,
    server: provider => ({
      ...tickets(provider),
      extendedKeyUpdate: true,
      clientCertificates: { verify: trusting(clientIdentity), postHandshake: true },
    }),
    client: provider => ({
      alpn: ['http/1.1'],
      extendedKeyUpdate: true,
      postHandshakeAuth: true,
      certificates: [certificateOf(clientIdentity, provider)],
    }),
    extra: { server: ['client_authenticated'] },
  },
  {
    name: 'early data that is taken, when the caller has been asked',
    early: true,
    resumed: true,
    server: provider => ({ ...tickets(provider), earlyData: { maximum: 500, replay: 'ask' } }),
    client: () => ({ alpn: ['http/1.1'], resume: earlyTicket, earlyData: true }),
    extra: { client: ['early_data'], server: ['early application_data', 'early application_data'] },
  },
  {
    name: 'early data that is refused',
    early: true,
    resumed: true,
    server: tickets,
    client: () => ({ alpn: ['http/1.1'], resume: earlyTicket, earlyData: true }),
    extra: { client: ['early_data'] },
  },
  {
    name: 'early data that is refused by a HelloRetryRequest with a cookie',
    early: true,
    resumed: true,
    server: provider => ({
      ...tickets(provider),
      cookies: createCookieSealer(provider, new Uint8Array(16)),
    }),
    client: () => ({ alpn: ['http/1.1'], resume: earlyTicket, earlyData: true, keyShares: [] }),
    extra: { client: ['early_data'] },
  },
  {
    name: 'an external PSK alone, in small records',
    resumed: true,
    server: provider => ({ ...tickets(provider), ...sharedKey, recordSizeLimit: 80 }),
    client: () => ({ alpn: ['http/1.1'], ...sharedKey, recordSizeLimit: 64 }),
  },
]

/** Records both sides of a conversation between two sessions over `node:crypto`. */
export function record(kind: Kind): { readonly client: Recording; readonly server: Recording } {
  const sides = { client: side('client', kind), server: side('server', kind) }
  const deliver = (from: Role, to: Role): void => {
    const bytes = concat(...sides[from].waiting.splice(0))
    if (bytes.length > 0) sides[to].take({ bytes })
  }
  const settle = (): void => {
    do {
      deliver('client', 'server')
      deliver('server', 'client')
      for (const side of [sides.client, sides.server]) if (side.asks()) side.take({ act: answer })
    } while (sides.client.waiting.length + sides.server.waiting.length > 0)
  }
  const act = (role: Role, doIt: (session: Session) => void): void => {
    sides[role].take({ act: doIt })
    settle()
  }
  if (kind.early) {
    sides.client.take({ act: session => session.sendEarly(utf8('GET /early HTTP/1.1\r\n')) })
    sides.client.take({ act: session => session.sendEarly(utf8('\r\n')) })
  }
  settle()
  act('client', session => session.send(utf8('GET / HTTP/1.1\r\n\r\n')))
  act('server', session => {
    session.send(utf8('one'))
    session.send(utf8('two'))
  })
  if (kind.asksLater) act('server', session => session.requestCertificate())
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
      ? Session.client(clientConfig({ ...kind.client?.(small(provider)), provider: small(provider), random }))
      : Session.server(serverConfig({ ...kind.server?.(provider), provider: small(provider), random }))
  const restore = (state: SessionState, provider: CryptoProvider, random: Seeded): Session =>
    Session.restore(
      state,
      role === 'client'
        ? clientConfig({ ...kind.client?.(small(provider)), provider: small(provider), random })
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
  return { take, waiting, finish, asks: () => session.waiting }
}

/**
 * Lets a session live through a step.
 * @returns the events, but for questions: where a session goes on it asks again, and that is no part of the
 * conversation
 */
export function perform(session: Session, step: Step): SessionEvent[] {
  if (step.bytes !== undefined) return hear(session, session.receive(step.bytes))
  // a session that has just come may have to ask first
  const before = hear(session, eventsOf(session))
  step.act(session)
  return [...before, ...hear(session, eventsOf(session))]
}

const open = new WeakMap<Session, SessionEvent & { type: 'question' }>()

/** Remembers the question among the events, and gives the others. */
export function hear(session: Session, events: readonly SessionEvent[]): SessionEvent[] {
  return events.filter(event => {
    if (event.type === 'question') open.set(session, event)
    return event.type !== 'question'
  })
}

/** Answers the open question, of either side. */
function answer(session: Session): void {
  const { id, question } = open.get(session)!
  session.answer(id, answerTo(question, session.role === 'client' ? clientIdentity : identity))
}

/** An event as text. */
export function describeEvent(event: SessionEvent): string {
  return JSON.stringify(event, (_, value) => (value instanceof Uint8Array ? hex(value) : value))
}
