import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { certificateVerifyContent } from '../../src/tls13/authentication.ts'
import { NamedGroup } from '../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig, SessionEvent } from '../../src/tls13/config.ts'
import type { CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import { type ExtensionCarrier, readExtensions } from '../../src/tls13/extensions.ts'
import type { ExposedSecret } from '../../src/tls13/key-schedule.ts'
import { decodeHandshake, type HandshakeMessage, type MessageOf } from '../../src/tls13/messages.ts'
import { Session } from '../../src/tls13/session.ts'
import { messageHash } from '../../src/tls13/transcript.ts'
import { suiteOf } from '../../src/tls13/transition.ts'
import { concat, hex } from '../../src/wire/index.ts'
import { script } from '../lib/random.ts'
import { type Actor, field, messages, records, steps, type Trace, trace } from '../lib/traces.ts'
import { providers } from '../providers/providers.ts'

/** 0-RTT and client certificates, which the two other traces show, are not spoken here. */
const REPLAYED = ['simple-1rtt', 'hello-retry-request', 'compatibility-mode'].map(trace)
const ROLES: readonly Actor[] = ['client', 'server']
const NOW = 1_700_000_000_000

describe.each(providers)('$name', provider => {
  describe.each(REPLAYED)('RFC 8448, Section $section: $title', one => {
    test.each(ROLES)('the %s says every byte of it', role => {
      const exposed: ExposedSecret[] = []
      const onSecret = (secret: ExposedSecret): unknown => exposed.push(secret)
      const { session, finish } =
        role === 'client' ? client(one, provider, onSecret) : server(one, provider, onSecret)
      const events = converse(one, role, session)
      finish()
      expect(events).toEqual(expectedEvents(one, role, suiteOf(provider, 0x1301).name))
      expect(session.closed).toBe(true)
      for (const { name, secret } of exposed) {
        expect([name, hex(secret)]).toEqual([name, printedSecret(one, name)])
      }
      expect(exposed.length).toBe(9)
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
      if (step.action.includes('application_data')) session.send(field(step, 'payload'))
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
  const hellos = messages(one, 'ClientHello').map(decodeHandshake) as MessageOf<'client_hello'>[]
  const [first] = hellos
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
      const { publicKey } = new X509Certificate(leaf!)
      return { publicKey: new Uint8Array(publicKey.export({ format: 'der', type: 'spki' })) }
    },
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
      expect([random.left(), waiting.length]).toEqual([0, 0])
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
  const { cipherSuite } = hello
  const verify = decodeHandshake(messages(one, 'CertificateVerify')[0]!) as MessageOf<'certificate_verify'>
  const { certificateList } = decodeHandshake(messages(one, 'Certificate')[0]!) as MessageOf<'certificate'>
  const group = pair!.action.includes('P-256') ? 'secp256r1' : 'x25519'
  let signed = 0
  const session = Session.server({
    provider: { ...provider, groups: provider.groups.filter(({ name }) => name === group) },
    random,
    now: () => NOW,
    certificates: [
      {
        chain: certificateList.map(({ certData }) => certData),
        signers: [
          {
            scheme: verify.algorithm,
            sign(content) {
              signed++
              expect(hex(content)).toBe(hex(signedContent(one, suiteOf(provider, cipherSuite).hash)))
              return verify.signature
            },
          },
        ],
      },
    ],
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
      expect([random.left(), signed]).toEqual([0, 1])
    },
  }
}

/** The HelloRetryRequest, if there is one, and the ServerHello. */
function serverHellos(one: Trace): [MessageOf<'hello_retry_request'> | undefined, MessageOf<'server_hello'>] {
  const all = messages(one, 'ServerHello').map(decodeHandshake)
  const retry = all.find(message => message.type === 'hello_retry_request')
  return [retry, all.find(message => message.type === 'server_hello')!]
}

/** What the trace's server signs: put together from the trace alone (Sections 4.4.1 and 4.4.3). */
function signedContent(one: Trace, hash: CryptoProvider['cipherSuites'][number]['hash']): Uint8Array {
  const hellos = messages(one, 'ClientHello')
  const [first] = hellos
  const answers = messages(one, 'ServerHello')
  const before = hellos.length > 1 ? [messageHash(hash, first!), answers[0]!] : []
  const transcript = concat(
    ...before,
    hellos.at(-1)!,
    answers.at(-1)!,
    messages(one, 'EncryptedExtensions')[0]!,
    messages(one, 'Certificate')[0]!,
  )
  return certificateVerifyContent('server', hash.digest(transcript))
}

/** Our own message agrees with the trace's in these fields, before the trace's takes its place. */
function expectSame<T extends HandshakeMessage>(ours: T, theirs: T, keys: readonly (keyof T)[]): void {
  for (const key of keys) expect([key, ours[key]]).toEqual([key, theirs[key]])
}

type Carrying = Extract<HandshakeMessage, { extensions: unknown }>

function expectSameExtensions(
  carrier: ExtensionCarrier,
  ours: Carrying,
  theirs: Carrying,
  names: readonly string[],
): void {
  const left = readExtensions(carrier, ours.extensions) as Record<string, unknown>
  const right = readExtensions(carrier, theirs.extensions) as Record<string, unknown>
  for (const name of names) expect([name, left[name]]).toEqual([name, right[name]])
}

function printedSecret(one: Trace, name: string): string {
  const extract = /^(early|handshake|master)_secret$/.exec(name)
  if (extract !== null) {
    const [step] = steps(one, 'server', `extract secret "${extract[1]}"`)
    return hex(field(step!, 'secret'))
  }
  const label = {
    client_handshake_traffic_secret: 'c hs traffic',
    server_handshake_traffic_secret: 's hs traffic',
    client_application_traffic_secret_0: 'c ap traffic',
    server_application_traffic_secret_0: 's ap traffic',
    exporter_master_secret: 'exp master',
    resumption_master_secret: 'res master',
  }[name]
  const [step] = steps(one, undefined, `derive secret "tls13 ${label}"`)
  return hex(field(step!, 'expanded'))
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
  return [
    { type: 'handshake_complete', cipherSuite, serverName, alpn: undefined, resumed: false },
    ...(ticket !== undefined && role === 'client'
      ? [{ type: 'new_session_ticket', ticket: expectedTicket(one, ticket) }]
      : []),
    ...(data === undefined ? [] : [{ type: 'application_data', data: expect.toSatisfy(same(data)) }]),
    { type: 'close_notify' },
  ]
}

function expectedTicket(one: Trace, message: MessageOf<'new_session_ticket'>): unknown {
  return {
    cipherSuite: 0x1301,
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
