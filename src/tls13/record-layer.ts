import { type AlertName, peerError, TlsError } from './alert.ts'
import { ContentType, LEGACY_VERSION } from './codepoints.ts'
import type { ClientConfig, ServerConfig } from './config.ts'
import type { Allocate, Opened } from './crypto/provider.ts'
import { checkChangeCipherSpec, mayPassOver, passesOver, stopPassingOver } from './input-rules.ts'
import { exportKeyingMaterial } from './key-schedule.ts'
import { Protection, type TrafficView } from './protection.ts'
import { COMPATIBILITY, type Content, MAXIMUM_PLAINTEXT, type RawRecord } from './record.ts'
import { RecordInput } from './record-input.ts'
import { ownMemory, RECORDS_AT_ONCE, sharedMemory } from './record-memory.ts'
import { RecordOutput } from './record-output.ts'
import { initialState, type SessionState, trafficState } from './state.ts'
import { suiteOf } from './transition.ts'
import { mayExtend, owesUpdate } from './update-state.ts'

const FIRST_RECORD_VERSION = 0x0301
/**
 * Records that we leave unused under a write key, so that the KeyUpdate itself still fits (RFC 8446 §5.5).
 */
const KEY_UPDATE_MARGIN = 16
/**
 * An extended key update takes a round trip, and the peer's time: it begins when this part of what a key may
 * seal is left.
 */
const EARLY = 8

/** How far a session has come that both sides go on with under the same keys. */
export interface RecordPosition {
  /** Numbers of the next record to be opened, and of the next one to be sealed (RFC 8446 §5.3). */
  readonly read: number
  readonly write: number
  /** Received, and not opened. */
  readonly inbound: Uint8Array
}

/** What a session has that was released: nothing is written to it any more. */
const RELEASED: SessionState = { role: 'server', handshake: { state: 'CLOSED' }, ...initialState() }

/**
 * The record layer of a session (RFC 8446 §5): it holds the session's state, and the keyed objects
 * and buffers that follow from it. What the contents mean is the session's business.
 */
export class RecordLayer {
  state: SessionState
  readonly input: RecordInput
  readonly output: RecordOutput
  readonly #config: ServerConfig | ClientConfig
  readonly #allocate: Allocate
  #reader: Protection | undefined

  constructor(state: SessionState, config: ServerConfig | ClientConfig) {
    this.state = state
    this.#config = config
    this.#allocate = config.sharesMemory === true ? sharedMemory : ownMemory
    this.input = new RecordInput(state.inboundRecords)
    this.output = new RecordOutput(state.outbound, config.padding)
    this.limitRecords()
    const { read, write } = state
    if (read !== undefined) this.#reader = new Protection(this.suite, read, this.#allocate)
    if (write !== undefined) this.output.protection = new Protection(this.suite, write)
  }

