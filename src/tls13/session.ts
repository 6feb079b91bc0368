import { concat, DecodeError, decode, EMPTY, encode, redact } from '../wire/index.ts'
import { alertName, encodeAlert, peerError, TlsError } from './alert.ts'
import { CLIENT_TRANSITIONS } from './client.ts'
import { firstHello } from './client-hello.ts'
import { ContentType } from './codepoints.ts'
import type { ClientConfig, ServerConfig, SessionEvent } from './config.ts'
import { exportKeyingMaterial, nextTrafficSecret } from './key-schedule.ts'
import { decodeHandshake, encodeHandshake, handshakeLength, KeyUpdateRequest } from './messages.ts'
import { issueTickets } from './post-handshake.ts'
import { Protection } from './protection.ts'
import {
  CHANGE_CIPHER_SPEC,
  MAXIMUM_PLAINTEXT,
  plaintextRecord,
  type RawRecord,
  readRecord,
} from './record.ts'
import { SERVER_TRANSITIONS } from './server.ts'
import { type ClientState, type ServerState, SessionState, type TrafficState } from './state.ts'
import {
  type ClientTransition,
  type Context,
  type Effect,
  type Outcome,
  type ServerTransition,
  suiteOf,
} from './transition.ts'

/** A key, its iv, the secret that they follow from, and the number of the next record. */
export interface TrafficView {
  readonly trafficSecret: Uint8Array
  readonly key: Uint8Array
  readonly iv: Uint8Array
  readonly sequenceNumber: number
}

const HANDSHAKE_MESSAGE_LIMIT = 2 ** 16
/** Records that we leave unused under a write key, so that the KeyUpdate itself still fits (RFC 8446, Section 5.5). */
const KEY_UPDATE_MARGIN = 16

/**
 * One TLS 1.3 session, of either role, with no sockets and no clock of its own: bytes in; events and bytes out.
 *
 * It owns one {@link SessionState}, applies the effects that transitions return, and derives the keyed objects it works
 * with. `feed` and `next` take records one at a time, so that an owner may stop between any two; `receive` is both.
 */
export class Session {
  #state: SessionState
  readonly #config: ServerConfig | ClientConfig
  #reader: Protection | undefined
  #writer: Protection | undefined
  /** Input and how much of it has been read. After `next()` gave undefined it is our own copy. */
  #input: Uint8Array = EMPTY
  #inputOffset = 0
  #inputIsOurs = true
  #output: Uint8Array[] = []
  #events: SessionEvent[] = []
  /** Handshake messages that wait to share a record. */
  #flight: Uint8Array[] = []
  #released = false

  private constructor(state: SessionState, config: ServerConfig | ClientConfig) {
    this.#state = state
    this.#config = config
    const { read, write, cipherSuite } = state
    if (read !== undefined) this.#reader = new Protection(suiteOf(config.provider, cipherSuite), read)
    if (write !== undefined) this.#writer = new Protection(suiteOf(config.provider, cipherSuite), write)
    this.#input = state.inboundRecords
    if (state.outbound.length > 0) this.#output.push(state.outbound)
  }

  /** A client that has its ClientHello ready in the output. @throws TypeError for a configuration that makes no sense */
  static client(config: ClientConfig): Session {
    const session = new Session({ role: 'client', handshake: { state: 'CLOSED' }, ...initialState() }, config)
    session.#apply(firstHello(session.#context() as Context<ClientConfig>))
    return session
  }

  /** A server that waits for a ClientHello. */
  static server(config: ServerConfig): Session {
    return new Session(freshServerState(EMPTY), config)
  }

  /**
   * A session that goes on where `state` left off, in the role of its state.
   * @throws TlsError internal_error (configuration) if the role does not fit or the provider lacks the cipher suite
   */
  static restore(state: SessionState, config: ServerConfig | ClientConfig): Session {
    const role = 'verify' in config ? 'client' : 'server'
    if (role !== state.role) {
      throw new TlsError(
        'internal_error',
        'configuration',
        `a ${state.role}'s state and a ${role}'s configuration`,
      )
    }
    return new Session(state, config)
  }

  /** Whether both sides may send application data. */
  get connected(): boolean {
    return this.#state.handshake.state === 'CONNECTED'
  }

