import { alertName } from '../tls13/alert.ts'
import { ContentType } from '../tls13/codepoints.ts'
import type { CipherSuite, CryptoProvider, HashAlgorithm } from '../tls13/crypto/provider.ts'
import { type ExposedSecret, hkdfExpandLabel, resumptionPsk, type SecretName } from '../tls13/key-schedule.ts'
import {
  decodeHandshake,
  ExtendedKeyUpdateType,
  type HandshakeMessage,
  handshakeLength,
} from '../tls13/messages.ts'
import { type RawRecord, RECORD_HEADER_LENGTH, readRecord } from '../tls13/record.ts'
import { messageHash } from '../tls13/transcript.ts'
import { concat, EMPTY, equal } from '../wire/index.ts'
import { Direction } from './direction.ts'
import type { Side, TraceEvent } from './event.ts'
import { fieldsOf } from './fields.ts'
import { expanded, explain, type Known, keysOf, type Point } from './schedule.ts'

/** Bytes that may wait for their key. What comes beyond that is told as a gap. */
const WAITING = 2 ** 20

/**
 * Reads along in a connection of which it is shown the bytes of both sides and the secrets of one of them, as
 * a session's `onSecret` gives them. It says what each record and each message is, and how each secret
 * follows from the messages before. It never throws: a session judges, this one looks.
 */
export class Tracer {
  readonly #suites: readonly CipherSuite[]
  readonly #sides = { client: new Direction('client'), server: new Direction('server') }
  #events: TraceEvent[] = []
  /** Bytes that are no whole record yet. */
  readonly #partial: Record<Side, Uint8Array> = { client: EMPTY, server: EMPTY }
  /** Records in the order in which they were seen, from the first one on whose key is not known. */
  #waiting: { readonly side: Side; readonly record: RawRecord }[] = []
  #waitingBytes = 0
  /** Secrets whose messages have not been seen yet. */
  #untold: ExposedSecret[] = []
  readonly #secrets = new Map<SecretName, Uint8Array>()
  readonly #points = new Map<Point, Uint8Array>()
  #suite: CipherSuite | undefined
  /** The secret of early data that went out before the suite was chosen. */
  #early: Uint8Array | undefined
  #transcript: Uint8Array = EMPTY
  /** The same up to the last ClientHello, whose hash may be chosen later. */
  #hello: Uint8Array = EMPTY
  /** What no longer makes sense as TLS. */
  readonly #lost = new Set<Side>()
  #finished = 0

  constructor({ cipherSuites }: Pick<CryptoProvider, 'cipherSuites'>) {
    this.#suites = cipherSuites
  }

  /** Bytes that a side has sent, in the order in which they were seen here. They are copied. */
  bytes(side: Side, bytes: Uint8Array): void {
    if (this.#lost.has(side)) return
    const all = concat(this.#partial[side], bytes)
    let at = 0
    try {
      for (;;) {
        const record = readRecord(all, at, true)
        if (record === undefined) break
        at += record.length
        this.#waiting.push({ side, record })
        this.#waitingBytes += record.length
      }
    } catch (error) {
      this.#goOn()
      this.#gap(side, all.slice(at), (error as Error).message)
      this.#lost.add(side)
      return
    }
    this.#partial[side] = all.slice(at)
    this.#goOn()
    if (this.#waitingBytes > WAITING) this.#giveUp('its key was not told')
  }

  /** A secret of the connection. It is told of when the messages that go into it have been seen. */
  secret(exposed: ExposedSecret): void {
    const secret = exposed.secret.slice()
    this.#secrets.set(exposed.name, secret)
    for (const side of ['client', 'server'] as const) this.#sides[side].learn(exposed.name, secret)
    // How those of an extended key update follow is not told, only what they open.
    if (!exposed.name.endsWith('_N')) this.#untold.push({ ...exposed, secret })
    this.#goOn()
  }

  /** The connection is over: what still waits has no key. */
  end(): void {
    this.#giveUp('its key was not told')
  }

  /** What has been understood since the last call. */
  take(): readonly TraceEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }

  #goOn(): void {
    this.#tell()
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (!this.#record(next.side, next.record)) return
      this.#waiting.shift()
      this.#waitingBytes -= next.record.length
    }
  }

  #giveUp(reason: string): void {
    for (const { side, record } of this.#waiting) this.#gap(side, bytesOf(record), reason)
    this.#waiting = []
    this.#waitingBytes = 0
  }

  #gap(side: Side, bytes: Uint8Array, reason: string): void {
    this.#events.push({ kind: 'gap', side, length: bytes.length, reason, bytes })
  }

