import { decode, EMPTY, encode, redact } from '../wire/index.ts'
import { type AlertName, asTlsError, TlsError } from './alert.ts'
import { firstHello } from './client-hello.ts'
import { ContentType } from './codepoints.ts'
import type { ClientConfig, ServerConfig, SessionEvent } from './config.ts'
import { checkClientConfig, checkConfig } from './config-rules.ts'
import { perform } from './effects.ts'
import { answerStep, checkState, handshakeStep } from './handshake.ts'
import { admitUpdate, takeContent, takeHandshakeMessage } from './input-rules.ts'
import { Inquiry, WAITING_LIMIT } from './inquiry.ts'
import { requestCertificate } from './post-authentication.ts'
import { issueTickets, updateKeys } from './post-handshake.ts'
import type { TrafficView } from './protection.ts'
import { type Answer, isWaiting } from './question.ts'
import type { Content } from './record.ts'
import { RecordLayer, type RecordPosition } from './record-layer.ts'
import { freshServerState, initialState, type ServerState, SessionState } from './state.ts'
import type { Context, Outcome } from './transition.ts'
import { type TrifleCount, Trifles } from './trifles.ts'
import { mayExtend, owesUpdate } from './update-state.ts'

/**
 * One TLS 1.3 session, of either role, with no sockets and no clock of its own: bytes in; events and bytes
 * out.
 *
 * It owns one {@link SessionState}, applies the effects that transitions return, and derives the keyed
 * objects it works with. `feed` and `next` take records one at a time, so that an owner may stop between any
 * two; `receive` is both.
 */
export class Session {
  readonly #records: RecordLayer
  readonly #config: ServerConfig | ClientConfig
  #events: SessionEvent[] = []
  #released = false
  readonly #inquiry = new Inquiry()
  #trifles: Trifles

  private constructor(state: SessionState, config: ServerConfig | ClientConfig, trifles?: TrifleCount) {
    this.#records = new RecordLayer(state, config)
    this.#config = config
    this.#trifles = new Trifles(config, trifles)
  }

  /**
   * A client that has its ClientHello ready in the output. @throws TypeError for a configuration that makes
   * no sense
   */
  static client(config: ClientConfig): Session {
    checkClientConfig(config)
    const session = new Session({ role: 'client', handshake: { state: 'CLOSED' }, ...initialState() }, config)
    session.#apply(firstHello(session.#context() as Context<ClientConfig>))
    return session
  }

  /** A server that waits for a ClientHello. @throws TypeError as {@link Session.client} */
  static server(config: ServerConfig): Session {
    checkConfig(config)
    return new Session(freshServerState(EMPTY), config)
  }

  /**
   * A session that goes on where `state` left off, in the role of its state.
   * @param trifles what the former owner had of {@link trifles}
   * @throws TlsError internal_error (configuration) if the role does not fit, the provider lacks the cipher
   * suite, or the state contradicts itself
   */
  static restore(state: SessionState, config: ServerConfig | ClientConfig, trifles?: TrifleCount): Session {
    checkState(state, config)
    return new Session(state, config, trifles)
  }

