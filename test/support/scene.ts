import { alertName } from '../../src/tls13/alert.ts'
import { ContentType } from '../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig, SessionEvent } from '../../src/tls13/config.ts'
import { createCookieSealer } from '../../src/tls13/cookie.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { type Extension, encodeHandshake, handshakeLength } from '../../src/tls13/messages.ts'
import { Protection } from '../../src/tls13/protection.ts'
import { plaintextRecord, readRecord } from '../../src/tls13/record.ts'
import { Session } from '../../src/tls13/session.ts'
import type { SessionState, TrafficState } from '../../src/tls13/state.ts'
import { suiteOf } from '../../src/tls13/transition.ts'
import { concat, EMPTY } from '../../src/wire/index.ts'
import { certificateOf, ed25519Identity, trusting } from './identity.ts'
import { clientConfig, connectedPair, outputOf, recordsOf, serverConfig, ticketSealer } from './pair.ts'

export type StateName = SessionState['handshake']['state']

/** One session that waits for something, and a hand that can write whatever a peer could write to it now. */
export class Scene {
  readonly subject: Session
  /** What the peer would rightly send next. */
  genuine: Uint8Array = EMPTY
  readonly #secrets: Uint8Array[]

  constructor(subject: Session, secrets: Uint8Array[]) {
    this.subject = subject
    this.#secrets = secrets
  }

  get state(): StateName {
    return this.subject.inspect().handshake.state
  }

  /**
   * Seals records as the peer would, from the place where the subject's reading stands; plain where there is
   * no key.
   */
  writer(): (type: number, content: Uint8Array, padding?: number) => Uint8Array {
    const { read } = this.subject.trafficKeys()
    if (read === undefined) return (type, content) => plaintextRecord(type, content)
    const protection = protectionOf(this.subject, read)
    return (type, content, padding) => protection.seal(type, content, padding)
  }

  /** The content of a record that the peer would rightly send now; the subject does not get it. */
  open(record: Uint8Array): Uint8Array {
    const raw = readRecord(record, 0, true)!
    return protectionOf(this.subject, this.subject.trafficKeys().read!).open(raw).content
  }

  /** One handshake record with these messages. */
  handshake(...messages: readonly Uint8Array[]): Uint8Array {
    return this.writer()(ContentType.handshake, concat(...messages))
  }

  /** Gives the subject bytes, and tells which alert it answers with: what its last record says, in clear. */
  provoke(bytes: Uint8Array): { events: SessionEvent[]; alert: string | undefined; output: Uint8Array } {
    const { write } = this.subject.trafficKeys()
    const suite = write && suiteId(this.subject)
    const events = this.subject.receive(bytes)
    const output = outputOf(this.subject)
    const last = recordsOf(output).at(-1)
    const candidates = [...(write === undefined ? [] : [write.trafficSecret]), ...this.#secrets]
    const content = last && alertIn(last, candidates, suite ?? suiteId(this.subject))
    return { events, output, alert: content && alertName(content[1]!) }
  }
}

function suiteId(session: Session): number {
  return session.inspect().cipherSuite
}

function protectionOf(session: Session, state: TrafficState): Protection {
  const { trafficSecret, sequenceNumber } = state
  return new Protection(suiteOf(node, suiteId(session)), { trafficSecret, sequenceNumber })
}

/** The two bytes of an alert in a record, which may be protected by any of the secrets. */
function alertIn(record: Uint8Array, secrets: readonly Uint8Array[], suite: number): Uint8Array | undefined {
  const raw = readRecord(record, 0, true)!
  if (record[1] !== 3 || record[2] !== 3) return undefined
  if (raw.type === ContentType.alert) return raw.fragment
  for (const trafficSecret of secrets) {
    for (let sequenceNumber = 0; sequenceNumber < 8; sequenceNumber++) {
      try {
        const { type, content } = new Protection(suiteOf(node, suite), {
          trafficSecret,
          sequenceNumber,
        }).open(raw)
        if (type === ContentType.alert) return content
      } catch {
        // another secret, or another number
      }
    }
  }
  return undefined
}

/** The handshake messages in a byte string, headers included. */
export function splitHandshake(bytes: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = handshakeLength(bytes.subarray(at))!
    messages.push(bytes.slice(at, at + length))
    at += length
  }
  return messages
}

/** A server that has not heard anything, and the client that would talk to it. */
export function serverScene(
  server: Partial<ServerConfig> = {},
  client: Partial<ClientConfig> = {},
): { scene: Scene; peer: Session } {
  const secrets: Uint8Array[] = []
  const onSecret: ServerConfig['onSecret'] = ({ secret }) => secrets.push(secret)
  const scene = new Scene(Session.server(serverConfig({ onSecret, ...server })), secrets)
  const peer = Session.client(clientConfig(client))
  scene.genuine = outputOf(peer)
  return { scene, peer }
}