  /** The cipher suite in use. @throws TlsError internal_error if the provider does not have it */
  get suite() {
    return suiteOf(this.#config.provider, this.state.cipherSuite)
  }

  /**
   * The next content; undefined if no whole record is there. @throws TlsError for what is no record or does
   * not open
   */
  next(): Content | undefined {
    for (;;) {
      const record = this.input.take(this.#reader !== undefined || mayPassOver(this.state))
      if (record === undefined) return undefined
      const content = this.#contentOf(record)
      if (content !== undefined) return content
    }
  }

  /** undefined for what means nothing: early data that was refused. */
  #contentOf(record: RawRecord): Content | undefined {
    const { type } = record
    const reader = this.#reader
    if (type === ContentType.change_cipher_spec) {
      const stateless = 'cookies' in this.#config && this.#config.cookies !== undefined
      checkChangeCipherSpec(this.state, record.fragment, stateless)
      return COMPATIBILITY
    }
    if (reader === undefined) {
      if (type === ContentType.application_data && passesOver(this.state, record.fragmentLength))
        return undefined
      return { type, content: record.fragment }
    }
    if (type === ContentType.application_data) return this.#open(reader, record)
    const connected = this.state.handshake.state === 'CONNECTED'
    // A client that fails on our ServerHello has no keys yet to protect its alert with (§6).
    if (type === ContentType.alert && !connected && reader.state.sequenceNumber === 0) {
      return { type, content: record.fragment }
    }
    throw peerError('unexpected_message', 'unprotected_record', `an unprotected record of type ${type}`)
  }

  #open(reader: Protection, record: RawRecord): Content | undefined {
    const { sequenceNumber } = reader.state
    let opened: Opened
    try {
      opened = reader.open(record)
    } catch (error) {
      // §4.2.10: refused early data does not open; it is passed over until the first record that does.
      const refused = error instanceof TlsError && error.alert === 'bad_record_mac'
      if (!refused || !passesOver(this.state, record.fragmentLength)) throw error
      reader.state.sequenceNumber = sequenceNumber
      return undefined
    }
    stopPassingOver(this.state)
    const limit = this.state.recordSizeLimits?.read
    // Early data was sealed before the client was told.
    if (limit !== undefined && opened.length > limit + 1 && this.state.handshake.state !== 'WAIT_EOED') {
      throw peerError(
        'record_overflow',
        'record_too_long',
        `${opened.length} bytes in a record where ${limit + 1} were allowed`,
      )
    }
    return opened
  }

  readWith(secret: Uint8Array): void {
    this.state.read = trafficState(secret)
    this.#reader?.wipe()
    this.#reader = new Protection(this.suite, this.state.read, this.#allocate)
  }

  writeWith(secret: Uint8Array): void {
    this.flush()
    this.state.write = trafficState(secret)
    this.output.protection?.wipe()
    this.output.protection = new Protection(this.suite, this.state.write)
  }

  writeInClear(): void {
    this.flush()
    this.state.write = undefined
    this.output.protection?.wipe()
    this.output.protection = undefined
  }

  /** Packs the handshake messages that wait into records. */
  flush(): void {
    const { handshake } = this.state
    // §5.1: the record of a first ClientHello, and no other, may say 0x0301 for the sake of old servers.
    const first = handshake.state === 'WAIT_SH' && !handshake.retried
    this.output.flush(first ? FIRST_RECORD_VERSION : LEGACY_VERSION)
  }

  /** Takes over what the peer has said of the size of records (RFC 8449). */
  limitRecords(): void {
    this.output.limit = this.state.recordSizeLimits?.write ?? MAXIMUM_PLAINTEXT
  }

  /**
   * Whether a change of keys is due before records of ours: the peer asked for one, or the key may seal no
   * more, or soon (§4.6.3, §5.5).
   */
  get wantsKeyUpdate(): boolean {
    const { state } = this
    if (owesUpdate(state)) return true
    if (state.keyUpdate.kind !== 'extended') return this.recordsLeft <= 0
    return mayExtend(state) && this.recordsLeft <= this.suite.aead.confidentialityLimit / EARLY
  }

  /** Records that may be sealed before a change of keys must be over. */
  get recordsLeft(): number {
    return this.output.protection!.recordsLeft - KEY_UPDATE_MARGIN
  }

  /** Bytes of content that may be sealed at once before that. */
  get sealable(): number {
    if (this.wantsKeyUpdate) return 0
    return Math.max(0, Math.min(this.recordsLeft, RECORDS_AT_ONCE)) * this.output.limit
  }

  /** The same where something has to be. @throws TlsError internal_error the key may seal no more */
  room(): number {
    const { sealable } = this
    if (sealable > 0) return sealable
    // Its update was asked for long ago.
    const what = 'the peer does not go on with the update of the keys'
    throw new TlsError('internal_error', 'local', 'write_key_exhausted', what)
  }

