import type { AlertName } from '../../src/tls13/alert.ts'
import type { ClientConfig, ServerConfig, SessionEvent } from '../../src/tls13/config.ts'
import type { TrafficView } from '../../src/tls13/protection.ts'
import type { Answer } from '../../src/tls13/question.ts'
import { Session as Real } from '../../src/tls13/session.ts'
import { SessionState } from '../../src/tls13/state.ts'
import { decode, encode } from '../../src/wire/index.ts'

/**
 * In the place of `Session` where the suite runs through moves: before and after whatever is asked of it, the
 * session leaves as bytes and goes on as another object. A test that passes with the one and not with the
 * other has found state that does not travel.
 */
export class Session implements Pick<Real, keyof Real> {
  /** Moves so far, in this process. */
  static moves = 0
  #real: Real
  readonly #config: ServerConfig | ClientConfig
  #released = false

  private constructor(real: Real, config: ServerConfig | ClientConfig) {
    this.#real = real
    this.#config = config
  }

  static client(config: ClientConfig): Session {
    return new Session(Real.client(config), config)
  }

  static server(config: ServerConfig): Session {
    return new Session(Real.server(config), config)
  }

  static restore(state: SessionState, config: ServerConfig | ClientConfig): Session {
    return new Session(Real.restore(state, config), config)
  }

  /**
   * Not while a question is open, which would be asked again, nor while events wait, which are no part of the
   * state.
   */
  #move(): void {
    if (this.#released || this.#real.waiting) return
    let state: SessionState
    try {
      state = this.#real.release()
    } catch (error) {
      if (/pending events/.test((error as Error).message)) return
      throw error
    }
    this.#real = Real.restore(decode(SessionState, encode(SessionState, state)), this.#config)
    Session.moves++
  }

  /** Moves, does it, and moves again. */
  #do<T>(work: (real: Real) => T): T {
    this.#move()
    try {
      return work(this.#real)
    } finally {
      this.#move()
    }
  }

  get connected(): boolean {
    return this.#do(real => real.connected)
  }
  get closed(): boolean {
    return this.#do(real => real.closed)
  }
  get role(): 'client' | 'server' {
    return this.#do(real => real.role)
  }
  get serverName(): string | undefined {
    return this.#do(real => real.serverName)
  }
  get alpn(): string | undefined {
    return this.#do(real => real.alpn)
  }
  get cipherSuite(): string | undefined {
    return this.#do(real => real.cipherSuite)
  }
  get peerCertificate(): Uint8Array | undefined {
    return this.#do(real => real.peerCertificate)
  }
  get waiting(): boolean {
    return this.#real.waiting
  }
  get buffered(): number {
    return this.#do(real => real.buffered)
  }

  receive(bytes: Uint8Array): SessionEvent[] {
    return this.#do(real => real.receive(bytes))
  }
  feed(bytes: Uint8Array): void {
    this.#do(real => real.feed(bytes))
  }
  next(): SessionEvent | undefined {
    return this.#do(real => real.next())
  }
  settle(): void {
    this.#do(real => real.settle())
  }
  send(data: Uint8Array): void {
    this.#do(real => real.send(data))
  }
  sendEarly(data: Uint8Array): number {
    return this.#do(real => real.sendEarly(data))
  }
  answer(id: number, answer: Answer): void {
    this.#do(real => real.answer(id, answer))
  }
  requestCertificate(): void {
    this.#do(real => real.requestCertificate())
  }
  updateKeys(requestPeer: boolean): void {
    this.#do(real => real.updateKeys(requestPeer))
  }
  sendTickets(count: number): void {
    this.#do(real => real.sendTickets(count))
  }
  close(): void {
    this.#do(real => real.close())
  }
  takeOutput(): Uint8Array[] {
    return this.#do(real => real.takeOutput())
  }
  takeSealed(): Uint8Array[] {
    return this.#do(real => real.takeSealed())
  }
  get writable(): boolean {
    return this.#do(real => real.writable)
  }
  get sealable(): number {
    return this.#do(real => real.sealable)
  }
  get keyUpdateDue(): boolean {
    return this.#do(real => real.keyUpdateDue)
  }
  abort(alert: AlertName): void {
    this.#do(real => real.abort(alert))
  }
  /** A copy: what it lies in is wiped by the move that follows. */
  snapshot(): SessionState {
    return this.#do(real => decode(SessionState, encode(SessionState, real.snapshot())))
  }
  exportKeyingMaterial(label: string, context: Uint8Array, length: number): Uint8Array {
    return this.#do(real => real.exportKeyingMaterial(label, context, length))
  }
  trafficKeys(): { readonly read: TrafficView | undefined; readonly write: TrafficView | undefined } {
    return this.#do(real => real.trafficKeys())
  }
  inspect(what?: 'with secrets'): SessionState {
    return this.#do(real => real.inspect(what))
  }
  release(): SessionState {
    this.#move()
    const state = this.#real.release()
    this.#released = true
    return state
  }
}