/** A client that has sent its hello, and the server that has answered it. */
export function clientScene(
  client: Partial<ClientConfig> = {},
  server: Partial<ServerConfig> = {},
): { scene: Scene; peer: Session } {
  const secrets: Uint8Array[] = []
  const onSecret: ClientConfig['onSecret'] = ({ secret }) => secrets.push(secret)
  const scene = new Scene(Session.client(clientConfig({ onSecret, ...client })), secrets)
  const peer = Session.server(serverConfig(server))
  peer.receive(outputOf(scene.subject))
  scene.genuine = outputOf(peer)
  return { scene, peer }
}

/** A server in a state. `genuine` is what the client would send next. */
export function serverIn(state: StateName, server: Partial<ServerConfig> = {}): Scene {
  const [mine, theirs] = WAYS[state as string]?.() ?? []
  const { scene, peer } = serverScene({ ...mine, ...server }, theirs)
  const turn = (): void => {
    scene.subject.receive(scene.genuine)
    peer.receive(outputOf(scene.subject))
    scene.genuine = outputOf(peer)
  }
  const first = state === 'WAIT_CV' ? 'WAIT_CERT' : state
  for (let i = 0; i < 3 && scene.state !== first; i++) turn()
  if (state === 'WAIT_CERT' || state === 'WAIT_CV') {
    // one message at a time: they come in one record
    const messages = splitHandshake(scene.open(recordsOf(scene.genuine).at(-1)!))
    if (state === 'WAIT_CV') scene.subject.receive(scene.handshake(messages.shift()!))
    scene.genuine = scene.handshake(messages[0]!)
  }
  return expectState(scene, state)
}

const clientIdentity = ed25519Identity(8)

/** What server and client have to be for the server to come into a state that not every handshake has. */
const WAYS: Readonly<Record<string, () => [Partial<ServerConfig>, Partial<ClientConfig>]>> = {
  WAIT_SECOND_CLIENT_HELLO: () => [{}, { keyShares: [] }],
  WAIT_COOKIE: () => [{ cookies: createCookieSealer(node, new Uint8Array(16)) }, {}],
  WAIT_EOED: () => {
    const server = { tickets: { sealer: ticketSealer() }, earlyData: { maximum: 1000, replay: anything } }
    const { clientEvents } = connectedPair({}, server)
    const [resume] = clientEvents.flatMap(event =>
      event.type === 'new_session_ticket' ? [event.ticket] : [],
    )
    return [server, { resume: resume!, earlyData: true }]
  },
  WAIT_CERT: withClientCertificate,
  WAIT_CV: withClientCertificate,
}

const anything = { register: () => true }

function withClientCertificate(): [Partial<ServerConfig>, Partial<ClientConfig>] {
  return [
    { clientCertificates: { verify: trusting(clientIdentity) } },
    { certificates: [certificateOf(clientIdentity, node)] },
  ]
}

const CERTIFICATE_REQUEST = encodeHandshake({
  type: 'certificate_request',
  certificateRequestContext: EMPTY,
  extensions: [{ extensionType: 13, extensionData: Uint8Array.of(0, 2, 8, 7) } satisfies Extension],
})

/**
 * A client in a state. `genuine` is what the server would send next, message by message where the state needs
 * it.
 */
export function clientIn(state: StateName, client: Partial<ClientConfig> = {}): Scene {
  const { scene, peer } = clientScene(client)
  if (state === 'WAIT_SH') return expectState(scene, state)
  if (state === 'CONNECTED') {
    scene.subject.receive(scene.genuine)
    peer.receive(outputOf(scene.subject))
    scene.genuine = outputOf(peer)
    return expectState(scene, state)
  }
  const records = recordsOf(scene.genuine)
  const flight = records.pop()!
  scene.subject.receive(concat(...records))
  const raw = readRecord(flight, 0, true)!
  const opened = protectionOf(scene.subject, scene.subject.trafficKeys().read!).open(raw)
  const messages = splitHandshake(opened.content)
  const before = { WAIT_EE: 0, WAIT_CERT_CR: 1, WAIT_CERT: 1, WAIT_CV: 2, WAIT_FINISHED: 3 }[state as string]
  for (let i = 0; i < before!; i++) scene.subject.receive(scene.handshake(messages.shift()!))
  if (state === 'WAIT_CERT') scene.subject.receive(scene.handshake(CERTIFICATE_REQUEST))
  scene.genuine = scene.handshake(messages[0]!)
  return expectState(scene, state)
}

function expectState(scene: Scene, state: StateName): Scene {
  if (scene.state !== state) throw new Error(`in ${scene.state} instead of ${state}`)
  outputOf(scene.subject)
  return scene
}
