import { concat, decode, EMPTY, encode, redact } from '../wire/index.ts'
import { type AlertName, alertName, asTlsError, peerError, TlsError } from './alert.ts'
import { firstHello } from './client-hello.ts'
import { ContentType, LEGACY_VERSION } from './codepoints.ts'
import type { ClientConfig, ServerConfig, SessionEvent } from './config.ts'
import { answerStep, handshakeStep } from './handshake.ts'
import { exportKeyingMaterial, nextTrafficSecret } from './key-schedule.ts'
import { encodeHandshake, HandshakeType, KeyUpdateRequest, wholeHandshake } from './messages.ts'
import { requestCertificate } from './post-authentication.ts'
import { issueTickets } from './post-handshake.ts'
import { type Opened, Protection, type TrafficView } from './protection.ts'
import { type Answer, answerAtOnce, pendingQuestion } from './question.ts'
import { MAXIMUM_PLAINTEXT, type RawRecord } from './record.ts'
import { RecordInput } from './record-input.ts'
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

const HANDSHAKE_MESSAGE_LIMIT = 2 ** 16
/** Records that we leave unused under a write key, so that the KeyUpdate itself still fits (RFC 8446, Section 5.5). */
const KEY_UPDATE_MARGIN = 16
const FIRST_RECORD_VERSION = 0x0301
/** KeyUpdates, and records without content, that may come in a row. */
const EMPTY_LIMIT = 32
/** Bytes that may wait while a question is open. */
const WAITING_LIMIT = 2 ** 18

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
  /** The question that has been reported; undefined while none is open. */
  #asked: number | undefined
  #questions = 0
  /** KeyUpdates, and records without content, in a row. */
  #emptyInARow = 0

  private constructor(state: SessionState, config: ServerConfig | ClientConfig) {
    this.#state = state
    this.#config = config
    const { read, write, cipherSuite } = state
    if (read !== undefined) this.#reader = new Protection(suiteOf(config.provider, cipherSuite), read)
    this.#input = new RecordInput(state.inboundRecords)
    this.#output = new RecordOutput(state.outbound, config.padding)
    this.#output.limit = state.recordSizeLimits?.write ?? MAXIMUM_PLAINTEXT
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

  /** The peer's end-entity certificate, DER, once it has proved that it holds the key. */
  get peerCertificate(): Uint8Array | undefined {
    return this.#state.peerCertificate
  }

  /** Whether a question is open: nothing is read until {@link answer}. Stop reading from the peer meanwhile. */
  get waiting(): boolean {
    return pendingQuestion(this.#state, this.#context()) !== undefined
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
    if (this.waiting && this.#input.length > (this.#config.waitingLimit ?? WAITING_LIMIT)) {
      this.#fail(new TlsError('internal_error', 'local', 'too much came while a question was open'))
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
    for (let at = 0; at < data.length; at += MAXIMUM_PLAINTEXT) {
      this.#renewKey()
      const content = data.subarray(at, at + MAXIMUM_PLAINTEXT)
      this.#output.content(ContentType.application_data, content)
    }
  }

  /**
   * Client: sends early data (RFC 8446, Section 4.2.10), as much as the ticket still allows.
   * @returns bytes taken; 0 once the handshake is over or early data was not offered or was rejected
   */
  sendEarly(data: Uint8Array): number {
    this.#assertOwned()
    const { handshake } = this.#state
    const offer = 'earlyData' in handshake ? handshake.earlyData : undefined
    if (offer === undefined || this.#state.writeClosed) return 0
    const taken = data.subarray(0, offer.left)
    offer.left -= taken.length
    this.#output.content(ContentType.application_data, taken)
    return taken.length
  }

  /**
   * The answer to a `question` event. An answer to another question than the open one is ignored: it is stale. Events and output may follow.
   */
  answer(id: number, answer: Answer): void {
    this.#assertOwned()
    if (id !== this.#asked || this.#state.handshake.state === 'CLOSED') return
    this.#asked = undefined
    try {
      this.#apply(answerStep(this.#state, answer, this.#context()))
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Server: asks the client for a certificate now (RFC 8446, Section 4.6.2). @throws Error as {@link send}, and if the client did not offer it */
  requestCertificate(): void {
    this.#assertWritable()
    if (this.#state.role !== 'server') throw new Error('only a server asks for certificates')
    this.#apply(requestCertificate(this.#state, this.#context() as Context<ServerConfig>))
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
    this.#reader = undefined
    this.#output.protection = undefined
    this.#output.dropFlight()
    this.#input.clear()
  }

  /** Puts the open question, if there is one, to the configuration or, once, to the owner. @returns whether it is still open */
  #ask(): boolean {
    for (;;) {
      const context = this.#context()
      const question = pendingQuestion(this.#state, context)
      if (question === undefined) return false
      const answer = this.#asked === undefined ? answerAtOnce(question, this.#state, context) : undefined
      if (answer !== undefined) {
        this.#apply(answerStep(this.#state, answer, context))
        continue
      }
      if (this.#asked === undefined) {
        this.#asked = ++this.#questions
        this.#events.push({ type: 'question', id: this.#asked, question })
      }
      return true
    }
  }

  /** One handshake message or one record. @returns false if there is no whole one */
  #step(): boolean {
    if (this.#ask()) return this.#events.length > 0
    const message = this.#takeHandshakeMessage()
    if (message !== undefined) {
      if (this.connected && message[0] === HandshakeType.members.key_update) this.#countEmpty('KeyUpdates')
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
      if (record.type === ContentType.application_data && this.#skips(record)) return
      this.#handleContent(record.type, record.fragment)
    } else if (record.type === ContentType.application_data) {
      this.#open(this.#reader, record)
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

  #open(reader: Protection, record: RawRecord): void {
    const { sequenceNumber } = reader.state
    let opened: Opened
    try {
      opened = reader.open(record.header, record.fragment)
    } catch (error) {
      // §4.2.10: refused early data does not open; it is passed over until the first record that does.
      if (!(error instanceof TlsError) || error.alert !== 'bad_record_mac' || !this.#skips(record))
        throw error
      reader.state.sequenceNumber = sequenceNumber
      return
    }
    this.#stopSkipping()
    const limit = this.#state.recordSizeLimits?.read
    if (limit !== undefined && opened.length > limit + 1) {
      throw peerError('record_overflow', `${opened.length} bytes in a record where ${limit + 1} were allowed`)
    }
    this.#handleContent(opened.type, opened.content)
  }

  /** Whether a record may be refused early data; it counts against what is passed over. */
  #skips({ fragment }: RawRecord): boolean {
    const { handshake } = this.#state
    if (!('skipEarlyData' in handshake) || handshake.skipEarlyData < fragment.length) return false
    handshake.skipEarlyData -= fragment.length
    return true
  }

  #stopSkipping(): void {
    const { handshake } = this.#state
    if ('skipEarlyData' in handshake) handshake.skipEarlyData = 0
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
        this.#handleData(content)
        return
      case ContentType.alert:
        this.#assertNoPartialMessage()
        this.#handleAlert(content)
        return
      default:
        throw peerError('unexpected_message', `content type ${type}`)
    }
  }

  #handleData(content: Uint8Array): void {
    const { handshake } = this.#state
    const early = handshake.state === 'WAIT_EOED'
    if ((!this.connected && !early) || this.#reader === undefined) {
      throw peerError('unexpected_message', 'application data during the handshake')
    }
    if (content.length === 0) {
      this.#countEmpty('records without content')
      return
    }
    this.#emptyInARow = 0
    if (!early) {
      this.#events.push({ type: 'application_data', data: content })
      return
    }
    if (content.length > handshake.earlyDataLeft)
      throw peerError('unexpected_message', 'more early data than we allowed')
    handshake.earlyDataLeft -= content.length
    this.#events.push({ type: 'application_data', data: content, early: true })
  }

  /** What costs us work and says nothing may not come without end. */
  #countEmpty(what: string): void {
    if (++this.#emptyInARow > (this.#config.emptyLimit ?? EMPTY_LIMIT)) {
      throw peerError(
        'unexpected_message',
        `more than ${this.#config.emptyLimit ?? EMPTY_LIMIT} ${what} in a row`,
      )
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
    const length = wholeHandshake(buffered, this.#config.handshakeMessageLimit ?? HANDSHAKE_MESSAGE_LIMIT)
    if (length === undefined) return undefined
    this.#state.inboundHandshake = buffered.length === length ? EMPTY : buffered.slice(length)
    return buffered.slice(0, length)
  }

  #apply({ next, effects }: Outcome<ServerState> | Outcome<ClientState>): void {
    Object.assign(this.#state, next)
    for (const effect of effects) this.#perform(effect)
    this.#flush()
    this.#output.limit = this.#state.recordSizeLimits?.write ?? MAXIMUM_PLAINTEXT
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
      case 'writeInClear':
        this.#state.write = undefined
        this.#output.protection = undefined
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
