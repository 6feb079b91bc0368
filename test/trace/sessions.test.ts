import { describe, expect, it } from 'vitest'
import { NamedGroup } from '../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig } from '../../src/tls13/config.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { zlib } from '../../src/tls13/io/compression.ts'
import { Session } from '../../src/tls13/session.ts'
import type { ResumptionTicket } from '../../src/tls13/state.ts'
import type { Side, TracedMessage, TracedSecret, TraceEvent } from '../../src/trace/event.ts'
import { Tracer } from '../../src/trace/tracer.ts'
import { concat, hex, utf8 } from '../../src/wire/index.ts'
import { certificateOf, ed25519Identity, trusting } from '../support/identity.ts'
import { clientConfig, connectedPair, serverConfig, ticketSealer } from '../support/pair.ts'
import { seeded } from '../support/random.ts'

const known = ed25519Identity(8)
const tickets = { sealer: ticketSealer() }
const earlyData = { maximum: 1000, replay: { register: () => true } }

interface Kind {
  readonly title: string
  readonly client?: Partial<ClientConfig>
  readonly server?: Partial<ServerConfig>
  readonly early?: boolean
  /** What has no key for the side that looks. */
  readonly unread?: Partial<Record<Side, number>>
  readonly messages: readonly string[]
}

const HANDSHAKE = [
  'client_hello',
  'server_hello',
  'encrypted_extensions',
  'certificate',
  'certificate_verify',
]
const KINDS: readonly Kind[] = [
  { title: 'a full handshake', messages: [...HANDSHAKE, 'finished', 'finished'] },
  {
    title: 'a HelloRetryRequest',
    server: { provider: { ...node, groups: node.groups.filter(({ id }) => id === NamedGroup.secp256r1) } },
    messages: ['client_hello', 'hello_retry_request', ...HANDSHAKE, 'finished', 'finished'],
  },
  {
    title: 'a client certificate',
    client: { certificates: [certificateOf(known, node)] },
    server: { clientCertificates: { verify: trusting(known) } },
    messages: [
      ...['client_hello', 'server_hello', 'encrypted_extensions', 'certificate_request', 'certificate'],
      ...['certificate_verify', 'finished', 'certificate', 'certificate_verify', 'finished'],
    ],
  },
  {
    title: 'certificates that are compressed',
    client: { certificateCompression: [zlib] },
    server: { certificateCompression: [zlib] },
    messages: [
      ...['client_hello', 'server_hello', 'encrypted_extensions', 'compressed_certificate'],
      ...['certificate_verify', 'finished', 'finished'],
    ],
  },
  {
    title: 'resumption',
    client: { resume: ticket() },
    server: { tickets },
    messages: [
      ...['client_hello', 'server_hello', 'encrypted_extensions', 'finished', 'finished'],
      'new_session_ticket',
    ],
  },
  {
    title: 'early data',
    client: { resume: ticket(), earlyData: true },
    server: { tickets: { ...tickets, count: 0 }, earlyData },
    early: true,
    messages: [
      ...[
        'client_hello',
        'server_hello',
        'encrypted_extensions',
        'finished',
        'end_of_early_data',
        'finished',
      ],
    ],
  },
  {
    title: 'early data that is refused',
    client: { resume: ticket(), earlyData: true },
    server: { tickets: { ...tickets, count: 0 } },
    early: true,
    // The server makes no key for it.
    unread: { server: 1 },
    messages: ['client_hello', 'server_hello', 'encrypted_extensions', 'finished', 'finished'],
  },
  {
    title: 'padding and small records',
    client: { padding: () => 100, recordSizeLimit: 100 },
    server: { padding: () => 7, recordSizeLimit: 64 },
    messages: [...HANDSHAKE, 'finished', 'finished'],
  },
]

describe.each(['client', 'server'] as const)('seen from the %s', side => {
  it.each(KINDS)('$title', kind => {
    const { events, sent } = converse(kind, side)
    const gaps = events.filter(({ kind }) => kind === 'gap')
    expect(gaps.length).toBe(kind.unread?.[side] ?? 0)
    const messages = events.filter((event): event is TracedMessage => event.kind === 'message')
    expect(messages.map(({ type }) => type)).toEqual([...kind.messages, 'key_update', 'key_update'])
    const secrets = events.filter((event): event is TracedSecret => event.kind === 'secret')
    expect(secrets.filter(({ follows }) => follows === false)).toEqual([])
    expect(secrets.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['client_application_traffic_secret_1', 'server_application_traffic_secret_1']),
    )
    for (const from of ['client', 'server'] as const) {
      const data = events.flatMap(event =>
        event.kind === 'data' && event.side === from ? [event.bytes] : [],
      )
      const lost = kind.unread?.[side] === 1 && from === 'client' ? utf8('early') : new Uint8Array(0)
      expect(hex(concat(lost, ...data))).toBe(hex(sent[from]))
    }
    const ends = events.flatMap(event => (event.kind === 'alert' ? [`${event.side} ${event.name}`] : []))
    expect(ends).toEqual(['client close_notify', 'server close_notify'])
  })
})

