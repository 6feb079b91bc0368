import { concat, EMPTY, utf8 } from '../../wire/index.ts'
import type { RequestHead } from '../message.ts'
import { BodyReader } from './body.ts'
import type { H1Limits } from './limits.ts'
import type { IncomingRequest } from './request-head.ts'
import type { SerialisedHead } from './response-head.ts'
import {
  type CarriedRequest,
  carried,
  carriedHead,
  type H1Response,
  type H1State,
  type H1Upload,
} from './state.ts'

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
 * What a connection is in the middle of, as a value.
 * @param reads the application has not got all of the request
 */
export function middleOf(
  exchange: Exchange,
  response: SerialisedHead | undefined,
  owed: number,
  persistent: boolean,
  reads: boolean,
): Pick<H1State, 'response' | 'upload'> {
  if (reads) return { upload: pausedUpload(exchange, response, owed, persistent) }
  return { response: paused(exchange, response!, owed, persistent) }
}

/**
 * A response in its middle, as a value.
 * @param framing of its content, which is not left out
 * @param owed bytes that Content-Length still promises
 */
function paused(
  { request: { head } }: Exchange,
  { framing }: SerialisedHead,
  owed: number,
  persistent: boolean,
): H1Response {
  return {
    request: carried(head),
    current: head.version !== '1.0',
    framing: named(framing),
    owed,
    persistent,
  }
}

/** The same in the middle of its request. @param response undefined if none has begun */
function pausedUpload(
  { request: { head }, body, reading }: Exchange,
  response: SerialisedHead | undefined,
  owed: number,
  persistent: boolean,
): H1Upload {
  return {
    request: carried(head),
    current: head.version !== '1.0',
    body: reading === 'over' ? undefined : body.export(),
    response: response && { framing: named(response.framing), owed },
    persistent,
  }
}

/** The exchange of a request that is accepted. @param head its bytes, if more of it is to come */
export function begun(request: IncomingRequest, head: Uint8Array, limits: H1Limits): Exchange {
  const body = new BodyReader(request.bodyLength ?? 'chunked', limits)
  return { request, body, reading: 'content', allowance: DRAIN, continued: !request.expectsContinue, head }
}

/** How far a request has come. */
export interface H1Progress {
  readonly head: RequestHead
  /** It has come whole. */
  readonly whole: boolean
  /** Its response has begun. */
  readonly begun: boolean
}

export function progressOf({ request: { head }, reading }: Exchange, begun: boolean): H1Progress {
  return { head, whole: reading === 'over', begun }
}

/** Whether it was accepted before all of it had come, and more is missing. */
export function isWithdrawable({ head, body }: Exchange): boolean {
  return head.length > 0 && !body.done
}

/** What a connection is in the middle of, from elsewhere. */
export function underway(
  { response, upload }: Pick<H1State, 'response' | 'upload'>,
  limits: H1Limits,
): { readonly exchange: Exchange; readonly head: SerialisedHead | undefined } | undefined {
  if (upload !== undefined) return resumedUpload(upload, limits)
  return response && resumed(response, limits)
}

/**
 * A request as the bytes that it was.
 * @param content all that was taken of it @param rest what follows that
 */
export function unread(
  { head, body }: Exchange,
  content: readonly Uint8Array[],
  rest: Uint8Array,
): Uint8Array {
  const { before, behind } = body.reframe(content.reduce((sum, { length }) => sum + length, 0))
  return concat(head, utf8(before), ...content, utf8(behind), rest)
}

/** Whether a request or its response is in a middle from which another connection can go on. */
export function goesOn({ reading, body }: Exchange, response: SerialisedHead | undefined): boolean {
  if (response?.framing === 'no content') return false
  return reading === 'over' || (reading === 'content' && !body.broken)
}

function named(framing: SerialisedHead['framing']): H1Response['framing'] {
  if (framing === 'no content') throw new Error('a response without content has no middle')
  return framing === 'until close' ? 'until_close' : framing
}

/** The exchange of such a response, and its head, which has been sent. */
function resumed(
  { request: carried, current, framing, owed, persistent }: H1Response,
  limits: H1Limits,
): { readonly exchange: Exchange; readonly head: SerialisedHead } {
  const request = requestOf(carried, current, persistent)
  const body = new BodyReader(0, limits)
  return {
    exchange: { request, body, reading: 'over', allowance: DRAIN, continued: true, head: EMPTY },
    head: sentHead(framing, owed, persistent),
  }
}

/** The exchange of a request in its middle, and the head of its response, if that has been sent. */
function resumedUpload(
  { request: carried, current, body, response, persistent }: H1Upload,
  limits: H1Limits,
): { readonly exchange: Exchange; readonly head: SerialisedHead | undefined } {
  const length = body?.next === 'end' ? body.remaining : undefined
  const request = requestOf(carried, current, persistent, body === undefined ? 0 : length)
  const reader = body === undefined ? new BodyReader(0, limits) : BodyReader.restore(body, limits)
  const reading = body === undefined ? 'over' : 'content'
  return {
    exchange: { request, body: reader, reading, allowance: DRAIN, continued: true, head: EMPTY },
    head: response && sentHead(response.framing, response.owed, persistent),
  }
}

function requestOf(
  carried: CarriedRequest,
  current: boolean,
  persistent: boolean,
  bodyLength: number | undefined = 0,
): IncomingRequest {
  const head = carriedHead(carried, current ? '1.1' : '1.0')
  return { head, length: 0, keyAt: -1, bodyLength, expectsContinue: false, upgrade: undefined, persistent }
}

function sentHead(framing: H1Response['framing'], length: number, persistent: boolean): SerialisedHead {
  return {
    text: '',
    framing: framing === 'until_close' ? 'until close' : framing,
    length,
    close: !persistent,
  }
}
