import { concat, decode, EMPTY, encode, redact } from '../wire/index.ts'
import { type AlertName, alertName, asTlsError, peerError } from './alert.ts'
import { firstHello } from './client-hello.ts'
import { ContentType, LEGACY_VERSION } from './codepoints.ts'
import type { ClientConfig, ServerConfig, SessionEvent } from './config.ts'
import { checkRole, handshakeStep } from './handshake.ts'
import { exportKeyingMaterial, nextTrafficSecret } from './key-schedule.ts'
import { encodeHandshake, KeyUpdateRequest, wholeHandshake } from './messages.ts'
import { issueTickets } from './post-handshake.ts'
import { Protection, type TrafficView } from './protection.ts'
import { MAXIMUM_PLAINTEXT, type RawRecord } from './record.ts'
import { RecordInput } from './record-input.ts'
import { RECORDS_AT_ONCE } from './record-memory.ts'
import { RecordOutput } from './record-output.ts'
import {
  type ClientState,
  freshServerState,
  initialState,
  type ServerState,
  SessionState,
  trafficState,
} from './state.ts'
import { type Context, type Effect, type Outcome, suiteOf } from './transition.ts'

/** Records that we leave unused under a write key, so that the KeyUpdate itself still fits (RFC 8446, Section 5.5). */
const KEY_UPDATE_MARGIN = 16
const FIRST_RECORD_VERSION = 0x0301

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
  readonly #input: RecordInput
  readonly #output: RecordOutput
  #events: SessionEvent[] = []
  #released = false

  private constructor(state: SessionState, config: ServerConfig | ClientConfig) {
    this.#state = state
    this.#config = config
    const { read, write, cipherSuite } = state
    if (read !== undefined) this.#reader = new Protection(suiteOf(config.provider, cipherSuite), read)
    this.#input = new RecordInput(state.inboundRecords)
    this.#output = new RecordOutput(state.outbound, config.padding)
    if (write !== undefined)
      this.#output.protection = new Protection(suiteOf(config.provider, cipherSuite), write)
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
    checkRole(state, config)
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
    return this.#input.length
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
    this.#input.feed(bytes)
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
        this.#input.clear()
        return undefined
      }
      try {
        if (this.#step()) continue
      } catch (error) {
        this.#fail(error)
        continue
      }
      this.#input.settle()
      return undefined
    }
  }

  /** Copies what has been fed and not yet read, so that the memory given to {@link feed} is the caller's again. */
  settle(): void {
    this.#assertOwned()
    this.#input.settle()
  }

  /** Seals application data into records of at most 2^14 bytes. @throws Error before the handshake is over or after close */
  send(data: Uint8Array): void {
    this.#assertWritable()
    for (let at = 0; at < data.length; ) {
      this.#renewKey()
      const records = Math.min(RECORDS_AT_ONCE, this.#output.protection!.recordsLeft - KEY_UPDATE_MARGIN)
      const content = data.subarray(at, at + records * MAXIMUM_PLAINTEXT)
      this.#output.content(ContentType.application_data, content)
      at += content.length
    }
  }

  /** Changes the write key (RFC 8446, Section 4.6.3). @param requestPeer ask the peer to change its own, too */
  updateKeys(requestPeer: boolean): void {
    this.#assertWritable()
    const requestUpdate = requestPeer
      ? KeyUpdateRequest.update_requested
      : KeyUpdateRequest.update_not_requested
    this.#output.handshake(encodeHandshake({ type: 'key_update', requestUpdate }))
    // Whatever we owed, this is it.
    this.#state.keyUpdatePending = false
    this.#writeWith(nextTrafficSecret(this.#suite().hash, this.#state.write!.trafficSecret))
  }

  /** Server: sends `count` more tickets; their nonces go on. @throws Error as {@link send}, RangeError beyond 65535 in all */
  sendTickets(count: number): void {
    this.#assertWritable()
    if (this.#state.role !== 'server') throw new Error('only a server sends tickets')
    this.#renewKey()
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
    if (this.#state.keyUpdatePending && !this.#state.writeClosed) this.updateKeys(false)
    return this.#output.take()
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
    return { read: this.#reader?.view(), write: this.#output.protection?.view() }
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
    this.#forgetKeys()
    this.#output.take()
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
    return { ...this.#state, inboundRecords: this.#input.copy(), outbound: this.#output.copy() }
  }

  #forgetKeys(): void {
    this.#reader?.wipe()
    this.#output.protection?.wipe()
    this.#reader = undefined
    this.#output.protection = undefined
    this.#output.dropFlight()
    this.#input.clear()
  }

  /** One handshake message or one record. @returns false if there is no whole one */
  #step(): boolean {
    const message = this.#takeHandshakeMessage()
    if (message !== undefined) {
      this.#apply(handshakeStep(this.#state, message, this.#context()))
      return true
    }
    const record = this.#input.take(this.#reader !== undefined)
    if (record === undefined) return false
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
    // §5.4
    if (content.length === 0) throw peerError('unexpected_message', 'an empty alert')
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
    const buffered = this.#state.inboundHandshake
    const length = wholeHandshake(buffered, this.#config.handshakeMessageLimit)
    if (length === undefined) return undefined
    this.#state.inboundHandshake = buffered.length === length ? EMPTY : buffered.slice(length)
    return buffered.slice(0, length)
  }

  #apply({ next, effects }: Outcome<ServerState> | Outcome<ClientState>): void {
    Object.assign(this.#state, next)
    for (const effect of effects) this.#perform(effect)
    this.#flush()
  }

  #perform(effect: Effect): void {
    switch (effect.do) {
      case 'write':
        this.#output.handshake(effect.message)
        return
      case 'writeChangeCipherSpec':
        this.#flush()
        this.#output.changeCipherSpec()
        return
      case 'writeWith':
        this.#writeWith(effect.secret)
        return
      case 'readWith':
        // §5.1: a key change must not fall inside a message.
        this.#assertNoPartialMessage()
        this.#state.read = trafficState(effect.secret)
        this.#reader?.wipe()
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
    this.#output.protection?.wipe()
    this.#output.protection = new Protection(this.#suite(), this.#state.write)
  }

  #flush(): void {
    const { handshake } = this.#state
    // §5.1: the record of a first ClientHello, and no other, may say 0x0301 for the sake of old servers.
    const first = handshake.state === 'WAIT_SH' && !handshake.retried
    this.#output.flush(first ? FIRST_RECORD_VERSION : LEGACY_VERSION)
  }

  /** Before records of ours: the peer may have asked for another key, and a key may seal only so many (§4.6.3, §5.5). */
  #renewKey(): void {
    const worn = this.#output.protection!.recordsLeft <= KEY_UPDATE_MARGIN
    if (this.#state.keyUpdatePending || worn) this.updateKeys(false)
  }

  #writeAlert(name: AlertName): void {
    this.#flush()
    this.#output.alert(name)
    this.#state.writeClosed = true
  }

  #fail(error: unknown): void {
    const tlsError = asTlsError(error)
    this.#output.dropFlight()
    if (!this.#state.writeClosed) this.#writeAlert(tlsError.alert)
    this.#end()
    this.#events.push({ type: 'alert', from: 'local', alert: tlsError.alert, error: tlsError })
  }

  #end(): void {
    this.#forgetKeys()
    const { serverName, alpn, cipherSuite, certificate, clientRandom, resumed, role } = this.#state
    const kept = { serverName, alpn, cipherSuite, certificate, clientRandom, resumed }
    const closed = { ...initialState(), ...kept, readClosed: true, writeClosed: true }
    this.#state = { role, handshake: { state: 'CLOSED' }, ...closed }
  }
}
