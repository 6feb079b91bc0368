import { H1Client, H1Server } from '../../src/http/h1/index.ts'
import {
  type CertificateVerifier,
  type ClientConfig,
  type CryptoProvider,
  certificateWithKey,
  type ServerConfig,
  Session,
} from '../../src/tls13/index.ts'
import { decodeEnvelope, type Envelope, encodeEnvelope, FORMAT_VERSION } from '../../src/transfer/envelope.ts'
import { createIdentity, Sealer } from '../../src/transfer/seal.ts'
import { equal } from '../../src/wire/index.ts'
import { bodyOf } from './answer.ts'

/** Sizes of one connection's state, in bytes. */
export interface StateSizes {
  /** Between two requests: server name, ALPN, session id and generation among it. */
  readonly idle: number
  /** The same, sealed to one target. */
  readonly idleSealed: number
  /** With a request for another function on board, as it is when a connection moves for it. */
  readonly request: number
  readonly requestSealed: number
}

/** µs of the parts of a move, each alone; every array has one entry per move. */
export interface PartTimes {
  /** Session and HTTP state out of their objects, and encoded. */
  readonly export: number[]
  readonly seal: number[]
  readonly open: number[]
  /** Decoded, and back in objects that are ready to work. */
  readonly import: number[]
}

const LIMITS = { headBytes: 16_384, headerFields: 100, bodyBytes: 1 << 20, requests: 1_000_000_000 }
const FRESH = { requestsServed: 0, inbound: new Uint8Array(0) }

/** A server's session whose state goes through every part of a move, over and over, in one process. */
export class InProcess {
  readonly #client: Session
  readonly #config: ServerConfig
  readonly #sealers: readonly [Sealer, Sealer]
  readonly #sessionId: Uint8Array
  #server: Session
  #generation = 0

  constructor(
    provider: CryptoProvider,
    certificate: { readonly chain: readonly Uint8Array[]; readonly privateKey: Uint8Array },
    serverName: string,
    verify: CertificateVerifier,
  ) {
    const { chain, privateKey } = certificate
    const alpn = ['http/1.1']
    this.#config = { provider, alpn, certificates: [certificateWithKey(provider, chain, privateKey)] }
    const config: ClientConfig = { provider, alpn, serverName, verify }
    this.#client = Session.client(config)
    this.#server = Session.server(this.#config)
    for (let flight = 0; flight < 3; flight++) {
      for (const bytes of this.#client.takeOutput()) this.#server.receive(bytes)
      for (const bytes of this.#server.takeOutput()) this.#client.receive(bytes)
    }
    if (!this.#server.connected) throw new Error('the handshake in memory did not end')
    this.#sessionId = provider.random(16)
    const [one, other] = [createIdentity(provider, 1), createIdentity(provider, 2)]
    this.#sealers = [new Sealer(provider, one), new Sealer(provider, other)]
    this.#sealers[0].addPeer(2, other.publicKey)
    this.#sealers[1].addPeer(1, one.publicKey)
  }

  /** Moves the session `count` times. @throws Error what came out is not what went in */
  measure(count: number): PartTimes {
    const times: PartTimes = { export: [], seal: [], open: [], import: [] }
    for (let i = 0; i < count; i++) this.#move(times)
    this.#talk()
    return times
  }

  /** The sizes of the state as it is. */
  sizes(): StateSizes {
    const tls = this.#server.inspect('with secrets')
    const request = new H1Client().request(
      { method: 'POST', target: '/raw-b', headers: [['host', this.#server.serverName ?? 'localhost']] },
      bodyOf(1),
    )
    const [idle, full] = [new Uint8Array(0), request].map(inbound =>
      encodeEnvelope(this.#envelope(tls, { requestsServed: 1, inbound })),
    )
    const sealed = (plain: Uint8Array): number =>
      this.#sealers[0].seal(2, { sessionId: this.#sessionId, generation: 0 }, plain).length
    return {
      idle: idle!.length,
      idleSealed: sealed(idle!),
      request: full!.length,
      requestSealed: sealed(full!),
    }
  }

  #move(times: PartTimes): void {
    const http = new H1Server(LIMITS, FRESH)
    const start = performance.now()
    const encoded = encodeEnvelope(this.#envelope(this.#server.release(), http.export()))
    const exported = performance.now()
    const associated = { sessionId: this.#sessionId, generation: this.#generation }
    const before = performance.now()
    const sealed = this.#sealers[0].seal(2, associated, encoded)
    const after = performance.now()
    const opened = this.#sealers[1].open(1, associated, sealed)
    const done = performance.now()
    if (!equal(opened, encoded)) throw new Error('opened is not what was sealed')
    const begin = performance.now()
    const { tls, application } = decodeEnvelope(opened)
    this.#server = Session.restore(tls!, this.#config)
    new H1Server(LIMITS, application)
    const end = performance.now()
    times.export.push((exported - start) * 1000)
    times.seal.push((after - before) * 1000)
    times.open.push((done - after) * 1000)
    times.import.push((end - begin) * 1000)
  }

  #envelope(tls: Envelope['tls'], http: { requestsServed: number; inbound: Uint8Array }): Envelope {
    return {
      formatVersion: FORMAT_VERSION,
      sessionId: this.#sessionId,
      generation: ++this.#generation,
      hops: 1,
      idleLeft: 30_000,
      tls,
      application: { protocol: 'http1', ...http },
      extensions: [],
    }
  }

  /** Both ways once: the session that has moved is the session that the client has. */
  #talk(): void {
    const message = bodyOf(this.#generation)
    for (const [from, to] of [
      [this.#client, this.#server],
      [this.#server, this.#client],
    ] as const) {
      from.send(message)
      const events = from.takeOutput().flatMap(bytes => to.receive(bytes))
      const [event] = events
      const whole = event?.type === 'application_data' && equal(event.data, message) && events.length === 1
      if (!whole) throw new Error('the session that was moved does not say what was said')
    }
  }
}
