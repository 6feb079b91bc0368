import { expect, it } from 'vitest'
import { CLIENT_STEPS, SERVER_STEPS, type Step } from '../../docs/pages/handshake-steps.ts'
import type { Certificate } from '../../src/tls13/authentication.ts'
import { CLIENT_ANSWERS, CLIENT_TRANSITIONS } from '../../src/tls13/client.ts'
import type { ClientConfig, ReplayStore, ServerConfig } from '../../src/tls13/config.ts'
import { createCookieSealer } from '../../src/tls13/cookie.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { zlib } from '../../src/tls13/io/compression.ts'
import { SERVER_ANSWERS, SERVER_TRANSITIONS } from '../../src/tls13/server.ts'
import { concat } from '../../src/wire/index.ts'
import { certificateOf, ed25519Identity, type Identity, trusting } from '../support/identity.ts'
import { connectedPair, createPair, identity, type Pair, ticketSealer } from '../support/pair.ts'
import { answerTo, questionIn, remoteCertificate } from '../support/remote.ts'

/*
 * Whether the diagrams of docs/states.md are those of the handshake: all that the two roles can be is
 * combined, and every step that the tables of transitions take is noted.
 */
const known = ed25519Identity(8)
const tickets = { sealer: ticketSealer() }
const early = (replay: 'ask' | ReplayStore) => ({ tickets, earlyData: { maximum: 1000, replay } })

/** A certificate that is long enough to be compressed. */
const long = (of: Identity): Certificate => ({
  ...certificateOf(of, node),
  chain: [concat(of.publicKey, new Uint8Array(2000))],
})

type Way = { readonly client?: Partial<ClientConfig>; readonly server?: Partial<ServerConfig> }

const hellos: readonly Way[] = [
  {},
  { client: { keyShares: [] } },
  { server: { cookies: createCookieSealer(node, new Uint8Array(16)) } },
]
const signers: readonly Way[] = [
  { client: { verify: trusting(identity) } },
  { client: { verify: 'ask' } },
  { server: { certificates: [remoteCertificate(identity)] } },
  {
    client: { verify: () => ({ publicKey: identity.publicKey }), certificateCompression: [zlib] },
    server: { certificates: [long(identity)], certificateCompression: [zlib] },
  },
]
const resumptions: readonly (() => Way)[] = [
  () => ({ client: { resume: ticketOf({ tickets }) }, server: { tickets } }),
  ...([{ register: () => true }, { register: () => false }, 'ask'] as const).map(replay => () => {
    const server = early(replay)
    return { client: { resume: ticketOf(server), earlyData: true }, server }
  }),
]
const clients: readonly Way[] = [false, true].flatMap(postHandshake => [
  {},
  { server: { clientCertificates: { verify: trusting(known), required: false, postHandshake } } },
  ...[certificateOf(known, node), remoteCertificate(known)].flatMap(certificate =>
    [trusting(known), 'ask' as const].map(verify => ({
      client: { certificates: [certificate], postHandshakeAuth: postHandshake },
      server: { clientCertificates: { verify, postHandshake } },
    })),
  ),
  {
    client: {
      certificates: [long(known)],
      postHandshakeAuth: postHandshake,
      certificateCompression: [zlib],
    },
    server: {
      clientCertificates: { verify: () => ({ publicKey: known.publicKey }), postHandshake },
      certificateCompression: [zlib],
    },
  },
])

function ticketOf(server: Partial<ServerConfig>) {
  for (const event of connectedPair({}, server).clientEvents)
    if (event.type === 'new_session_ticket') return event.ticket
  throw new Error('no ticket')
}

/** Every step that the tables take from now on: `state event next`. */
function noted(tables: readonly object[], steps: Set<string>): void {
  for (const table of tables as readonly Record<string, unknown>[]) {
    for (const [state, row] of Object.entries(table)) {
      const watch = (by: string, transition: (...all: never[]) => Outcome) =>
        function step(...all: never[]): Outcome {
          const outcome = transition(...all)
          steps.add([state, by, outcome.next.handshake?.state ?? state].join(' '))
          return outcome
        }
      if (typeof row === 'function') table[state] = watch('(answer)', row as never)
      else
        for (const [type, transition] of Object.entries(row as object))
          (row as Record<string, unknown>)[type] = watch(type, transition as never)
    }
  }
}
type Outcome = { readonly next: { readonly handshake?: { readonly state: string } } }

/** Until neither side waits for anything. */
function settle(pair: Pair): void {
  for (;;) {
    pair.settle()
    const one = [
      { side: pair.client, events: pair.clientEvents, signer: known },
      { side: pair.server, events: pair.serverEvents, signer: identity },
    ].find(({ side }) => side.waiting)
    if (one === undefined) return
    const { id, question } = questionIn(one.events)
    one.side.answer(id, answerTo(question, one.signer))
  }
}

const lines = (steps: readonly Step[]): string[] =>
  steps.flatMap(([from, by, to]) => by.split(', ').map(one => [from, one, to].join(' '))).sort()

it('every step that a handshake takes is drawn, and no other', () => {
  const [server, client] = [new Set<string>(), new Set<string>()]
  const tables = [SERVER_TRANSITIONS, SERVER_ANSWERS, CLIENT_TRANSITIONS, CLIENT_ANSWERS]
  const before = tables.map(table => Object.entries(table).map(([state, row]) => [state, copyOf(row)]))
  noted([SERVER_TRANSITIONS, SERVER_ANSWERS], server)
  noted([CLIENT_TRANSITIONS, CLIENT_ANSWERS], client)
  try {
    const proven = signers.flatMap(signer => clients.map(one => [signer, one]))
    const ways = hellos.flatMap(hello =>
      [...proven, ...resumptions.map(resumption => [resumption()])].map(rest => [hello, ...rest]),
    )
    for (const [i, way] of ways.entries()) {
      // A ticket of a session without extended key updates resumes none with them.
      const extendedKeyUpdate = way.length === 3 && i % 2 === 0
      const mine = Object.assign({ extendedKeyUpdate }, ...way.map(one => one.client))
      const theirs = Object.assign({ extendedKeyUpdate }, ...way.map(one => one.server))
      const pair = createPair(mine, theirs)
      settle(pair)
      const events = [...pair.clientEvents, ...pair.serverEvents]
      expect(pair.client.connected && pair.server.connected, JSON.stringify(events)).toBe(true)
      if (mine.postHandshakeAuth) pair.server.requestCertificate()
      settle(pair)
      for (const side of [pair.client, pair.server]) side.updateKeys(true)
      settle(pair)
    }
  } finally {
    for (const [i, table] of tables.entries()) Object.assign(table, Object.fromEntries(before[i]!))
  }
  expect({ server: [...server].sort(), client: [...client].sort() }).toEqual({
    server: lines(SERVER_STEPS),
    client: lines(CLIENT_STEPS),
  })
})

const copyOf = (row: unknown): unknown => (typeof row === 'function' ? row : { ...(row as object) })