  /** Sends as much early data as the ticket still allows. @returns bytes taken */
  earlyData(data: Uint8Array): number {
    const { handshake, writeClosed } = this.state
    const offer = 'earlyData' in handshake ? handshake.earlyData : undefined
    if (offer === undefined || writeClosed) return 0
    const taken = data.subarray(0, offer.left)
    offer.left -= taken.length
    this.output.content(ContentType.application_data, taken)
    return taken.length
  }

  /** Nothing of ours may follow. */
  alert(name: AlertName): void {
    this.flush()
    const { handshake, write } = this.state
    // Appendix D.4: a ChangeCipherSpec goes before what a client protects first, be it an alert.
    if (write !== undefined && 'compatibilityPending' in handshake && handshake.compatibilityPending) {
      this.output.changeCipherSpec()
      handshake.compatibilityPending = false
    }
    this.output.alert(name)
    this.state.writeClosed = true
  }

  changeCipherSpec(): void {
    this.flush()
    this.output.changeCipherSpec()
  }

  view(): { readonly read: TrafficView | undefined; readonly write: TrafficView | undefined } {
    return { read: this.#reader?.view(), write: this.output.protection?.view() }
  }

  /** See `Session.exportKeyingMaterial`. */
  exportKeyingMaterial(label: string, context: Uint8Array, length: number, updated: boolean): Uint8Array {
    const { handshake, keyUpdate } = this.state
    if (handshake.state !== 'CONNECTED') throw new Error('keying material exists once the handshake is over')
    if (updated && keyUpdate.kind !== 'extended') throw new Error('a session without extended key updates')
    const { exporterMasterSecret } = handshake
    const secret = updated && keyUpdate.kind === 'extended' ? keyUpdate.exporterSecret : exporterMasterSecret
    if (secret.length === 0) throw new Error('this session came without its exporter secret')
    return exportKeyingMaterial(this.suite.hash, secret, label, context, length)
  }

  /** The state with the buffers as they are now; it is still the session's own. */
  snapshot(): SessionState {
    const { state } = this
    state.inboundRecords = this.input.copy()
    state.outbound = this.output.copy()
    return state
  }

  /**
   * Ends the session: no key is left, and of the state what there is to tell afterwards. What is sealed may
   * still be taken.
   */
  end(): void {
    this.forget()
    const { serverName, alpn, cipherSuite, certificate, clientRandom, resumed, role } = this.state
    const kept = { serverName, alpn, cipherSuite, certificate, clientRandom, resumed }
    const closed = { ...initialState(), ...kept, readClosed: true, writeClosed: true }
    this.state = { role, handshake: { state: 'CLOSED' }, ...closed }
  }

  /** Goes on from there, with the keys of now: it was lent. @throws Error without keys */
  continueAt({ read, write, inbound }: RecordPosition): void {
    const { state } = this
    if (state.read === undefined || state.write === undefined) throw new Error('a session without keys')
    // Never back: a number that was used for a record is used for no other.
    if (read < state.read.sequenceNumber || write < state.write.sequenceNumber)
      throw new Error('a session that comes back from before it was lent')
    state.read.sequenceNumber = read
    state.write.sequenceNumber = write
    this.input.feed(inbound)
    this.input.settle()
  }

  /** The state, to be copied at once; what has not been read is in it alone, and the keys stay. */
  lend(): SessionState {
    const state = this.snapshot()
    this.input.clear()
    this.output.take()
    return state
  }

  /** Gives the state away and keeps nothing. */
  release(): SessionState {
    const state = this.snapshot()
    this.leave()
    return state
  }

  /** Keeps nothing; the state is another owner's, as it is. */
  leave(): void {
    this.forget()
    this.output.take()
    this.state = RELEASED
  }

  /** Forgets keys and what has not been read. */
  forget(): void {
    this.#reader?.wipe()
    this.output.protection?.wipe()
    this.#reader = undefined
    this.output.protection = undefined
    this.output.dropFlight()
    this.input.clear()
  }
}
