import { describe, expect, it } from 'vitest'
import type { AlertName } from '../../../src/tls13/alert.ts'
import { NamedGroup } from '../../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig } from '../../../src/tls13/config.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import { readExtensions } from '../../../src/tls13/extensions.ts'
import type { MessageOf } from '../../../src/tls13/messages.ts'
import type { TlsReason } from '../../../src/tls13/reasons.ts'
import type { ResumptionTicket } from '../../../src/tls13/state.ts'
import { concat, fromHex } from '../../../src/wire/index.ts'
import { connectedPair, outputOf, ticketSealer } from '../../support/pair.ts'
import { type Reshape, type Row, reshape } from '../../support/reshape.ts'
import {
  clientIn,
  clientScene,
  type Scene,
  type StateName,
  serverIn,
  serverScene,
} from '../../support/scene.ts'

/*
 * What RFC 8446 forbids, a row each, for what is spoken here: no client certificates, no 0-RTT. What each
 * state may receive is in states.test.ts.
 */

type Config = Partial<ServerConfig> & Partial<ClientConfig>

/** What a peer does wrong that sends what it should, but with a change. */
export type Reshaped = readonly [
  /** `§` of RFC 8446, or of another RFC that is named. */
  section: string,
  alert: AlertName,
  reason: TlsReason,
  what: string,
  /** What the peer changes in its own messages; its transcript agrees with what it sends. */
  shape: () => Reshape,
  more?: {
    /** Default: the peer's fault. */
    readonly origin?: Row['origin']
    readonly subject?: () => Config
    readonly peer?: () => Config
  },
]

/** What a peer does wrong that sends something else than it should. */
export type Injected = readonly [
  section: string,
  alert: AlertName,
  reason: TlsReason,
  what: string,
  to: readonly Role[],
  states: readonly StateName[],
  /** What is sent, by a peer that seals as it should. */
  bytes: (scene: Scene) => Uint8Array,
]

export type Role = 'server' | 'client'
export type Hello = MessageOf<'client_hello'>
export type ServerHello = MessageOf<'server_hello'>
export type Retry = MessageOf<'hello_retry_request'>
export type Encrypted = MessageOf<'encrypted_extensions'>
export type Chain = MessageOf<'certificate'>

/** A group that a provider has, but offers and takes only where it is named. */
export const UNNAMED_GROUP = NamedGroup.ffdhe8192
/** A signature scheme that no provider has. */
export const ECDSA_SHA1 = 0x0203
export const BOTH: readonly Role[] = ['server', 'client']
/** The type of records of the handshake. */
export const HANDSHAKE = 22
export const HALF_KEY_UPDATE: Uint8Array = fromHex('180000')
export const KEY_UPDATE: Uint8Array = fromHex('1800000100')

const STATES: Readonly<Record<Role, readonly StateName[]>> = {
  server: ['START', 'WAIT_SECOND_CLIENT_HELLO', 'WAIT_FINISHED', 'CONNECTED'],
  client: ['WAIT_SH', 'WAIT_EE', 'WAIT_CERT_CR', 'WAIT_CERT', 'WAIT_CV', 'WAIT_FINISHED', 'CONNECTED'],
}

/** Changes the (first) ClientHello. */
export const hello = (change: (message: Hello) => Partial<Hello>): (() => Reshape) =>
  reshape('client_hello', (message, turn) => (turn === 0 ? change(message) : {}))
/** Changes the ClientHello that answers a HelloRetryRequest. */
export const secondHello = (change: (message: Hello) => Partial<Hello>): (() => Reshape) =>
  reshape('client_hello', (message, turn) => (turn === 1 ? change(message) : {}))
export const serverHello = (change: (message: ServerHello) => Partial<ServerHello>): (() => Reshape) =>
  reshape('server_hello', change)
export const retry = (change: (message: Retry) => Partial<Retry>): (() => Reshape) =>
  reshape('hello_retry_request', change)
export const encrypted = (change: (message: Encrypted) => Partial<Encrypted>): (() => Reshape) =>
  reshape('encrypted_extensions', change)
export const chain = (change: (message: Chain) => Partial<Chain>): (() => Reshape) =>
  reshape('certificate', change)

/** The shares of a ClientHello. */
export const sharesOf = (message: Hello) => readExtensions('CH', message.extensions).key_share!
/** A server that must ask for another share. */
export const asking = (): Config => ({
  provider: { ...node, groups: node.groups.filter(({ id }) => id === NamedGroup.secp256r1) },
})

/** One test for each row: a server answers such a client with the alert, and is closed. */
export function refusedByServers(rows: readonly Reshaped[]): void {
  describe('to a server', () => {
    it.each(titled(rows, row => row))(
      '%s',
      (_, [, alert, reason, , shape, { origin, subject, peer } = {}]) => {
        const { scene, peer: client } = serverScene(subject?.(), { ...peer?.(), shape: shape() })
        expectAlert(scene, client, alert, { reason, origin: origin ?? 'peer' })
      },
    )
  })
}

