import { describe, expect, it } from 'vitest'
import type { ClientConfig, ServerConfig } from '../../src/tls13/config.ts'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { Question } from '../../src/tls13/question.ts'
import { Session } from '../../src/tls13/session.ts'
import { SessionState } from '../../src/tls13/state.ts'
import { decode, EMPTY, encode, equal } from '../../src/wire/index.ts'
import { certificateOf, ed25519Identity, trusting } from '../support/identity.ts'
import {
  clientConfig,
  createPair,
  dataOf,
  identity,
  joined,
  outputOf,
  type Pair,
  serverConfig,
  ticketSealer,
} from '../support/pair.ts'
import { answerTo, eventsOf, questionIn, remoteCertificate } from '../support/remote.ts'

const clientIdentity = ed25519Identity(8)

interface Row {
  readonly what: string
  readonly role: 'client' | 'server'
  readonly kind: Question['kind']
  readonly client?: () => Partial<ClientConfig>
  readonly server?: () => Partial<ServerConfig>
  /** What brings the handshake's end about after it. */
  readonly after?: (pair: Pair) => void
}

const tickets = { sealer: ticketSealer() }

function earlyTicket() {
  const pair = createPair({}, { tickets, earlyData: { maximum: 1000, replay: 'ask' } })
  pair.settle()
  for (const event of pair.clientEvents) if (event.type === 'new_session_ticket') return event.ticket
  throw new Error('no ticket')
}

const ROWS: readonly Row[] = [
  {
    what: "a server's signature",
    role: 'server',
    kind: 'signature',
    server: () => ({ certificates: [remoteCertificate(identity)] }),
  },
  {
    what: "a verdict on a server's certificate",
    role: 'client',
    kind: 'certificate_verdict',
    client: () => ({ verify: 'ask' }),
  },
  {
    what: "a client's signature",
    role: 'client',
    kind: 'signature',
    client: () => ({ certificates: [remoteCertificate(clientIdentity)] }),
    server: () => ({ clientCertificates: { verify: trusting(clientIdentity) } }),
  },
  {
    what: "a verdict on a client's certificate",
    role: 'server',
    kind: 'certificate_verdict',
    client: () => ({ certificates: [certificateOf(clientIdentity, node)] }),
    server: () => ({ clientCertificates: { verify: 'ask' } }),
  },
  {
    what: 'whether early data is new',
    role: 'server',
    kind: 'replay',
    client: () => ({ resume: earlyTicket(), earlyData: true }),
    server: () => ({ tickets, earlyData: { maximum: 1000, replay: 'ask' } }),
  },
  {
    what: "a client's signature after the handshake",
    role: 'client',
    kind: 'signature',
    client: () => ({ postHandshakeAuth: true, certificates: [remoteCertificate(clientIdentity)] }),
    server: () => ({ clientCertificates: { verify: trusting(clientIdentity), postHandshake: true } }),
    after: pair => {
      pair.server.requestCertificate()
      pair.settle()
    },
  },
  {
    what: "a verdict on a client's certificate after the handshake",
    role: 'server',
    kind: 'certificate_verdict',
    client: () => ({ postHandshakeAuth: true, certificates: [certificateOf(clientIdentity, node)] }),
    server: () => ({ clientCertificates: { verify: 'ask', postHandshake: true } }),
    after: pair => {
      pair.server.requestCertificate()
      pair.settle()
    },
  },
]

const identityOf = (role: 'client' | 'server') => (role === 'client' ? clientIdentity : identity)

function bring(row: Row) {
  const client = clientConfig(row.client?.())
  const server = serverConfig(row.server?.())
  const pair = joined(Session.client(client), Session.server(server))
  pair.settle()
  row.after?.(pair)
  const subject = pair[row.role]
  const events = row.role === 'client' ? pair.clientEvents : pair.serverEvents
  return { pair, subject, config: row.role === 'client' ? client : server, ...questionIn(events) }
}

function expectWorking({ client, server, settle, serverEvents, clientEvents }: Pair): void {
  settle()
  client.send(Uint8Array.of(1))
  server.send(Uint8Array.of(2))
  settle()
  expect([dataOf(serverEvents), dataOf(clientEvents)]).toEqual([Uint8Array.of(1), Uint8Array.of(2)])
}

