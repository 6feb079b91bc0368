import { X509Certificate } from 'node:crypto'
import { certificateFields } from '../tls13/io/certificate-fields.ts'
import { DerReader, only, Tag } from '../tls13/io/der.ts'
import { certificateBlocks } from '../wire/pem.ts'
import { base64url } from './base64url.ts'
import { isFields, momentOf, textOf } from './json.ts'

/* When a certificate is renewed. Time and chance are arguments; moments are milliseconds since 1970. */

const HOUR = 3_600_000
export const DAY = 24 * HOUR

/** From when to when a server suggests that a certificate is renewed (RFC 9773 §4.2). */
export interface SuggestedWindow {
  readonly start: number
  readonly end: number
  /** Where it says why, if it does. */
  readonly explanation: string | undefined
}

/** Of how much of its time a certificate has left when it is renewed, where no server says so. */
const LEFT = 1 / 3
/** One that is good for ten days at most: half. */
const SHORT = 10 * DAY
const SHORT_LEFT = 1 / 2
/** Earlier than that by up to this part of its time: not all certificates of the world at one moment. */
const JITTER = 1 / 20

/** Milliseconds between two looks at what the server suggests (RFC 9773 §4.3.2): when it does not say. */
const LOOK_AGAIN = 6 * HOUR
const SOONEST_LOOK = 60_000

/** Milliseconds after the first failure; doubled each time, up to a day. */
const FIRST_RETRY = 60_000
const LONGEST_RETRY = DAY
/** Of how much of its time a certificate has left at the least, whatever the server suggests. */
const LAST = 1 / 10
/** As its end comes near, a renewal is tried again in this part of the time that is left, and not sooner. */
const PART_OF_LEFT = 1 / 8
const URGENT_RETRY = 15 * 60_000
/** What is farther away was written down by a clock that was wrong. */
const FARTHEST_LOOK = DAY

/** Milliseconds until a certificate is renewed again that is due as soon as it has come. */
export const BETWEEN_RENEWALS = 6 * HOUR

/** The name of a certificate in questions about its renewal (RFC 9773 §4.1). */
export function certificateId(pem: string): string | undefined {
  const { der } = certificateBlocks(pem)[0]!
  const authority = certificateFields(der).extensions.get('2.5.29.35')
  if (authority === undefined) return undefined
  // [0], the keyIdentifier (RFC 5280 §4.2.1.1).
  const keyIdentifier = new DerReader(only(authority.value, Tag.sequence)).takeIf(0x80)
  if (keyIdentifier === undefined) return undefined
  const digits = new X509Certificate(der).serialNumber
  const serial = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')
  // As DER has it: the highest bit is the sign.
  const value = serial[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), serial]) : serial
  return `${base64url(keyIdentifier)}.${base64url(value)}`
}

/** @returns undefined if what came makes no sense: as if the server had said nothing (RFC 9773 §4.3.3) */
export function readWindow(value: unknown): SuggestedWindow | undefined {
  const window = isFields(value) && isFields(value.suggestedWindow) ? value.suggestedWindow : {}
  const [start, end] = [momentOf(window.start), momentOf(window.end)]
  if (start === undefined || end === undefined || end <= start) return undefined
  const explanation = textOf((value as Record<string, unknown>).explanationURL, 1024)
  return { start, end, explanation: explanation?.startsWith('https://') ? explanation : undefined }
}

/** A moment of a window, each as likely as the other (RFC 9773 §4.2). @param chance from 0 to 1 */
export function momentIn({ start, end }: SuggestedWindow, chance: number): number {
  return Math.round(start + (end - start) * chance)
}

/** When a certificate is renewed for which no server suggests a time. @param chance from 0 to 1 */
export function renewalOf(
  { notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number },
  chance: number,
): number {
  const whole = notAfter - notBefore
  const left = whole <= SHORT ? SHORT_LEFT : LEFT
  return Math.round(notAfter - whole * (left + JITTER * chance))
}

/** The last moment at which a certificate is renewed, if the server suggests a later one. */
export function lastMoment({ notBefore, notAfter }: { notBefore: number; notAfter: number }): number {
  return Math.round(notAfter - (notAfter - notBefore) * LAST)
}

/**
 * Whether the moment has come at which something is tried again.
 * @param at undefined: it has not failed @param since when it failed: in the future by a clock that was wrong
 */
export function mayTryAgain(at: number | undefined, since: number | undefined, now: number): boolean {
  return at === undefined || at <= now || (since ?? 0) > now
}

/** Whether the moment has come at which a server is asked what it suggests. @param at undefined: never yet */
export function mayLook(at: number | undefined, now: number): boolean {
  return at === undefined || at <= now || at > now + FARTHEST_LOOK
}

/** When the server is asked again what it suggests. @param retryAfter milliseconds that it has asked for */
export function nextLook(now: number, retryAfter: number | undefined): number {
  return now + Math.min(DAY, Math.max(SOONEST_LOOK, retryAfter ?? LOOK_AGAIN))
}

/**
 * When a renewal that has failed is tried again.
 * @param failures in a row, at least one @param chance from 0 to 1 @param retryAfter as the server asks
 * @param left milliseconds that the certificate in its place is good for; undefined: there is none
 */
export function nextTry(
  now: number,
  failures: number,
  chance: number,
  retryAfter: number | undefined,
  left?: number,
): number {
  const most = left === undefined ? LONGEST_RETRY : Math.max(URGENT_RETRY, left * PART_OF_LEFT)
  const doubled = Math.min(LONGEST_RETRY, most, FIRST_RETRY * 2 ** Math.min(failures - 1, 20))
  return Math.round(now + Math.max(doubled * (0.75 + 0.5 * chance), retryAfter ?? 0))
}
