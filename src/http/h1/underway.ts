import { EMPTY } from '../../wire/index.ts'
import { BodyReader } from './body.ts'
import type { H1Limits } from './limits.ts'
import type { IncomingRequest } from './request-head.ts'
import type { SerialisedHead } from './response-head.ts'
import { carried, carriedHead, type H1Response } from './state.ts'

/** Bytes of a request's content, framing included, that are read and thrown away after an early response. */
export const DRAIN = 65_536

/** The request being served. */
export interface Exchange {
  readonly request: IncomingRequest
  readonly body: BodyReader
  /** Where reading stands; `drain` throws the rest away, after the response. */
  reading: 'content' | 'over' | 'drain'
  /** Bytes that may still be thrown away. */
  allowance: number
  /** 100 (Continue) was sent, or is not wanted any more. */
  continued: boolean
  /** The bytes of its head; empty if all of it came at once. */
  readonly head: Uint8Array
}

/**
 * A response in its middle, as a value.
 * @param framing of its content, which is not left out
 * @param owed bytes that Content-Length still promises
 */
export function paused(
  { request: { head } }: Exchange,
  { framing }: SerialisedHead,
  owed: number,
  persistent: boolean,
): H1Response {
  if (framing === 'no content') throw new Error('a response without content has no middle')
  return {
    request: carried(head),
    current: head.version !== '1.0',
    framing: framing === 'until close' ? 'until_close' : framing,
    ...{ owed, persistent },
  }
}

/** The exchange of such a response, and its head, which has been sent. */
export function resumed(
  { request: carried, current, framing, owed, persistent }: H1Response,
  limits: H1Limits,
): { readonly exchange: Exchange; readonly head: SerialisedHead } {
  const request: IncomingRequest = {
    head: carriedHead(carried, current ? '1.1' : '1.0'),
    ...{ length: 0, keyAt: -1, bodyLength: 0, expectsContinue: false, upgrade: undefined, persistent },
  }
  const body = new BodyReader(0, limits)
  return {
    exchange: { request, body, reading: 'over', allowance: DRAIN, continued: true, head: EMPTY },
    head: {
      text: '',
      framing: framing === 'until_close' ? 'until close' : framing,
      length: owed,
      close: !persistent,
    },
  }
}