/** One test for each row: a client answers such a server with the alert, and is closed. */
export function refusedByClients(rows: readonly Reshaped[]): void {
  describe('to a client', () => {
    it.each(titled(rows, row => row))(
      '%s',
      (_, [, alert, reason, , shape, { origin, subject, peer } = {}]) => {
        const { scene, peer: server } = clientScene(subject?.(), { ...peer?.(), shape: shape() })
        expectAlert(scene, server, alert, { reason, origin: origin ?? 'peer' })
      },
    )
  })
}

/** One test for each row, for each role and each state that it names. */
export function refusedInTheMiddle(rows: readonly Injected[]): void {
  for (const [, , , what, to, states] of rows) {
    const missing = states.filter(state => !to.some(role => STATES[role].includes(state)))
    if (missing.length > 0) throw new Error(`${what}: no session is ever in ${missing.join(', ')}`)
  }
  for (const role of BOTH) {
    const mine = rows.filter(([, , , , to]) => to.includes(role))
    const cases = mine.flatMap(row =>
      STATES[role].filter(state => row[5].includes(state)).map(state => ({ state, row })),
    )
    if (cases.length === 0) continue
    const named = titled(cases, ({ state, row: [section, alert, reason, what] }) => [
      section,
      alert,
      reason,
      `${state}, ${what}`,
    ])

    describe(`to a ${role}, in the middle`, () => {
      it.each(named)('%s', (_, { state, row: [, alert, reason, , , , bytes] }) => {
        const scene = role === 'server' ? serverIn(state) : clientIn(state)
        const result = scene.provoke(bytes(scene))
        expect(result.alert).toBe(alert)
        expect(result.events.at(-1)).toMatchObject({
          type: 'alert',
          from: 'local',
          alert,
          error: { alert, origin: 'peer', reason },
        })
        expect(scene.subject.closed).toBe(true)
      })
    })
  }
}

/** The first ticket of an earlier connection. */
export function ticket(): ResumptionTicket {
  const { clientEvents } = connectedPair({}, { tickets: { sealer: ticketSealer() } })
  const event = clientEvents.find(({ type }) => type === 'new_session_ticket')
  if (event?.type !== 'new_session_ticket') throw new Error('no ticket')
  return event.ticket
}

/** The same bytes with one bit changed. */
export function flipped(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.with(at, bytes.at(at)! ^ 1)
}

/** The unprotected message that the peer would send, its body changed and its length made to fit. */
export function withMessage(scene: Scene, change: (body: Uint8Array) => Uint8Array): Uint8Array {
  const message = firstFragment(scene.genuine)
  const body = change(message.slice(4))
  return recordWith(concat(message.slice(0, 2), Uint8Array.of(body.length >> 8, body.length & 0xff), body))
}

/** What is in the first unprotected record of the handshake. */
export function firstFragment(genuine: Uint8Array): Uint8Array {
  const start = genuine.findIndex((byte, at) => byte === HANDSHAKE && (at === 0 || genuine[0] === 20))
  const length = (genuine[start + 3]! << 8) | genuine[start + 4]!
  return genuine.slice(start + 5, start + 5 + length)
}

/** An unprotected record of the handshake. */
export function recordWith(fragment: Uint8Array): Uint8Array {
  return concat(fromHex('160303'), Uint8Array.of(fragment.length >> 8, fragment.length & 0xff), fragment)
}

/** Rows with their names. @throws Error for a name that stands twice: one of the two means another thing */
function titled<R>(
  rows: readonly R[],
  of: (row: R) => readonly [string, AlertName, TlsReason, string, ...unknown[]],
): [string, R][] {
  const named = rows.map((row): [string, R] => {
    const [section, alert, reason, what] = of(row)
    return [`${section}: ${what} → ${alert}, ${reason}`, row]
  })
  if (new Set(named.map(([name]) => name)).size < named.length) throw new Error('a row stands twice')
  return named
}

/** Runs the handshake until the subject answers with an alert. */
function expectAlert(
  scene: Scene,
  peer: ReturnType<typeof serverScene>['peer'],
  alert: AlertName,
  error: Required<Pick<Row, 'reason' | 'origin'>>,
): void {
  for (let turn = 0; turn < 4; turn++) {
    const { alert: sent, events, output } = scene.provoke(scene.genuine)
    const last = events.at(-1)
    if (last?.type === 'alert') {
      expect(sent).toBe(alert)
      expect(last).toMatchObject({ from: 'local', alert, error: { alert, ...error } })
      expect(events.filter(event => event.type === 'alert').length).toBe(1)
      expect(scene.subject.closed).toBe(true)
      return
    }
    peer.receive(output)
    scene.genuine = outputOf(peer)
  }
  throw new Error('no alert')
}