describe('extended key updates', () => {
  it.each(['client', 'server'] as const)('are read along from the %s', side => {
    const extending = { extendedKeyUpdate: true }
    const { tracer, client, server, settle } = traced(side, extending, extending)
    tracer.take()
    for (const one of [client, server, client]) {
      one.updateKeys(true)
      settle()
      one.send(utf8('new'))
      settle()
    }
    tracer.end()
    const events = tracer.take()
    expect(events.filter(({ kind }) => kind === 'gap')).toEqual([])
    const sealed = events.flatMap(event => (event.kind === 'record' ? (event.sealed?.secret ?? []) : []))
    // Of the last one only the key of the client, which spoke.
    expect(new Set(sealed).size).toBe(7)
    expect(events.filter(({ kind }) => kind === 'data')).toHaveLength(3)
  })
})

describe('what makes no sense', () => {
  it('is a gap, and never an error', () => {
    const random = seeded(5)
    for (let round = 0; round < 300; round++) {
      const tracer = new Tracer(node)
      for (const side of ['client', 'server', 'client'] as const) {
        const bytes = random(1 + (random(1)[0]! % 200))
        if (round % 2 === 0) bytes.set([22, 3, 3, 0, Math.max(0, bytes.length - 5)].slice(0, bytes.length))
        tracer.bytes(side, bytes)
      }
      tracer.end()
      expect(tracer.take().filter(({ kind }) => kind === 'data')).toEqual([])
    }
  })

  it('such as a record that was changed: the next one is read', () => {
    const { tracer, client } = traced('client', {}, {})
    client.send(utf8('one'))
    const [changed] = client.takeOutput()
    changed![changed!.length - 1]! ^= 1
    tracer.bytes('client', changed!)
    client.send(utf8('two'))
    tracer.bytes('client', concat(...client.takeOutput()))
    const late = tracer.take().slice(-3)
    expect(late.map(({ kind }) => kind)).toEqual(['gap', 'record', 'data'])
  })

  it('a peer that sends without end before there are keys costs a bounded amount of memory', () => {
    const tracer = new Tracer(node)
    const record = concat(Uint8Array.of(23, 3, 3, 0x40, 0), new Uint8Array(0x4000))
    for (let i = 0; i < 100; i++) tracer.bytes('client', record)
    expect(tracer.take().filter(({ kind }) => kind === 'gap').length).toBeGreaterThan(60)
  })
})

function ticket(): ResumptionTicket {
  for (const event of connectedPair({}, { tickets, earlyData }).clientEvents)
    if (event.type === 'new_session_ticket') return event.ticket
  throw new Error('no ticket')
}

/** Two sessions that have connected, and what a tracer beside one of them has seen. */
function traced(
  side: Side,
  client: Partial<ClientConfig>,
  server: Partial<ServerConfig>,
  early?: Uint8Array,
) {
  const tracer = new Tracer(node)
  const onSecret: ClientConfig['onSecret'] = exposed => tracer.secret(exposed)
  const one = Session.client(clientConfig({ ...client, ...(side === 'client' ? { onSecret } : {}) }))
  const other = Session.server(serverConfig({ ...server, ...(side === 'server' ? { onSecret } : {}) }))
  if (early !== undefined) one.sendEarly(early)
  const settle = (): void => {
    for (;;) {
      const up = concat(...one.takeOutput())
      tracer.bytes('client', up)
      other.receive(up)
      const down = concat(...other.takeOutput())
      tracer.bytes('server', down)
      one.receive(down)
      if (up.length + down.length === 0) return
    }
  }
  settle()
  return { tracer, client: one, server: other, settle }
}

function converse(kind: Kind, side: Side) {
  const early = kind.early === true ? utf8('early') : undefined
  const { tracer, client, server, settle } = traced(side, kind.client ?? {}, kind.server ?? {}, early)
  expect([client.connected, server.connected]).toEqual([true, true])
  const [first, second] = [utf8('a request that is longer than a small record '.repeat(5)), utf8('an answer')]
  client.send(first)
  server.send(second)
  settle()
  client.updateKeys(true)
  settle()
  client.send(first)
  settle()
  client.close()
  settle()
  server.close()
  settle()
  tracer.end()
  const sent = { client: concat(early ?? new Uint8Array(0), first, first), server: second }
  return { events: [...tracer.take()] as TraceEvent[], sent }
}
