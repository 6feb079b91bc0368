import { concat, EMPTY } from '../wire/index.ts'
import { type AlertName, encodeAlert } from './alert.ts'
import { ContentType, LEGACY_VERSION } from './codepoints.ts'
import type { Protection } from './protection.ts'
import { CHANGE_CIPHER_SPEC, MAXIMUM_PLAINTEXT, plaintextRecord } from './record.ts'
import { outputMemory } from './record-memory.ts'

/**
 * What goes out: messages of a flight are packed into as few records as their key allows, and records wait,
 * sealed, until the stream takes them.
 */
export class RecordOutput {
  /** Seals; without it, records are unprotected. */
  protection: Protection | undefined
  /** Bytes of content that the peer takes in a protected record (RFC 8449). */
  limit = MAXIMUM_PLAINTEXT
  readonly #padding: ((contentLength: number) => number) | undefined
  #records: Uint8Array[] = []
  #flight: Uint8Array[] = []

  /**
   * @param records sealed by an earlier owner and not taken yet @param padding zeros to add to a content of
   * that length
   */
  constructor(records: Uint8Array, padding?: (contentLength: number) => number) {
    if (records.length > 0) this.#records.push(records)
    this.#padding = padding
  }

  /** A handshake message, to share a record with its neighbours. */
  handshake(message: Uint8Array): void {
    this.#flight.push(message)
  }

  /**
   * Packs the messages of the flight into records (RFC 8446 §5.1). @param version of unprotected
   * records
   */
  flush(version: number): void {
    if (this.#flight.length === 0) return
    const bytes = concat(...this.#flight)
    this.#flight = []
    this.content(ContentType.handshake, bytes, version)
  }

  /**
   * Any content, in records of at most 2^14 bytes, or of what the peer takes; protected ones lie in one piece
   * of memory.
   * @param version of unprotected records; only an initial ClientHello has another
   */
  content(type: number, content: Uint8Array, version: number = LEGACY_VERSION): void {
    const { protection } = this
    if (content.length === 0) return
    const limit = protection === undefined ? MAXIMUM_PLAINTEXT : this.limit
    if (protection !== undefined && content.length <= limit) {
      this.#records.push(protection.seal(type, content, this.#paddingFor(content.length)))
      return
    }
    const fragments: Uint8Array[] = []
    for (let at = 0; at < content.length; at += limit) fragments.push(content.subarray(at, at + limit))
    if (protection !== undefined) this.#seal(protection, type, fragments)
    else for (const fragment of fragments) this.#records.push(plaintextRecord(type, fragment, version))
  }

  alert(name: AlertName): void {
    this.content(ContentType.alert, encodeAlert(name))
  }

  changeCipherSpec(): void {
    this.#records.push(CHANGE_CIPHER_SPEC.slice())
  }

  /** Drops messages that are in no record yet. */
  dropFlight(): void {
    this.#flight = []
  }

  /** Gives the records away. */
  take(): Uint8Array[] {
    const records = this.#records
    if (records.length === 0) return []
    this.#records = []
    return records
  }

  /** The records in one piece; they stay. */
  copy(): Uint8Array {
    if (this.#records.length === 0) return EMPTY
    return concat(...this.#records)
  }

  #seal(protection: Protection, type: number, contents: readonly Uint8Array[]): void {
    const paddings = contents.map(({ length }) => this.#paddingFor(length))
    const lengths = contents.map(({ length }, i) => protection.sealedLength(length, paddings[i]!))
    const records = outputMemory.take(lengths.reduce((sum, length) => sum + length, 0))
    let end = 0
    try {
      contents.forEach((content, i) => {
        end = protection.sealInto(type, content, paddings[i]!, records, end)
      })
    } finally {
      // Also of a failure: a record that is sealed has spent its sequence number.
      if (end > 0) this.#records.push(records.subarray(0, end))
    }
  }

  #paddingFor(contentLength: number): number {
    const room = this.limit - contentLength
    return Math.max(0, Math.min(this.#padding?.(contentLength) ?? 0, room))
  }
}
