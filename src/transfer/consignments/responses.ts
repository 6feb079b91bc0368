import { type CarriedRequest, carriedHead, type H1Response } from '../../http/h1/index.ts'
import type { H2State } from '../../http/h2/state.ts'
import { MAX_UPSTREAMS } from '../channels/limits.ts'
import type { Envelope } from '../envelope.ts'
import type { ApplicationState, FrozenCall, Http2Passenger } from './application.ts'

/** Most bytes of what a function freezes of one call. */
export const STATE_BYTES = 1_048_576
/** Most bytes of content, and of what functions froze, that go along with one connection. */
export const CONTENT_BYTES = 4_194_304

/** Most bytes of an upstream's response, with all that its connection is. */
export const UPSTREAM_STATE = 1_049_600

/** What ids and fields are made of. */
const CALL_ID = /^[\w.:+/=@-]{1,128}$/
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const FIELD_VALUE = /^[^\0\r\n]*$/

/**
 * What contradicts itself in what is served on a connection that an envelope brings along: what would
 * otherwise be found when a container has gone on with it.
 * @returns a sentence without its stop; undefined: nothing
 */
export function contradiction(application: ApplicationState): string | undefined {
  switch (application.protocol) {
    case 'http1':
      return undefined
    case 'http1_response': {
      const { response, call } = application
      return wrongFraming(response, response.current) ?? wrongHead(response.request) ?? wrongCall(call)
    }
    case 'http1_upload':
      return wrongUpload(application)
    case 'websocket': {
      const { state } = application
      return wrongHead({ method: 'GET', ...application }) ?? (state && wrongState(state))
    }
    case 'http2':
      return wrongStreams(application.http, [], application.requestsServed)
    case 'http2_responses': {
      const calls = application.calls.map(({ call, ...one }) => ({
        ...one,
        frozen: { kind: 'response', call } as const,
      }))
      return wrongStreams(application.http, calls, application.requestsServed)
    }
    case 'http2_streams':
      return wrongStreams(application.http, application.passengers, application.requestsServed)
  }
}

function wrongFraming({ framing, owed }: Begun, current: boolean): string | undefined {
  if (framing === 'chunked' && !current) return 'a response in chunks over HTTP/1.0'
  return framing !== 'length' && owed > 0 ? 'a response whose length is not told owes bytes' : undefined
}

/** A response has begun, or there is what its function makes it of. */
function wrongUpload({ upload, call }: Extract<ApplicationState, { protocol: 'http1_upload' }>) {
  const { request, current, body, response } = upload
  if (response !== undefined) {
    const wrong = wrongFraming(response, current)
    if (wrong !== undefined) return wrong
  }
  if (body !== undefined) {
    const within = body.next === 'end' || body.next === 'data-end'
    if (body.next === 'never' || (!within && body.remaining > 0)) return 'content that no request has'
  }
  return wrongHead(request) ?? wrongBeginning(call, response !== undefined)
}

/** What is wrong with the streams of a connection, and with what is served on them. */
function wrongStreams(
  { streams }: H2State,
  passengers: readonly Http2Passenger[],
  requestsServed: number,
): string | undefined {
  const there = new Map(streams.map(stream => [stream.id, stream]))
  const seen = new Set<number>()
  for (const { streamId, index, request, frozen } of passengers) {
    const stream = there.get(streamId)
    const wrong =
      (seen.has(streamId) ? 'it is there twice' : undefined) ??
      (index < requestsServed ? undefined : `request ${index} of ${requestsServed}`) ??
      (stream === undefined ? 'there is no such stream' : wrongStream(stream, frozen.kind)) ??
      wrongHead(request) ??
      wrongFrozen(frozen, stream?.headSent === true)
    if (wrong !== undefined) return `the ${frozen.kind} on stream ${streamId}: ${wrong}`
    seen.add(streamId)
  }
  // Nothing would ever answer it.
  for (const { id, announced, ending } of streams)
    if (announced === undefined && !ending && !seen.has(id)) return `nothing is served on stream ${id}`
  return undefined
}

