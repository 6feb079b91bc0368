import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Certificate, certificateVerifyContent } from '../../src/tls13/authentication.ts'
import { CipherSuiteId, NamedGroup } from '../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig, SessionEvent } from '../../src/tls13/config.ts'
import type { CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import { type ExtensionMessage, readExtensions } from '../../src/tls13/extensions.ts'
import type { ExposedSecret } from '../../src/tls13/key-schedule.ts'
import { decodeHandshake, type HandshakeMessage, type MessageOf } from '../../src/tls13/messages.ts'
import { createReplayStore } from '../../src/tls13/replay.ts'
import { Session } from '../../src/tls13/session.ts'
import type { ResumptionTicket } from '../../src/tls13/state.ts'
import { messageHash } from '../../src/tls13/transcript.ts'
import { suiteOf } from '../../src/tls13/transition.ts'
import { concat, equal, fromHex, hex } from '../../src/wire/index.ts'
import { providers } from '../support/providers.ts'
import { script } from '../support/random.ts'
import {
  type Actor,
  field,
  messages,
  printedSecret,
  records,
  steps,
  type Trace,
  trace,
  traces,
} from '../support/traces.ts'

const ROLES: readonly Actor[] = ['client', 'server']
const NOW = 1_700_000_000_000
/** The trace that resumes the first one, with early data. */
const RESUMED = 'resumed-0rtt'

describe.each(providers)('$name', provider => {
  describe.each(traces)('RFC 8448 §$section: $title', one => {
    it.each(ROLES)('the %s says every byte of it', role => {
      const exposed: ExposedSecret[] = []
      const onSecret = (secret: ExposedSecret): unknown => exposed.push(secret)
      const { session, finish } =
        role === 'client' ? client(one, provider, onSecret) : server(one, provider, onSecret)
      const events = converse(one, role, session)
      finish()
      expect(events).toEqual(
        expectedEvents(one, role, suiteOf(provider, CipherSuiteId.TLS_AES_128_GCM_SHA256).name),
      )
      expect(session.closed).toBe(true)
      for (const { name, secret } of exposed) {
        expect([name, hex(secret)]).toEqual([name, printedSecret(one, name)])
      }
      expect(exposed.length).toBe(one.name === RESUMED ? 11 : 9)
    })
  })
})

/** Plays the other side from the trace, and holds every record of ours against the printed one. */
function converse(one: Trace, role: Actor, session: Session): SessionEvent[] {
  const events: SessionEvent[] = []
  let output = concat(...session.takeOutput())
  for (const step of steps(one, undefined, 'send ')) {
    const record = field(step, 'complete record')
    if (step.actor !== role) {
      events.push(...session.receive(record))
    } else {
      if (step.action.includes('application_data')) {
        const payload = field(step, 'payload')
        if (session.connected) session.send(payload)
        else expect(session.sendEarly(payload)).toBe(payload.length)
      }
      if (step.action.includes('alert')) session.close()
    }
    output = concat(output, ...session.takeOutput())
    if (step.actor === role) {
      expect([step.action, hex(output.subarray(0, record.length))]).toEqual([step.action, hex(record)])
      output = output.slice(record.length)
    }
  }
  expect(hex(output)).toBe('')
  return events
}

interface Player {
  readonly session: Session
  /** Checks that the whole script was used. */
  readonly finish: () => void
}

function client(one: Trace, provider: CryptoProvider, onSecret: ClientConfig['onSecret'] & {}): Player {
  const hellos = clientHellos(one).map(decodeHandshake) as MessageOf<'client_hello'>[]
  const [first] = hellos
  let signed = 0
  const asked = messages(one, 'CertificateRequest').length
  const random = script(
    first!.random,
    ...(first!.legacySessionId.length > 0 ? [first!.legacySessionId] : []),
    ...steps(one, 'client', 'create an ephemeral').map(step => field(step, 'private key')),
  )
  const waiting = [...hellos]
  const session = Session.client({
    provider,
    random,
    now: () => NOW,
    serverName: 'server',
    keyShares: [NamedGroup.x25519],
    grease: false,
    compatibilityMode: first!.legacySessionId.length > 0,
    verify: ([leaf], context) => {
      expect(context).toEqual({ serverName: 'server', now: NOW })
      return { publicKey: publicKeyOf(leaf!) }
    },
    ...(asked === 0 ? {} : { certificates: [signedAs(one, 'client', provider, () => signed++)] }),
    ...(one.name === RESUMED ? { resume: earlierTicket(first!), earlyData: true } : {}),
    shape: ours => {
      if (ours.type !== 'client_hello') return ours
      const theirs = waiting.shift()!
      expectSame(ours, theirs, ['random', 'legacySessionId'])
      expectSameExtensions('CH', ours, theirs, ['server_name', 'key_share', 'cookie'])
      return theirs
    },
    onSecret,
  })
  return {
    session,
    finish() {
      expect([random.left(), waiting.length, signed]).toEqual([0, 0, asked])
    },
  }
}

function server(one: Trace, provider: CryptoProvider, onSecret: ServerConfig['onSecret'] & {}): Player {
  const [retry, hello] = serverHellos(one)
  const [ticketMessage] = messages(one, 'NewSessionTicket')
  const ticket = ticketMessage && (decodeHandshake(ticketMessage) as MessageOf<'new_session_ticket'>)
  const [pair] = steps(one, 'server', 'create an ephemeral')
  const ageAdd = new Uint8Array(4)
  if (ticket !== undefined) new DataView(ageAdd.buffer).setUint32(0, ticket.ticketAgeAdd)
  const random = script(hello.random, field(pair!, 'private key'), ...(ticket === undefined ? [] : [ageAdd]))
  const request = messages(one, 'CertificateRequest').map(decodeHandshake)[0]
  const resumed = one.name === RESUMED
  const group = pair!.action.includes('P-256') ? 'secp256r1' : 'x25519'
  let signed = 0
  const session = Session.server({
    provider: { ...provider, groups: provider.groups.filter(({ name }) => name === group) },
    random,
    now: () => NOW,
    certificates: resumed ? [] : [signedAs(one, 'server', provider, () => signed++)],
    ...(request === undefined
      ? {}
      : { clientCertificates: { verify: ([leaf]) => ({ publicKey: publicKeyOf(leaf!) }) } }),
    ...(resumed ? resumption() : {}),
    ...(ticket === undefined
      ? {}
      : {
          tickets: {
            count: 1,
            lifetimeSeconds: ticket.ticketLifetime,
            sealer: {
              open: () => undefined,
              seal(contents) {
                expect(hex(contents.psk)).toBe(printedPsk(one))
                return ticket.ticket
              },
            },
          },
        }),
    shape: ours => {
      switch (ours.type) {
        case 'hello_retry_request':
          expectSameExtensions('HRR', ours, retry!, ['supported_versions', 'key_share'])
          return retry!
        case 'server_hello':
          expectSame(ours, hello, ['random', 'cipherSuite', 'legacySessionIdEcho'])
          expectSameExtensions('SH', ours, hello, ['supported_versions', 'key_share'])
          return hello
        case 'certificate_request':
          expectSame(ours, request as typeof ours, ['certificateRequestContext'])
          return request!
        case 'encrypted_extensions':
          return decodeHandshake(messages(one, 'EncryptedExtensions')[0]!)
        case 'new_session_ticket':
          expectSame(ours, ticket!, ['ticketLifetime', 'ticketAgeAdd', 'ticketNonce', 'ticket'])
          return ticket!
        default:
          return ours
      }
    },
    onSecret,
  })
  return {
    session,
    finish() {
      expect([random.left(), signed]).toEqual([0, resumed ? 0 : 1])
    },
  }
}

/** The HelloRetryRequest, if there is one, and the ServerHello. */
function serverHellos(one: Trace): [MessageOf<'hello_retry_request'> | undefined, MessageOf<'server_hello'>] {
  const all = messages(one, 'ServerHello').map(decodeHandshake)
  const retry = all.find(message => message.type === 'hello_retry_request')
  return [retry, all.find(message => message.type === 'server_hello')!]
}

/** The whole hellos of a trace: one with binders is printed without them, but for its record. */
function clientHellos(one: Trace): Uint8Array[] {
  return one.name === RESUMED ? [records(one, 'client')[0]!.payload] : messages(one, 'ClientHello')
}

function publicKeyOf(certificate: Uint8Array): Uint8Array {
  return new Uint8Array(new X509Certificate(certificate).publicKey.export({ format: 'der', type: 'spki' }))
}

/** A certificate of a trace, whose key signs what the trace says, once what is to be signed is right. */
function signedAs(one: Trace, role: Actor, provider: CryptoProvider, onSign: () => void): Certificate {
  const turn = role === 'server' ? 0 : 1
  const { certificateList } = decodeHandshake(messages(one, 'Certificate')[turn]!) as MessageOf<'certificate'>
  const verify = decodeHandshake(messages(one, 'CertificateVerify')[turn]!) as MessageOf<'certificate_verify'>
  const sign = (content: Uint8Array): Uint8Array => {
    onSign()
    expect(hex(content)).toBe(
      hex(signedContent(one, role, suiteOf(provider, CipherSuiteId.TLS_AES_128_GCM_SHA256).hash)),
    )
    return verify.signature
  }
  return {
    chain: certificateList.map(({ certData }) => certData),
    signers: [{ scheme: verify.algorithm, sign }],
  }
}

/** The ticket of the first trace, as old as the resumed one says. */
function earlierTicket(hello: MessageOf<'client_hello'>): ResumptionTicket {
  const first = trace('simple-1rtt')
  const message = decodeHandshake(messages(first, 'NewSessionTicket')[0]!) as MessageOf<'new_session_ticket'>
  const offered = readExtensions('CH', hello.extensions).pre_shared_key!
  const age = (offered.identities[0]!.obfuscatedTicketAge - message.ticketAgeAdd + 2 ** 32) % 2 ** 32
  return {
    cipherSuite: CipherSuiteId.TLS_AES_128_GCM_SHA256,
    psk: fromHex(printedPsk(first)),
    ticket: message.ticket,
    ticketAgeAdd: message.ticketAgeAdd,
    lifetime: message.ticketLifetime,
    receivedAt: NOW - age,
    maxEarlyData: 1024,
    serverName: 'server',
    alpn: undefined,
  }
}

/** The client has shown no certificate. */
const ANONYMOUS = { peerCertificate: undefined, peerIntermediates: [] }

/** What a server needs to know of the ticket, and to take early data with it. */
function resumption(): Pick<ServerConfig, 'tickets' | 'earlyData'> {
  const hello = decodeHandshake(clientHellos(trace(RESUMED))[0]!) as MessageOf<'client_hello'>
  const { ticket, receivedAt, ticketAgeAdd, ...kept } = earlierTicket(hello)
  const contents = { ...kept, ageAdd: ticketAgeAdd, issuedAt: receivedAt, ...ANONYMOUS }
  return {
    earlyData: { maximum: 1024, replay: createReplayStore() },
    tickets: {
      count: 0,
      sealer: { open: identity => (equal(identity, ticket) ? contents : undefined), seal: () => ticket },
    },
  }
}

/** What the trace's server or client signs: put together from the trace alone (§4.4.1 and §4.4.3). */
function signedContent(
  one: Trace,
  role: Actor,
  hash: CryptoProvider['cipherSuites'][number]['hash'],
): Uint8Array {
  const hellos = messages(one, 'ClientHello')
  const [first] = hellos
  const answers = messages(one, 'ServerHello')
  const before = hellos.length > 1 ? [messageHash(hash, first!), answers[0]!] : []
  const transcript = concat(
    ...before,
    hellos.at(-1)!,
    answers.at(-1)!,
    messages(one, 'EncryptedExtensions')[0]!,
    ...messages(one, 'CertificateRequest'),
    messages(one, 'Certificate')[0]!,
  )
  if (role === 'server') return certificateVerifyContent(role, hash.digest(transcript))
  const rest = [
    messages(one, 'CertificateVerify')[0]!,
    messages(one, 'Finished')[0]!,
    messages(one, 'Certificate')[1]!,
  ]
  return certificateVerifyContent(role, hash.digest(concat(transcript, ...rest)))
}

/** Our own message agrees with the trace's in these fields, before the trace's takes its place. */
function expectSame<T extends HandshakeMessage>(ours: T, theirs: T, keys: readonly (keyof T)[]): void {
  for (const key of keys) expect([key, ours[key]]).toEqual([key, theirs[key]])
}

type Carrying = Extract<HandshakeMessage, { extensions: unknown }>

function expectSameExtensions(
  carrier: ExtensionMessage,
  ours: Carrying,
  theirs: Carrying,
  names: readonly string[],
): void {
  const left = readExtensions(carrier, ours.extensions) as Record<string, unknown>
  const right = readExtensions(carrier, theirs.extensions) as Record<string, unknown>
  for (const name of names) expect([name, left[name]]).toEqual([name, right[name]])
}

function printedPsk(one: Trace): string {
  const [step] = steps(one, 'server', 'generate resumption secret')
  return hex(field(step!, 'expanded'))
}

function expectedEvents(one: Trace, role: Actor, cipherSuite: string): unknown[] {
  const serverName = 'server'
  const theirs = records(one, role === 'client' ? 'server' : 'client')
  const [ticketMessage] = messages(one, 'NewSessionTicket')
  const ticket = ticketMessage && (decodeHandshake(ticketMessage) as MessageOf<'new_session_ticket'>)
  const data = theirs.find(({ payload }) => payload.length === 50)?.payload
  const resumed = one.name === RESUMED
  const early = records(one, 'client')[1]!.payload
  return [
    ...(resumed && role === 'client' ? [{ type: 'early_data', accepted: true }] : []),
    ...(resumed && role === 'server'
      ? [{ type: 'application_data', data: expect.toSatisfy(same(early)), early: true }]
      : []),
    { type: 'handshake_complete', cipherSuite, serverName, alpn: undefined, resumed },
    ...(ticket !== undefined && role === 'client'
      ? [{ type: 'new_session_ticket', ticket: expectedTicket(one, ticket) }]
      : []),
    ...(data === undefined ? [] : [{ type: 'application_data', data: expect.toSatisfy(same(data)) }]),
    { type: 'close_notify' },
  ]
}

function expectedTicket(one: Trace, message: MessageOf<'new_session_ticket'>): unknown {
  return {
    cipherSuite: CipherSuiteId.TLS_AES_128_GCM_SHA256,
    psk: expect.toSatisfy((psk: Uint8Array) => hex(psk) === printedPsk(one)),
    ticket: message.ticket,
    ticketAgeAdd: message.ticketAgeAdd,
    lifetime: message.ticketLifetime,
    receivedAt: NOW,
    maxEarlyData: 1024,
    serverName: 'server',
    alpn: undefined,
  }
}

function same(expected: Uint8Array): (actual: Uint8Array) => boolean {
  return actual => hex(actual) === hex(expected)
}