  /** @returns false if its key is not known yet */
  #record(side: Side, record: RawRecord): boolean {
    const direction = this.#sides[side]
    const bytes = bytesOf(record)
    if (record.type !== ContentType.application_data) {
      const content = bytes.subarray(RECORD_HEADER_LENGTH)
      const index = direction.records++
      this.#events.push({ kind: 'record', side, index, bytes, type: record.type, content, sealed: undefined })
      this.#content(direction, record.type, content)
      return true
    }
    const opened = direction.open(record, this.#suite === undefined ? this.#suites : [this.#suite])
    if (opened === 'later') return false
    const index = direction.records++
    if (opened === undefined) {
      this.#gap(side, bytes, 'none of the keys opens it: refused early data, or a forged record')
      return true
    }
    const { type, content, length, secret, sequenceNumber } = opened
    const sealed = { secret, sequenceNumber, padding: length - content.length - 1 }
    this.#events.push({ kind: 'record', side, index, bytes, type, content: content.slice(), sealed })
    this.#content(direction, type, content)
    return true
  }

  #content(direction: Direction, type: number, content: Uint8Array): void {
    const { side } = direction
    if (type === ContentType.handshake) this.#handshake(direction, content)
    else if (type === ContentType.application_data)
      this.#events.push({ kind: 'data', side, bytes: content.slice() })
    else if (type === ContentType.alert)
      this.#events.push({ kind: 'alert', side, name: alertName(content[1] ?? -1), bytes: content.slice() })
  }

  #handshake(direction: Direction, content: Uint8Array): void {
    direction.handshake = concat(direction.handshake, content)
    for (;;) {
      const length = handshakeLength(direction.handshake)
      if (length === undefined || direction.handshake.length < length) return
      const bytes = direction.handshake.slice(0, length)
      direction.handshake = direction.handshake.slice(length)
      this.#message(direction, bytes)
    }
  }

  #message(direction: Direction, bytes: Uint8Array): void {
    const { side } = direction
    let message: HandshakeMessage
    try {
      message = decodeHandshake(bytes)
    } catch (error) {
      const { message: reason } = error as Error
      this.#events.push({ kind: 'gap', side, length: bytes.length, reason, bytes: undefined })
      return
    }
    const { type } = message
    if (message.type === 'finished') this.#verify(side, message.verifyData)
    if (type === 'server_hello' || type === 'hello_retry_request') this.#choose(message.cipherSuite)
    if (type === 'hello_retry_request' && this.#suite !== undefined)
      this.#transcript = messageHash(this.#suite.hash, this.#transcript)
    if (this.#finished < 2) this.#transcript = concat(this.#transcript, bytes)
    const fields = fieldsOf(type, bytes)
    const inTranscript = this.#finished < 2 && this.#suite !== undefined
    const transcriptHash = inTranscript ? this.#suite?.hash.digest(this.#transcript) : undefined
    this.#events.push({ kind: 'message', side, type, bytes, fields, transcriptHash })
    this.#advance(direction, message)
    this.#tell()
  }

  #choose(id: number): void {
    this.#suite = this.#suites.find(one => one.id === id)
    if (this.#early !== undefined) this.#keys('client_early_traffic_secret', this.#early)
    this.#early = undefined
  }

  /** What a message changes: the keys in use, and what secrets may be told of. */
  #advance(direction: Direction, message: HandshakeMessage): void {
    const { type } = message
    if (type === 'client_hello') this.#reach('ClientHello')
    else if (type === 'server_hello') this.#reach('ServerHello')
    else if (type === 'finished') {
      this.#finished++
      this.#reach(direction.side === 'server' ? 'server Finished' : 'client Finished')
      direction.advance()
    } else if (type === 'end_of_early_data') direction.advance()
    else if (type === 'key_update') this.#update(direction)
    else if (message.type === 'extended_key_update') {
      if (message.updateType !== ExtendedKeyUpdateType.key_update_request) direction.renew()
    } else if (type === 'new_session_ticket') this.#ticket(message.ticketNonce)
  }

  #reach(point: Point): void {
    // Before the suite is chosen, the length of the first secret says which hash it is.
    const hash = this.#suite?.hash ?? this.#hashOf(this.#secrets.get('early_secret')?.length)
    if (hash !== undefined) this.#points.set(point, hash.digest(this.#transcript))
    if (point === 'ClientHello') this.#hello = this.#transcript
  }

  #hashOf(length: number | undefined): HashAlgorithm | undefined {
    return this.#suites.find(({ hash }) => hash.length === length)?.hash
  }

  #tell(): void {
    const untold = this.#untold
    this.#untold = []
    for (const exposed of untold) {
      const known = this.#known(exposed.secret.length)
      const told = known && explain(exposed, known)
      if (told === undefined) {
        this.#untold.push(exposed)
        continue
      }
      this.#events.push(told)
      this.#keys(exposed.name, exposed.secret)
    }
  }

  /** The keys of a traffic secret; those of early data when the suite is known. */
  #keys(name: string, secret: Uint8Array): void {
    const side = /^(client|server)_.*traffic/.exec(name)?.[1] as Side | undefined
    if (side === undefined) return
    if (this.#suite === undefined) this.#early = secret
    else if (this.#suite.hash.length === secret.length)
      this.#events.push(keysOf(this.#suite, side, name, secret))
  }

  #known(length: number): Known | undefined {
    const hash = this.#suite?.hash ?? this.#hashOf(length)
    if (hash === undefined) return undefined
    const point = (upTo: Point): Uint8Array | undefined => {
      if (upTo === 'nothing') return hash.digest(EMPTY)
      if (upTo === 'ClientHello' && this.#hello.length > 0) return hash.digest(this.#hello)
      return this.#points.get(upTo)
    }
    return { hash, point, secret: name => this.#secrets.get(name) }
  }

  /** The key of a Finished (RFC 8446 §4.4.4). It follows if it makes the message of the transcript. */
  #verify(side: Side, verifyData: Uint8Array): void {
    const from = `${side}_handshake_traffic_secret` as const
    const base = this.#secrets.get(from)
    if (base === undefined || this.#suite === undefined || this.#finished > 1) return
    const { hash } = this.#suite
    const key = hkdfExpandLabel(hash, base, 'finished', EMPTY, hash.length)
    const context = { what: 'nothing', bytes: EMPTY }
    const told = expanded(hash, `${side} finished_key`, key, { from, base, label: 'finished' }, context)
    const follows = equal(hash.hmac(key, hash.digest(this.#transcript)), verifyData)
    this.#events.push({ ...told, follows })
  }

  #update(direction: Direction): void {
    if (this.#suite === undefined) return
    const updated = direction.update(this.#suite)
    if (updated === undefined) return
    const { before, after } = updated
    const source = { from: before.name, base: before.secret, label: 'traffic upd' }
    const context = { what: 'nothing', bytes: EMPTY }
    this.#events.push(
      expanded(this.#suite.hash, after.name, after.secret, source, context),
      keysOf(this.#suite, direction.side, after.name, after.secret),
    )
  }

  /** The PSK of a ticket (RFC 8446 §4.6.1). */
  #ticket(nonce: Uint8Array): void {
    const base = this.#secrets.get('resumption_master_secret')
    if (base === undefined || this.#suite === undefined) return
    const { hash } = this.#suite
    const source = { from: 'resumption_master_secret', base, label: 'resumption' }
    const secret = resumptionPsk(hash, base, nonce)
    this.#events.push(
      expanded(hash, 'PSK of the ticket', secret, source, { what: 'ticket_nonce', bytes: nonce }),
    )
  }
}

function bytesOf({ bytes, at, length }: RawRecord): Uint8Array {
  return bytes.slice(at, at + length)
}
