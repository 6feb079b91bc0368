import { type AlertName, peerError, TlsError } from '../tls13/alert.ts'
import { ContentType } from '../tls13/codepoints.ts'
import { hostName, readExtensions } from '../tls13/extensions.ts'
import {
  checkLegacyVersion,
  decodeHandshake,
  HANDSHAKE_HEADER_LENGTH,
  handshakeLength,
} from '../tls13/messages.ts'
import type { TlsReason } from '../tls13/reasons.ts'
import { readRecord } from '../tls13/record.ts'
import { concat, EMPTY } from '../wire/index.ts'

/** What the first bytes of a connection to the TLS port turn out to be. */
export type FirstFlight =
  /** The beginning of a ClientHello. */
  | { readonly kind: 'more' }
  /** A whole ClientHello. Nothing has been consumed, and nothing is changed on the way. */
  | {
      readonly kind: 'client_hello'
      /** Undefined if it asks for none, or by what is no host name. */
      readonly serverName: string | undefined
      readonly alpn: readonly string[]
    }
  /** A request in the clear: the client took this port for the other one. */
  | { readonly kind: 'http' }
  /** Neither; the alert says what is wrong with it. */
  | {
      readonly kind: 'refused'
      readonly alert: AlertName
      readonly reason: TlsReason
      readonly detail: string
    }

export interface FirstFlightLimits {
  /** Bytes of the handshake message. */
  readonly helloBytes: number
  /** Records that it may be spread over. */
  readonly records: number
}

export const FIRST_FLIGHT_LIMITS: FirstFlightLimits = { helloBytes: 16_384, records: 32 }

const CLIENT_HELLO = 1

/**
 * Finds the server name in a ClientHello that may come in any number of segments and records (RFC 8446
 * §5.1), without consuming a byte. It reads with the stack's own codecs, so the container cannot see
 * another name than the gateway did.
 */
export class ClientHelloRecogniser {
  readonly #limits: FirstFlightLimits
  /** Bytes of whole records that have been read. */
  #offset = 0
  #records = 0
  #handshake: Uint8Array = EMPTY

  constructor(limits: FirstFlightLimits = FIRST_FLIGHT_LIMITS) {
    this.#limits = limits
  }

  /** @param bytes everything received so far, from the connection's first byte */
  recognise(bytes: Uint8Array): FirstFlight {
    if (looksLikeHttp(bytes)) return { kind: 'http' }
    try {
      return this.#recognise(bytes)
    } catch (error) {
      if (!(error instanceof TlsError)) throw error
      return { kind: 'refused', alert: error.alert, reason: error.reason, detail: error.message }
    }
  }

  #recognise(bytes: Uint8Array): FirstFlight {
    checkFirstByte(bytes)
    for (;;) {
      const record = readRecord(bytes, this.#offset, false)
      if (record === undefined) return { kind: 'more' }
      this.#offset += record.length
      this.#records++
      if (record.type !== ContentType.handshake || record.fragment.length === 0) {
        throw peerError(
          'unexpected_message',
          'interrupted_message',
          `a record of type ${record.type} inside the ClientHello`,
        )
      }
      if (this.#records > this.#limits.records) {
        throw peerError(
          'decode_error',
          'too_many_records',
          `a ClientHello in more than ${this.#limits.records} records`,
        )
      }
      this.#handshake = concat(this.#handshake, record.fragment)
      const whole = this.#whole()
      if (whole !== undefined) return readHello(whole)
    }
  }

  #whole(): Uint8Array | undefined {
    const handshake = this.#handshake
    if (handshake[0] !== CLIENT_HELLO)
      throw peerError(
        'unexpected_message',
        'message_out_of_order',
        `handshake type ${handshake[0]} comes first`,
      )
    const length = handshakeLength(handshake)
    if (length === undefined) return undefined
    if (length > this.#limits.helloBytes + HANDSHAKE_HEADER_LENGTH) {
      throw peerError(
        'decode_error',
        'message_too_long',
        `a ClientHello of ${length} bytes where ${this.#limits.helloBytes} are allowed`,
      )
    }
    return handshake.length < length ? undefined : handshake.subarray(0, length)
  }
}

function readHello(bytes: Uint8Array): FirstFlight {
  const message = decodeHandshake(bytes)
  if (message.type !== 'client_hello')
    throw peerError('unexpected_message', 'message_out_of_order', `${message.type} comes first`)
  checkLegacyVersion(message)
  const extensions = readExtensions('CH', message.extensions)
  const alpn = extensions.application_layer_protocol_negotiation ?? []
  return {
    kind: 'client_hello',
    serverName: hostName(extensions.server_name),
    alpn: alpn.map(name => String.fromCharCode(...name)),
  }
}

/** A method begins with a capital letter; no record type is one. */
function looksLikeHttp(bytes: Uint8Array): boolean {
  return bytes[0] !== undefined && bytes[0] >= 0x41 && bytes[0] <= 0x5a
}

/**
 * Before a whole header has come, its first byte already tells a peer that does not speak TLS. The two behind
 * it tell nothing: legacy_record_version is ignored for all purposes (RFC 8446 §5.1).
 */
function checkFirstByte(bytes: Uint8Array): void {
  if (bytes.length > 0 && bytes[0] !== ContentType.handshake) {
    throw peerError('unexpected_message', 'not_tls', `first byte ${bytes[0]}: not a handshake record`)
  }
}