describe.each(ROWS)('$what, asked of the $role', row => {
  it('is asked once; nothing goes on before the answer, and everything after it', () => {
    const { pair, subject, id, question } = bring(row)
    expect(question.kind).toBe(row.kind)
    expect(subject.waiting).toBe(true)
    expect(subject.receive(EMPTY)).toEqual([])
    subject.answer(id, answerTo(question, identityOf(row.role)))
    expect(subject.waiting).toBe(false)
    expectWorking(pair)
  })

  it('asks again where the session goes on, in another provider, and takes no old answer here', () => {
    const { pair, subject, config, id, question } = bring(row)
    const state = decode(SessionState, encode(SessionState, subject.release()))
    const heir = Session.restore(state, { ...config, provider: noble } as typeof config)
    expect(heir.waiting).toBe(true)
    // not asked yet, so it cannot be an answer
    heir.answer(id, answerTo(question, identityOf(row.role)))
    expect(heir.waiting).toBe(true)
    const again = questionIn(eventsOf(heir))
    expect(again.question).toEqual(question)
    heir.answer(again.id + 1, answerTo(question, identityOf(row.role)))
    expect(heir.waiting).toBe(true)
    heir.answer(again.id, answerTo(again.question, identityOf(row.role)))
    // twice is once
    heir.answer(again.id, { kind: 'refused', alert: 'access_denied', reason: 'too late' })
    expectWorking(
      joined(...((row.role === 'client' ? [heir, pair.server] : [pair.client, heir]) as [Session, Session])),
    )
  })

  it('refused ends the session with that alert; for early data it is a no', () => {
    const { pair, subject, id } = bring(row)
    subject.answer(id, { kind: 'refused', alert: 'access_denied', reason: 'no' })
    if (row.kind === 'replay') {
      expectWorking(pair)
      return
    }
    expect(eventsOf(subject)).toMatchObject([
      { type: 'alert', from: 'local', alert: 'access_denied', error: { reason: 'refused_by_application' } },
    ])
    expect(subject.closed).toBe(true)
    pair.settle()
    const other = row.role === 'client' ? pair.serverEvents : pair.clientEvents
    expect(other.at(-1)).toMatchObject({ type: 'alert', from: 'peer', alert: 'access_denied' })
  })

  it('an answer of another kind is a mistake of the caller, and changes nothing', () => {
    const { pair, subject, id, question } = bring(row)
    const other = row.kind === 'replay' ? 'signature' : 'replay'
    const wrong =
      other === 'replay'
        ? ({ kind: other, fresh: true } as const)
        : ({ kind: other, signature: EMPTY } as const)
    expect(() => subject.answer(id, wrong)).toThrow(TypeError)
    subject.answer(id, answerTo(question, identityOf(row.role)))
    expectWorking(pair)
  })

  it('holds back what comes meanwhile, up to a bound', () => {
    const { subject } = bring(row)
    expect(subject.receive(new Uint8Array(2 ** 18 - subject.buffered).fill(23))).toEqual([])
    expect(subject.receive(Uint8Array.of(23))).toMatchObject([
      { type: 'alert', from: 'local', alert: 'internal_error' },
    ])
    expect(subject.buffered).toBe(0)
  })
})

it('a wrong signature from outside is the peer’s decrypt_error', () => {
  const { pair, subject, id } = bring(ROWS[0]!)
  subject.answer(id, { kind: 'signature', signature: new Uint8Array(64) })
  pair.settle()
  expect(pair.clientEvents.at(-1)).toMatchObject({ type: 'alert', from: 'local', alert: 'decrypt_error' })
})

it('a question names the certificate that was chosen', () => {
  const { question } = bring(ROWS[0]!)
  if (question.kind !== 'signature') throw new Error(question.kind)
  const { hash } = node.cipherSuites[0]!
  expect(equal(question.certificate, hash.digest(identity.publicKey).slice(0, 4))).toBe(true)
  expect(question.delegated).toBe(false)
})

it('an answer to a session that has ended is ignored', () => {
  const { subject, id, question } = bring(ROWS[0]!)
  subject.receive(new Uint8Array(2 ** 18 + 1).fill(23))
  subject.answer(id, answerTo(question, identity))
  expect(subject.closed).toBe(true)
  expect(outputOf(subject).length).toBeGreaterThan(0)
})
