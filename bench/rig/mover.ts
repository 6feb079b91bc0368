import { H1Server } from '../../src/http/h1/index.ts'
import {
  type CertificateVerifier,
  type CryptoProvider,
  certificateWithKey,
  type ServerConfig,
  Session,
} from '../../src/tls13/index.ts'
import { decodeEnvelope, type Envelope, encodeEnvelope, FORMAT_VERSION } from '../../src/transfer/envelope.ts'
import { createIdentity, Sealer } from '../../src/transfer/seal.ts'
import { EMPTY, equal } from '../../src/wire/index.ts'

const LIMITS = { headBytes: 16_384, headerFields: 100, bodyBytes: 1 << 20, requests: 1_000_000_000 }
const [SOURCE, TARGET] = [1, 2]

/**
 * A server's session that goes through the parts of a move in one process, with the client that it belongs
 * to.
 */
export class Mover {
  readonly #client: Session
  readonly #config: ServerConfig
  readonly #source: Sealer
  readonly #target: Sealer
  readonly #sessionId: Uint8Array
  #server: Session
  #generation = 0

  /** @throws Error the two do not get through their handshake */
  constructor(
    provider: CryptoProvider,
    certificate: { readonly chain: readonly Uint8Array[]; readonly privateKey: Uint8Array },
    serverName: string,
    verify: CertificateVerifier,
  ) {
    const { chain, privateKey } = certificate
    const alpn = ['http/1.1']
    this.#config = { provider, alpn, certificates: [certificateWithKey(provider, chain, privateKey)] }
    this.#client = Session.client({ provider, alpn, serverName, verify })
    this.#server = Session.server(this.#config)
    for (let flight = 0; flight < 3; flight++) {
      for (const bytes of this.#client.takeOutput()) this.#server.receive(bytes)
      for (const bytes of this.#server.takeOutput()) this.#client.receive(bytes)
    }
    if (!this.#server.connected) throw new Error('the handshake in memory did not end')
    this.#sessionId = provider.random(16)
    const [one, other] = [createIdentity(provider, SOURCE), createIdentity(provider, TARGET)]
    this.#source = new Sealer(provider, one)
    this.#target = new Sealer(provider, other)
    this.#source.addPeer(TARGET, other.publicKey)
    this.#target.addPeer(SOURCE, one.publicKey)
  }

  get serverName(): string {
    return this.#server.serverName ?? ''
  }

  /** Takes the session out of its objects. */
  export(): Uint8Array {
    const http = new H1Server(LIMITS)
    return this.encode(this.#envelope(this.#server.release(), http.export()))
  }

  encode(envelope: Envelope): Uint8Array {
    return encodeEnvelope(envelope)
  }

  decode(encoded: Uint8Array): Envelope {
    return decodeEnvelope(encoded)
  }

  seal(encoded: Uint8Array): Uint8Array {
    return this.#source.seal(TARGET, this.#associated, encoded)
  }

  open(sealed: Uint8Array): Uint8Array {
    return this.#target.open(SOURCE, this.#associated, sealed)
  }

  /** Puts the session back into objects that can work. */
  import(encoded: Uint8Array): H1Server {
    const { tls, application } = decodeEnvelope(encoded)
    this.#server = Session.restore(tls!, this.#config)
    if (application.protocol !== 'http1') throw new Error(`${application.protocol} came back`)
    return new H1Server(LIMITS, application)
  }

  /** All parts together. */
  move(): void {
    this.import(this.open(this.seal(this.export())))
  }

  /** Both ways once. @throws Error the session that has moved is not the one that the client has */
  talk(): void {
    const message = new Uint8Array(100).map((_, i) => i + this.#generation)
    for (const [from, to] of [
      [this.#client, this.#server],
      [this.#server, this.#client],
    ] as const) {
      from.send(message)
      const events = from.takeOutput().flatMap(bytes => to.receive(bytes))
      const [event] = events
      const whole = events.length === 1 && event?.type === 'application_data' && equal(event.data, message)
      if (!whole) throw new Error('the moved session gives other bytes than were sent')
    }
  }

  /** The envelope as it is now, to look at: the session stays. @param inbound a request on board */
  sample(inbound = EMPTY): { envelope: Envelope; encoded: Uint8Array } {
    const envelope = this.#envelope(this.#server.inspect('with secrets'), { requestsServed: 1, inbound })
    return { envelope, encoded: encodeEnvelope(envelope) }
  }

  /** The envelope as it is now, in the session's own memory: to be encoded at once. */
  snapshot(): Envelope {
    return this.#envelope(this.#server.snapshot(), { requestsServed: 1, inbound: EMPTY })
  }

  get #associated() {
    return { sessionId: this.#sessionId, generation: this.#generation }
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
      upstreams: [],
      extensions: [],
    }
  }
}
