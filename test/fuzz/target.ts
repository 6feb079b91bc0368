import { readdirSync, readFileSync } from 'node:fs'
import { ContentType } from '../../src/tls13/codepoints.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { ClientConfig, ServerConfig } from '../../src/tls13/index.ts'
import { Session } from '../../src/tls13/index.ts'
import { encodeHandshake } from '../../src/tls13/messages.ts'
import { SessionState } from '../../src/tls13/state.ts'
import { concat, decode, EMPTY, encode, fromHex, utf8 } from '../../src/wire/index.ts'
import { certificateOf, ed25519Identity, trusting } from '../support/identity.ts'
import { clientConfig, serverConfig, ticketSealer } from '../support/pair.ts'
import { seeded } from '../support/random.ts'
import { clientIn, type Scene, type StateName, serverIn } from '../support/scene.ts'

/** A session in some state, as often as wanted, and what its peer could send. */
export interface Target {
  readonly name: string
  /** A new session in that state; with the same seed it says the same. */
  session(seed: number): Session
  /** Contents of records that fit the state, each with its type. */
  readonly contents: readonly { readonly type: number; readonly content: Uint8Array }[]
  /**
   * Seals records as the peer would; plain where there is no key. Each call begins where the session's
   * reading stands.
   */
  writer(): (type: number, content: Uint8Array) => Uint8Array
}

const SERVER_STATES: readonly StateName[] = [
  'WAIT_SECOND_CLIENT_HELLO',
  'WAIT_COOKIE',
  'WAIT_EOED',
  'WAIT_CERT',
  'WAIT_CV',
  'WAIT_FINISHED',
  'CONNECTED',
]
const CLIENT_STATES: readonly StateName[] = [
  'WAIT_SH',
  'WAIT_EE',
  'WAIT_CERT_CR',
  'WAIT_CERT',
  'WAIT_CV',
  'WAIT_FINISHED',
  'CONNECTED',
]

/** What either side may send when the handshake is over, rightly or wrongly. */
const AFTERWARDS = [
  { type: ContentType.handshake, content: encodeHandshake({ type: 'key_update', requestUpdate: 1 }) },
  {
    type: ContentType.handshake,
    content: encodeHandshake({
      type: 'new_session_ticket',
      ticketLifetime: 100,
      ticketAgeAdd: 1,
      ticketNonce: Uint8Array.of(1),
      ticket: new Uint8Array(40).fill(9),
      extensions: [{ extensionType: 42, extensionData: Uint8Array.of(0, 0, 1, 0) }],
    }),
  },
  {
    type: ContentType.handshake,
    content: encodeHandshake({
      type: 'certificate_request',
      certificateRequestContext: Uint8Array.of(1, 2, 3),
      extensions: [{ extensionType: 13, extensionData: Uint8Array.of(0, 2, 8, 7) }],
    }),
  },
  { type: ContentType.application_data, content: utf8('GET / HTTP/1.1\r\n\r\n') },
  { type: ContentType.alert, content: Uint8Array.of(1, 0) },
  { type: ContentType.alert, content: Uint8Array.of(2, 40) },
  { type: ContentType.change_cipher_spec, content: Uint8Array.of(1) },
] as const

/** Every state of either role that waits for the peer, and a server that waits for its first hello. */
export function targets(): Target[] {
  return [
    start(),
    ...SERVER_STATES.map(state => from(`server ${state}`, serverIn(state), serverPolicy())),
    ...CLIENT_STATES.map(state => from(`client ${state}`, clientIn(state), clientPolicy())),
  ]
}

/** The hellos of real clients, records included. */
export function realHellos(): Uint8Array[] {
  const directory = new URL('../../vectors/corpus/hellos/', import.meta.url)
  return readdirSync(directory).map(file => fromHex(readFileSync(new URL(file, directory), 'utf8')))
}

/** Everything on: what is not offered cannot go wrong. */
function serverPolicy(): ServerConfig {
  return serverConfig({
    alpn: ['h2', 'http/1.1'],
    tickets: { sealer: ticketSealer() },
    earlyData: { maximum: 1000, replay: { register: () => true } },
    clientCertificates: { required: false, verify: trusting(ed25519Identity(8)) },
    psks: [{ identity: utf8('a potato'), key: new Uint8Array(32).fill(5), imported: { context: EMPTY } }],
    pskModes: ['psk_dhe_ke', 'psk_ke'],
    recordSizeLimit: 2000,
  })
}

function clientPolicy(): ClientConfig {
  return clientConfig({
    alpn: ['h2', 'http/1.1'],
    certificates: [certificateOf(ed25519Identity(8), node)],
    postHandshakeAuth: true,
    requestStatus: true,
    recordSizeLimit: 2000,
  })
}

function start(): Target {
  const hellos = realHellos()
  return {
    name: 'server START',
    session: seed => Session.server({ ...serverPolicy(), random: seeded(seed) }),
    contents: hellos.map(hello => ({ type: ContentType.handshake, content: hello.slice(5) })),
    writer: () => plain,
  }
}

function from(name: string, scene: Scene, policy: ServerConfig | ClientConfig): Target {
  const state = encode(SessionState, scene.subject.inspect('with secrets'))
  const genuine = contentsOf(scene)
  const isOver = name.endsWith('CONNECTED')
  return {
    name,
    session: seed =>
      Session.restore(decode(SessionState, state), { ...policy, random: seeded(seed) } as ServerConfig),
    contents: [...genuine, ...(isOver || genuine.length === 0 ? AFTERWARDS : AFTERWARDS.slice(0, 4))],
    writer: () => scene.writer(),
  }
}

function contentsOf(scene: Scene): { type: number; content: Uint8Array }[] {
  if (scene.genuine.length < 5) return []
  if (scene.subject.trafficKeys().read !== undefined && scene.genuine[0] === ContentType.application_data) {
    return [{ type: ContentType.handshake, content: scene.open(scene.genuine) }]
  }
  const length = (scene.genuine[3]! << 8) + scene.genuine[4]!
  return [{ type: scene.genuine[0]!, content: scene.genuine.slice(5, 5 + length) }]
}

/** A record in clear, whatever its length. */
function plain(type: number, content: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(type, 3, 3, content.length >> 8, content.length & 0xff), content)
}