  /** Whether the session has ended with an error or has been closed both ways. */
  get closed(): boolean {
    return this.#state.handshake.state === 'CLOSED' || (this.#state.readClosed && this.#state.writeClosed)
  }

  get role(): 'client' | 'server' {
    return this.#state.role
  }

  get serverName(): string | undefined {
    return this.#state.serverName
  }

  get alpn(): string | undefined {
    return this.#state.alpn
  }

  /** The suite's RFC name, once it is chosen. */
  get cipherSuite(): string | undefined {
    const { cipherSuite } = this.#state
    return this.#config.provider.cipherSuites.find(suite => suite.id === cipherSuite)?.name
  }

  /** Received bytes that have not been opened yet. */
  get buffered(): number {
    return this.#input.length - this.#inputOffset
  }

  /** Bytes from the peer → events. The output may have grown, see {@link takeOutput}. */
  receive(bytes: Uint8Array): SessionEvent[] {
    this.feed(bytes)
    const events: SessionEvent[] = []
    for (let event = this.next(); event !== undefined; event = this.next()) events.push(event)
    return events
  }

  /** Gives bytes from the peer. They must not change until {@link next} has returned undefined; the rest is copied then. */
  feed(bytes: Uint8Array): void {
    this.#assertOwned()
    if (this.#state.readClosed || this.#state.handshake.state === 'CLOSED') return
    if (this.buffered === 0) {
      this.#input = bytes
      this.#inputOffset = 0
      this.#inputIsOurs = false
    } else {
      this.#input = concat(this.#input.subarray(this.#inputOffset), bytes)
      this.#inputOffset = 0
      this.#inputIsOurs = true
    }
  }

  /**
   * The next event; undefined when more bytes are needed. It opens no record beyond the one that the event came from.
   * The one place where errors of the protocol are caught: they become an alert in the output and an `alert` event.
   */
  next(): SessionEvent | undefined {
    this.#assertOwned()
    for (;;) {
      const event = this.#events.shift()
      if (event !== undefined) return event
      if (this.#state.readClosed || this.#state.handshake.state === 'CLOSED') {
        this.#dropInput()
        return undefined
      }
      try {
        if (this.#step()) continue
      } catch (error) {
        this.#fail(error)
        continue
      }
      this.#keepInput()
      return undefined
    }
  }

  /** Copies what has been fed and not yet read, so that the memory given to {@link feed} is the caller's again. */
  settle(): void {
    this.#assertOwned()
    this.#keepInput()
  }

  /** Seals application data into records of at most 2^14 bytes. @throws Error before the handshake is over or after close */
  send(data: Uint8Array): void {
    this.#assertWritable()
    this.#answerKeyUpdate()
    for (let at = 0; at < data.length; at += MAXIMUM_PLAINTEXT) {
      if (this.#writer!.recordsLeft <= KEY_UPDATE_MARGIN) this.updateKeys(false)
      this.#writeRecord(ContentType.application_data, data.subarray(at, at + MAXIMUM_PLAINTEXT))
    }
  }

  /** Changes the write key (RFC 8446, Section 4.6.3). @param requestPeer ask the peer to change its own, too */
  updateKeys(requestPeer: boolean): void {
    this.#assertWritable()
    const requestUpdate = requestPeer
      ? KeyUpdateRequest.update_requested
      : KeyUpdateRequest.update_not_requested
    this.#flight.push(encodeHandshake({ type: 'key_update', requestUpdate }))
    // Whatever we owed, this is it.
    this.#state.keyUpdatePending = false
    this.#writeWith(nextTrafficSecret(this.#suite().hash, this.#state.write!.trafficSecret))
  }

  /** Server: sends `count` more tickets; their nonces go on where the last one's stopped. @throws Error as {@link send} */
  sendTickets(count: number): void {
    this.#assertWritable()
    if (this.#state.role !== 'server') throw new Error('only a server sends tickets')
    this.#answerKeyUpdate()
    this.#apply(issueTickets(this.#state, count, this.#context() as Context<ServerConfig>))
  }

  /** Sends close_notify: nothing more from us, while the peer may go on (RFC 8446, Section 6.1). Safe to call twice. */
  close(): void {
    this.#assertOwned()
    if (this.#state.writeClosed || this.#state.handshake.state === 'CLOSED') return
    this.#writeAlert('close_notify')
  }

  /** Everything that is to be written to the stream, in order; the session forgets it. */
  takeOutput(): Uint8Array[] {
    this.#assertOwned()
    if (this.connected && !this.#state.writeClosed) this.#answerKeyUpdate()
    const output = this.#output
    this.#output = []
    return output
  }

  /**
   * Keying material for an application (RFC 8446, Section 7.5).
   * @param context may be empty @param length bytes @throws Error before the handshake is over
   */
  exportKeyingMaterial(label: string, context: Uint8Array, length: number): Uint8Array {
    this.#assertOwned()
    const { handshake } = this.#state
    if (handshake.state !== 'CONNECTED') throw new Error('keying material exists once the handshake is over')
    return exportKeyingMaterial(this.#suite().hash, handshake.exporterMasterSecret, label, context, length)
  }

  /** The traffic keys in use, with their secrets: for tests, teaching and tools. */
  trafficKeys(): { readonly read: TrafficView | undefined; readonly write: TrafficView | undefined } {
    this.#assertOwned()
    const view = (protection: Protection | undefined): TrafficView | undefined =>
      protection && {
        ...protection.state,
        trafficSecret: protection.state.trafficSecret.slice(),
        ...protection.keys,
      }
    return { read: view(this.#reader), write: view(this.#writer) }
  }

  /**
   * A copy of the state, to look at. Secrets are left out (their bytes are zeros) unless asked for by name.
   * The session goes on: a copy with secrets must never be restored beside it.
   */
  inspect(what?: 'with secrets'): SessionState {
    this.#assertOwned()
    const copy = decode(SessionState, encode(SessionState, this.#snapshot()))
    return what === 'with secrets' ? copy : redact(SessionState, copy)
  }

  /**
   * Gives the state away. This object keeps no key, sends nothing, and refuses everything afterwards: two owners of one
   * session would use nonces twice.
   * @throws Error while events wait to be taken by {@link next}: they are no part of the state
   */
  release(): SessionState {
    this.#assertOwned()
    if (this.#events.length > 0) throw new Error('take the pending events before releasing the session')
    const state = this.#snapshot()
    this.#released = true
    this.#reader = undefined
    this.#writer = undefined
    this.#input = EMPTY
    this.#output = []
    this.#state = { role: 'server', handshake: { state: 'CLOSED' }, ...initialState() }
    return state
  }

  #assertOwned(): void {
    if (this.#released) throw new Error('this session was released: somebody else owns it')
  }

  #assertWritable(): void {
    this.#assertOwned()
    if (this.#state.writeClosed) throw new Error('this session is closed for writing')
    if (!this.connected) throw new Error('the handshake is not over')
  }

  #suite() {
    return suiteOf(this.#config.provider, this.#state.cipherSuite)
  }

  #context(): Context<ServerConfig | ClientConfig> {
    const { provider, random = provider.random, now = Date.now } = this.#config
    return { config: this.#config, provider, random, now: now() }
  }

  #snapshot(): SessionState {
    const inboundRecords = this.#input.slice(this.#inputOffset)
    return { ...this.#state, inboundRecords, outbound: concat(...this.#output) }
  }

  #keepInput(): void {
    if (this.#inputIsOurs && this.#inputOffset === 0) return
    this.#input = this.buffered === 0 ? EMPTY : this.#input.slice(this.#inputOffset)
    this.#inputOffset = 0
    this.#inputIsOurs = true
  }

  #dropInput(): void {
    this.#input = EMPTY
    this.#inputOffset = 0
    this.#inputIsOurs = true
  }

  /** One handshake message or one record. @returns false if there is no whole one */
  #step(): boolean {
    const message = this.#takeHandshakeMessage()
    if (message !== undefined) {
      this.#handleHandshake(message)
      return true
    }
    const record = readRecord(this.#input, this.#inputOffset, this.#reader !== undefined)
    if (record === undefined) return false
    this.#inputOffset += record.length
    this.#handleRecord(record)
    return true
  }

  #handleRecord(record: RawRecord): void {
    if (record.type === ContentType.change_cipher_spec) {
      this.#checkChangeCipherSpec(record.fragment)
    } else if (this.#reader === undefined) {
      this.#handleContent(record.type, record.fragment)
    } else if (record.type === ContentType.application_data) {
      const { type, content } = this.#reader.open(record.header, record.fragment)
      this.#handleContent(type, content)
    } else if (
      record.type === ContentType.alert &&
      !this.connected &&
      this.#reader.state.sequenceNumber === 0
    ) {
      // A client that fails on our ServerHello has no keys yet to protect its alert with (§6).
      this.#handleContent(record.type, record.fragment)
    } else {
      throw peerError('unexpected_message', `an unprotected record of type ${record.type}`)
    }
  }

  /** §5: between the first ClientHello and the peer's Finished it may come, and means nothing. */
  #checkChangeCipherSpec(fragment: Uint8Array): void {
    const { state } = this.#state.handshake
    const fits = state !== 'START' && state !== 'CONNECTED' && fragment.length === 1 && fragment[0] === 1
    if (!fits) throw peerError('unexpected_message', 'a ChangeCipherSpec out of place')
    this.#assertNoPartialMessage()
  }

  #assertNoPartialMessage(): void {
    // §5.1: nothing may stand between the records of one handshake message.
    if (this.#state.inboundHandshake.length > 0) {
      throw peerError('unexpected_message', 'another record inside a handshake message')
    }
  }

  #handleContent(type: number, content: Uint8Array): void {
    switch (type) {
      case ContentType.handshake:
        if (content.length === 0) throw peerError('unexpected_message', 'an empty handshake record')
        this.#state.inboundHandshake = concat(this.#state.inboundHandshake, content)
        return
      case ContentType.application_data:
        this.#assertNoPartialMessage()
        if (!this.connected || this.#reader === undefined) {
          throw peerError('unexpected_message', 'application data during the handshake')
        }
        if (content.length > 0) this.#events.push({ type: 'application_data', data: content })
        return
      case ContentType.alert:
        this.#assertNoPartialMessage()
        this.#handleAlert(content)
        return
      default:
        throw peerError('unexpected_message', `content type ${type}`)
    }
  }

  #handleAlert(content: Uint8Array): void {
    if (content.length !== 2) throw peerError('decode_error', `an alert of ${content.length} bytes`)
    const name = alertName(content[1]!)
    if (name === 'close_notify') {
      this.#state.readClosed = true
      this.#events.push({ type: 'close_notify' })
      // Before the handshake is over there is nothing to go on with.
      if (!this.connected) this.#state.handshake = { state: 'CLOSED' }
      return
    }
    // §6.1: closure alerts are not errors. Every other one is, known or not, whatever its level (§6).
    if (name === 'user_canceled') return
    const alert = name ?? 'internal_error'
    const error = peerError(alert, `alert ${name ?? content[1]} from the peer`)
    this.#end()
    this.#events.push({ type: 'alert', from: 'peer', alert, error })
  }

  #takeHandshakeMessage(): Uint8Array | undefined {
    const { inboundHandshake } = this.#state
    const length = handshakeLength(inboundHandshake)
    if (length === undefined) return undefined
    if (length > (this.#config.handshakeMessageLimit ?? HANDSHAKE_MESSAGE_LIMIT)) {
      throw peerError('decode_error', `a handshake message of ${length} bytes`)
    }
    if (inboundHandshake.length < length) return undefined
    this.#state.inboundHandshake = inboundHandshake.length === length ? EMPTY : inboundHandshake.slice(length)
    return inboundHandshake.slice(0, length)
  }

  #handleHandshake(raw: Uint8Array): void {
    const message = decodeHandshake(raw)
    const { role, handshake } = this.#state
    const table = role === 'server' ? SERVER_TRANSITIONS : CLIENT_TRANSITIONS
    const row = table[handshake.state as never] as Partial<
      Record<string, ServerTransition & ClientTransition>
    >
    const transition = row[message.type]
    if (transition === undefined) {
      throw peerError('unexpected_message', `${message.type} in state ${handshake.state}`)
    }
    this.#apply(transition(this.#state as never, { message, raw }, this.#context() as never))
  }

  #apply({ next, effects }: Outcome<ServerState> | Outcome<ClientState>): void {
    Object.assign(this.#state, next)
    for (const effect of effects) this.#perform(effect)
    this.#flush()
  }

  #perform(effect: Effect): void {
    switch (effect.do) {
      case 'write':
        this.#flight.push(effect.message)
        return
      case 'writeChangeCipherSpec':
        this.#flush()
        this.#output.push(CHANGE_CIPHER_SPEC.slice())
        return
      case 'writeWith':
        this.#writeWith(effect.secret)
        return
      case 'readWith':
        // §5.1: a key change must not fall inside a message.
        this.#assertNoPartialMessage()
        this.#state.read = trafficState(effect.secret)
        this.#reader = new Protection(this.#suite(), this.#state.read)
        return
      case 'expose':
        if (this.#state.clientRandom !== undefined)
          this.#config.onSecret?.(effect.exposed, this.#state.clientRandom)
        return
      case 'report':
        this.#events.push(effect.event)
    }
  }

  #writeWith(secret: Uint8Array): void {
    this.#flush()
    this.#state.write = trafficState(secret)
    this.#writer = new Protection(this.#suite(), this.#state.write)
  }

  /** Packs the messages of a flight into as few records as their key allows (§5.1). */
  #flush(): void {
    if (this.#flight.length === 0) return
    const bytes = concat(...this.#flight)
    this.#flight = []
    for (let at = 0; at < bytes.length; at += MAXIMUM_PLAINTEXT) {
      this.#writeRecord(ContentType.handshake, bytes.subarray(at, at + MAXIMUM_PLAINTEXT))
    }
  }

  #writeRecord(type: number, content: Uint8Array): void {
    if (this.#writer !== undefined) {
      const room = MAXIMUM_PLAINTEXT - content.length
      const padding = Math.max(0, Math.min(this.#config.padding?.(content.length) ?? 0, room))
      this.#output.push(this.#writer.seal(type, content, padding))
      return
    }
    // §5.1: a first ClientHello may say 0x0301 for the sake of old servers.
    const { handshake } = this.#state
    const first = type === ContentType.handshake && handshake.state === 'WAIT_SH' && !handshake.retried
    this.#output.push(plaintextRecord(type, content, first ? 0x0301 : 0x0303))
  }

  #answerKeyUpdate(): void {
    if (this.#state.keyUpdatePending) this.updateKeys(false)
  }

  #writeAlert(name: Parameters<typeof encodeAlert>[0]): void {
    this.#flush()
    this.#writeRecord(ContentType.alert, encodeAlert(name))
    this.#state.writeClosed = true
  }

  #fail(error: unknown): void {
    const tlsError = asTlsError(error)
    this.#flight = []
    if (!this.#state.writeClosed) this.#writeAlert(tlsError.alert)
    this.#end()
    this.#events.push({ type: 'alert', from: 'local', alert: tlsError.alert, error: tlsError })
  }

  #end(): void {
    this.#reader = undefined
    this.#writer = undefined
    const { serverName, alpn, cipherSuite, certificate, clientRandom, resumed, role } = this.#state
    const kept = { serverName, alpn, cipherSuite, certificate, clientRandom, resumed }
    const closed = { ...initialState(), ...kept, readClosed: true, writeClosed: true }
    this.#state = { role, handshake: { state: 'CLOSED' }, ...closed }
    this.#dropInput()
  }
}

function asTlsError(error: unknown): TlsError {
  if (error instanceof TlsError) return error
  if (error instanceof DecodeError)
    return new TlsError('decode_error', 'peer', error.message, { cause: error })
  const reason = error instanceof Error ? error.message : String(error)
  return new TlsError('internal_error', 'local', reason, { cause: error })
}

function trafficState(trafficSecret: Uint8Array): TrafficState {
  return { trafficSecret, sequenceNumber: 0 }
}

function initialState() {
  return {
    cipherSuite: 0,
    clientRandom: undefined,
    serverName: undefined,
    alpn: undefined,
    certificate: undefined,
    resumed: false,
    read: undefined,
    write: undefined,
    keyUpdatePending: false,
    writeClosed: false,
    readClosed: false,
    inboundRecords: EMPTY,
    inboundHandshake: EMPTY,
    outbound: EMPTY,
  }
}

/** The state of a server that has not spoken yet: `inboundRecords` are bytes that somebody has read for it. */
export function freshServerState(inboundRecords: Uint8Array): ServerState {
  return { role: 'server', handshake: { state: 'START' }, ...initialState(), inboundRecords }
}
