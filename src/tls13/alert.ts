import { DecodeError } from '../wire/index.ts'
import { reasonOf } from '../wire/thrown.ts'
import { ContentType } from './codepoints.ts'
import type { TlsReason } from './reasons.ts'

/** RFC 8446 §6, with the alert of RFC 7301. */
export const AlertDescription = {
  close_notify: 0,
  unexpected_message: 10,
  bad_record_mac: 20,
  record_overflow: 22,
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  protocol_version: 70,
  insufficient_security: 71,
  internal_error: 80,
  inappropriate_fallback: 86,
  user_canceled: 90,
  missing_extension: 109,
  unsupported_extension: 110,
  unrecognized_name: 112,
  bad_certificate_status_response: 113,
  unknown_psk_identity: 115,
  certificate_required: 116,
  no_application_protocol: 120,
} as const

export type AlertName = keyof typeof AlertDescription

const NAMES = new Map<number, AlertName>(
  Object.entries(AlertDescription).map(([name, number]) => [number, name as AlertName]),
)

/** The name of an alert number; undefined if it is none that we know. */
export function alertName(number: number): AlertName | undefined {
  return NAMES.get(number)
}

/**
 * The two bytes of an alert. TLS 1.3 ignores the level; we write the ones that RFC 8446 §6 asks for.
 */
export function encodeAlert(name: AlertName): Uint8Array {
  const level = name === 'close_notify' || name === 'user_canceled' ? 1 : 2
  return Uint8Array.of(level, AlertDescription[name])
}

/** A whole unprotected record with a fatal alert: for an endpoint that has no session, such as a gateway. */
export function alertRecord(name: AlertName): Uint8Array {
  return Uint8Array.of(ContentType.alert, 3, 3, 0, 2, ...encodeAlert(name))
}

/** Whose fault an error is: the peer broke a rule, we failed, or the two configurations do not meet. */
export type ErrorOrigin = 'peer' | 'local' | 'configuration'

/** An error that ends a session. It always knows its alert, whose fault it was, and which rule was broken. */
export class TlsError extends Error {
  override readonly name = 'TlsError'
  readonly alert: AlertName
  readonly origin: ErrorOrigin
  /** What code matches; the message is for people, and may change. */
  readonly reason: TlsReason

  /** @param reason `refused_by_application` for what is not among those of this library */
  constructor(
    alert: AlertName,
    origin: ErrorOrigin,
    reason: TlsReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`${alert}: ${message}`, options)
    this.alert = alert
    this.origin = origin
    this.reason = reason
  }
}

/** The peer broke a rule. */
export function peerError(alert: AlertName, reason: TlsReason, message: string): TlsError {
  return new TlsError(alert, 'peer', reason, message)
}

/** Both keep the rules, and still there is nothing that both can do. */
export function configurationError(alert: AlertName, reason: TlsReason, message: string): TlsError {
  return new TlsError(alert, 'configuration', reason, message)
}

/**
 * Any error as one that knows its alert: malformed bytes are the peer's fault, everything unforeseen is ours.
 */
export function asTlsError(error: unknown): TlsError {
  if (error instanceof TlsError) return error
  if (error instanceof DecodeError)
    return new TlsError('decode_error', 'peer', 'malformed_bytes', error.message, { cause: error })
  const message = reasonOf(error)
  return new TlsError('internal_error', 'local', 'internal_failure', message, { cause: error })
}