/**
 * What contradicts itself in the upstreams of an envelope: each belongs to a call whose function has frozen
 * something. @returns as {@link contradiction}
 */
export function misplaced({ application, upstreams }: Pick<Envelope, 'application' | 'upstreams'>) {
  if (upstreams.length > MAX_UPSTREAMS) return `${upstreams.length} upstreams`
  const frozen = frozenOf(application)
  for (const { streamId, state } of upstreams) {
    if (!frozen.has(streamId)) return `an upstream of stream ${streamId}, which has no response`
    if (state.length > UPSTREAM_STATE) return `an upstream of ${state.length} bytes`
  }
  return undefined
}

function frozenOf(application: ApplicationState): ReadonlySet<number> {
  switch (application.protocol) {
    case 'http1_response':
    case 'http1_upload':
      return new Set(application.call.state && [0])
    case 'http2_responses':
      return new Set(application.calls.filter(({ call }) => call.state).map(({ streamId }) => streamId))
    case 'http2_streams': {
      const calls = application.passengers.filter(({ frozen }) => 'call' in frozen && frozen.call.state)
      return new Set(calls.map(({ streamId }) => streamId))
    }
    default:
      return new Set()
  }
}

type Stream = H2State['streams'][number]
type Frozen = Http2Passenger['frozen']
type Begun = Pick<H1Response, 'framing' | 'owed'>

/** What is served goes on where its request was accepted and more can be said, and nowhere else. */
function wrongStream(stream: Stream, kind: Frozen['kind']): string | undefined {
  const { state, headReceived, headSent, announced, ending, bodyless, tunnel } = stream
  if (!headReceived || announced !== undefined) return 'its request waits to be accepted'
  if (kind === 'response' && state !== 'half_closed_remote') return 'its request has not come whole'
  if (kind === 'websocket' && state !== 'open') return 'one side of it is over'
  if (kind !== 'upload' && !headSent) return 'its head has not been sent'
  const silent = state === 'half_closed_local' || ending || (headSent && bodyless)
  return silent || tunnel !== (kind === 'websocket') ? 'nothing more can be said on it' : undefined
}

function wrongFrozen(frozen: Frozen, begun: boolean): string | undefined {
  if (frozen.kind === 'websocket') return frozen.state && wrongState(frozen.state)
  return frozen.kind === 'response' ? wrongCall(frozen.call) : wrongBeginning(frozen.call, begun)
}

/** A call whose response may not have begun. */
function wrongBeginning(call: FrozenCall, begun: boolean): string | undefined {
  if (begun) return wrongCall(call)
  if (call.status !== 0 || call.content.length > 0) return 'a response that has not begun'
  if (call.state === undefined) return 'nothing from which its function could go on'
  return CALL_ID.test(call.callId) ? wrongState(call.state) : 'an id that no call has'
}

function wrongHead(request: CarriedRequest): string | undefined {
  const { method, headers } = request
  if (method === 'HEAD') return 'a response to HEAD has no content'
  for (const { name, value } of headers)
    if (!FIELD_NAME.test(name) || !FIELD_VALUE.test(value)) return 'a field that no request has'
  try {
    carriedHead(request, '1.1')
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : 'a target that no request has'
  }
}

function wrongCall({ callId, status, content, state }: FrozenCall): string | undefined {
  if (!CALL_ID.test(callId)) return 'an id that no call has'
  if (status < 200 || status > 999 || status === 204 || status === 304) return `content of status ${status}`
  if (content.length > CONTENT_BYTES) return `${content.length} bytes of content`
  return state && wrongState(state)
}

function wrongState(state: Uint8Array): string | undefined {
  if (state.length > STATE_BYTES) return `a frozen state of ${state.length} bytes`
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(state))
    return undefined
  } catch {
    return 'a frozen state that is no JSON'
  }
}