  #state(): SessionState {
    return this.#records.state
  }

  /** Whether both sides may send application data. */
  get connected(): boolean {
    return this.#state().handshake.state === 'CONNECTED'
  }

  /** Whether {@link send} is possible. */
  get writable(): boolean {
    return this.connected && !this.#state().writeClosed
  }

  /** Whether the session has ended with an error or has been closed both ways. */
  get closed(): boolean {
    const { handshake, readClosed, writeClosed } = this.#state()
    return handshake.state === 'CLOSED' || (readClosed && writeClosed)
  }

  get role(): 'client' | 'server' {
    return this.#state().role
  }

  get serverName(): string | undefined {
    return this.#state().serverName
  }

  get alpn(): string | undefined {
    return this.#state().alpn
  }

  /** The suite's RFC name, once it is chosen. */
  get cipherSuite(): string | undefined {
    const { cipherSuite } = this.#state()
    return this.#config.provider.cipherSuites.find(suite => suite.id === cipherSuite)?.name
  }

  /** The peer's end-entity certificate, DER, once it has proved that it holds the key. */
  get peerCertificate(): Uint8Array | undefined {
    return this.#state().peerCertificate
  }

  /** Whether a question is open: nothing is read until {@link answer}. Stop reading from the peer then. */
  get waiting(): boolean {
    return isWaiting(this.#state())
  }

  /** What the peer has sent that says nothing, for another owner; also after {@link release}. */
  get trifles(): TrifleCount | undefined {
    return this.#trifles.count
  }

  /** Received bytes that have not been opened yet. */
  get buffered(): number {
    return this.#records.input.length
  }

  /** Bytes from the peer → events. The output may have grown, see {@link takeOutput}. */
  receive(bytes: Uint8Array): SessionEvent[] {
    this.feed(bytes)
    const events: SessionEvent[] = []
    for (let event = this.next(); event !== undefined; event = this.next()) events.push(event)
    return events
  }

  /**
   * Gives bytes from the peer. They must not change until {@link next} has returned undefined; the rest is
   * copied then.
   */
  feed(bytes: Uint8Array): void {
    this.#assertOwned()
    if (this.#state().readClosed || this.#state().handshake.state === 'CLOSED') return
    this.#records.input.feed(bytes)
    if (this.waiting && this.#records.input.length > (this.#config.waitingLimit ?? WAITING_LIMIT)) {
      const what = 'too much came while a question was open'
      this.#fail(new TlsError('internal_error', 'local', 'input_overflow', what))
    }
  }

  /**
   * The next event; undefined when more bytes are needed. It opens no record beyond the one that the event
   * came from. The one place where errors of the protocol are caught: they become an alert in the output and
   * an `alert` event.
   */
  next(): SessionEvent | undefined {
    this.#assertOwned()
    for (;;) {
      const event = this.#events.shift()
      if (event !== undefined) return event
      if (this.#state().readClosed || this.#state().handshake.state === 'CLOSED') {
        this.#records.input.clear()
        return undefined
      }
      try {
        if (this.#step()) continue
      } catch (error) {
        this.#fail(error)
        continue
      }
      this.#records.input.settle()
      return undefined
    }
  }

  /** Copies what has been fed and not yet read: the memory given to {@link feed} is the caller's again. */
  settle(): void {
    this.#assertOwned()
    this.#records.input.settle()
  }

  /**
   * Seals application data into records of at most 2^14 bytes. @throws Error before the handshake is over or
   * after close
   */
  send(data: Uint8Array): void {
    this.#assertWritable()
    this.#trifles.sent(data.length)
    const { output } = this.#records
    for (let at = 0; at < data.length; ) {
      this.#renewKey()
      const sealable = this.#records.room()
      const content = at === 0 && data.length <= sealable ? data : data.subarray(at, at + sealable)
      output.content(ContentType.application_data, content)
      at += content.length
    }
  }

  /**
   * Client: sends early data (RFC 8446 §4.2.10), as much as the ticket still allows.
   * @returns bytes taken; 0 once the handshake is over or early data was not offered or was rejected
   */
  sendEarly(data: Uint8Array): number {
    this.#assertOwned()
    return this.#records.earlyData(data)
  }

  /**
   * The answer to a `question` event; take the events and the output that follow from it by {@link next} and
   * {@link takeOutput}. An answer to another question than the open one is ignored: it is stale.
   * @throws TypeError for an answer of another kind than the question's
   */
  answer(id: number, answer: Answer): void {
    this.#assertOwned()
    if (this.#state().handshake.state === 'CLOSED') return
    const context = this.#context()
    if (!this.#inquiry.close(id, answer, this.#state(), context)) return
    try {
      this.#apply(answerStep(this.#state(), answer, context))
    } catch (error) {
      this.#fail(error)
    }
  }

  /**
   * Server: asks the client for a certificate now (RFC 8446 §4.6.2). @throws Error as {@link send},
   * and if the client did not offer it
   */
  requestCertificate(): void {
    this.#assertWritable()
    const state = this.#state()
    if (state.role !== 'server') throw new Error('only a server asks for certificates')
    this.#apply(requestCertificate(state, this.#context() as Context<ServerConfig>))
  }

  /**
   * Changes the write key (RFC 8446 §4.6.3). With {@link extendedKeyUpdates} it begins an exchange, after
   * which both sides have new keys, or goes on with the one that is underway.
   * @param requestPeer ask the peer to change its own, too
   */
  updateKeys(requestPeer: boolean): void {
    this.#assertWritable()
    this.#apply(updateKeys(this.#state(), requestPeer, this.#context()))
  }

  /**
   * Server: sends `count` more tickets; their nonces go on. @throws Error as {@link send}, RangeError beyond
   * 65535 in all
   */
  sendTickets(count: number): void {
    this.#assertWritable()
    if (this.role !== 'server') throw new Error('only a server sends tickets')
    this.#renewKey()
    this.#apply(issueTickets(this.#state() as ServerState, count, this.#context() as Context<ServerConfig>))
  }

  /** Sends close_notify: nothing more from us; the peer may go on (RFC 8446 §6.1). Safe to call twice. */
  close(): void {
    this.#assertOwned()
    if (this.#state().writeClosed || this.#state().handshake.state === 'CLOSED') return
    this.#records.alert('close_notify')
  }

  /**
   * Everything that is to be written to the stream, in order; the session forgets it. Small pieces share a
   * block with those of other sessions: who transfers their memory, to a worker say, copies them first.
   */
  takeOutput(): Uint8Array[] {
    this.#assertOwned()
    if (this.keyUpdateDue) this.updateKeys(false)
    return this.#records.output.take()
  }

  /**
   * As {@link takeOutput}, but without the KeyUpdate that may be due: for owners who have something to do
   * first. Such an owner asks {@link keyUpdateDue}, and sends no more than {@link sealable} at once.
   */
  takeSealed(): Uint8Array[] {
    this.#assertOwned()
    return this.#records.output.take()
  }

  /** Whether our write key has to change: the peer has asked for it (RFC 8446 §4.6.3). */
  get keyUpdateDue(): boolean {
    return owesUpdate(this.#state()) && !this.#state().writeClosed
  }

  /** Extended key updates so far, and whether none can begin now; undefined: they were not agreed on. */
  get extendedKeyUpdates(): { readonly generation: number; readonly underway: boolean } | undefined {
    const { keyUpdate } = this.#state()
    if (keyUpdate.kind !== 'extended') return undefined
    return { generation: keyUpdate.generation, underway: !mayExtend(this.#state()) }
  }

  /** Bytes of content that {@link send} seals before it changes the write key; 0 if it changes it first. */
  get sealable(): number {
    return this.writable ? this.#records.sealable : 0
  }

  /**
   * Keying material for an application (RFC 8446 §7.5).
   * @param context may be empty @param length bytes
   * @param updated from the newest of {@link extendedKeyUpdates}, not from the handshake
   * @throws Error before the handshake is over, or where there is no such secret
   */
  exportKeyingMaterial(label: string, context: Uint8Array, length: number, updated = false): Uint8Array {
    this.#assertOwned()
    return this.#records.exportKeyingMaterial(label, context, length, updated)
  }

  /** The traffic keys in use, with their secrets: for tests, teaching and tools. */
  trafficKeys(): { readonly read: TrafficView | undefined; readonly write: TrafficView | undefined } {
    this.#assertOwned()
    return this.#records.view()
  }

  /**
   * A copy of the state, to look at. Secrets are left out (their bytes are zeros) unless asked for by name.
   * The session goes on: a copy with secrets must never be restored beside it.
   */
  inspect(what?: 'with secrets'): SessionState {
    this.#assertOwned()
    const copy = decode(SessionState, encode(SessionState, this.#records.snapshot()))
    return what === 'with secrets' ? copy : redact(SessionState, copy)
  }

  /**
   * The state as it is now, with its secrets and in the session's own memory: to be encoded at once, as what
   * a successor goes on from if this process dies. A process that goes on from it must know for certain that
   * it has died, and how many records it has sealed since.
   */
  snapshot(): SessionState {
    this.#assertOwned()
    return this.#records.snapshot()
  }

  /** Ends the session with an alert that says that something is missing (RFC 8446 §6.2), if it is open. */
  abort(alert: AlertName): void {
    if (!this.closed) this.#fail(new TlsError(alert, 'local', 'abandoned', 'the session was abandoned'))
  }

  /**
   * Gives the state away. This object keeps no key, sends nothing, and refuses everything afterwards: two
   * owners of one session would use nonces twice.
   * @param lends keys, and no more, stay for {@link takeBack}, unused till then; the state is to be copied at
   * once
   * @throws Error while events wait to be taken by {@link next}: they are no part of the state
   */
  release(lends = false): SessionState {
    this.#assertOwned()
    if (this.#events.length > 0) throw new Error('take the pending events before releasing the session')
    this.#released = true
    return lends ? this.#records.lend() : this.#records.release()
  }

  /**
   * Goes on after it was lent. Its owner meanwhile has given it back, and changed nothing but this.
   * @throws Error it was not lent
   */
  takeBack(position: RecordPosition, trifles?: TrifleCount): void {
    if (!this.#released || !this.connected) throw new Error('this session was not lent')
    this.#records.continueAt(position)
    this.#trifles = new Trifles(this.#config, trifles)
    this.#released = false
  }

  /** Forgets the keys of a session that was lent; the state that {@link release} gave stays as it is. */
  forget(): void {
    this.#released = true
    this.#records.leave()
  }

  #assertOwned(): void {
    if (this.#released) throw new Error('this session was released: another owner has it')
  }

  #assertWritable(): void {
    this.#assertOwned()
    if (this.#state().writeClosed) throw new Error('this session is closed for writing')
    if (!this.connected) throw new Error('the handshake is not over')
  }

  #context(): Context<ServerConfig | ClientConfig> {
    const { provider, random = provider.random, now = Date.now } = this.#config
    return { config: this.#config, provider, random, now: now() }
  }

  /** Puts the open question to the configuration or, once, to the owner. @returns whether it is still open */
  #ask(): boolean {
    while (isWaiting(this.#state())) {
      const context = this.#context()
      const answer = this.#inquiry.put(this.#state(), context, this.#events)
      if (answer === undefined) return true
      this.#apply(answerStep(this.#state(), answer, context))
    }
    return false
  }

  /** One handshake message or one record. @returns false if there is no whole one */
  #step(): boolean {
    if (this.#ask()) return this.#events.length > 0
    const message = takeHandshakeMessage(this.#state(), this.#config.handshakeMessageLimit)
    if (message !== undefined) {
      // A handshake has each of its messages once.
      if (!this.connected) this.#trifles.heard()
      else admitUpdate(this.#state(), message, this.#trifles)
      this.#apply(handshakeStep(this.#state(), message, this.#context()))
      return true
    }
    const content = this.#records.next()
    if (content !== undefined) this.#take(content)
    return content !== undefined
  }

  #take(content: Content): void {
    this.#trifles.record(content.content.length, this.#state().inboundHandshake.length)
    const said = takeContent(this.#state(), content)
    if (said === undefined) return
    if (typeof said === 'string') {
      this.#trifles.empty(said)
      return
    }
    if (said.type === 'alert') this.#records.end()
    if (said.type === 'application_data') this.#trifles.heard()
    this.#events.push(said)
  }

  #apply({ next, effects }: Outcome<SessionState>): void {
    Object.assign(this.#state(), next)
    this.#records.limitRecords()
    for (const effect of effects) perform(effect, this.#records, this.#config, this.#events)
    // What is answered at once shares its records with what it follows.
    this.#ask()
    this.#records.flush()
  }

  /** Before records of ours: the peer may want another key, and a key may seal only so many (§5.5). */
  #renewKey(): void {
    if (this.#records.wantsKeyUpdate) this.updateKeys(false)
  }

  #fail(error: unknown): void {
    const tlsError = asTlsError(error)
    this.#records.output.dropFlight()
    if (!this.#state().writeClosed) this.#records.alert(tlsError.alert)
    this.#records.end()
    this.#events.push({ type: 'alert', from: 'local', alert: tlsError.alert, error: tlsError })
  }
}
