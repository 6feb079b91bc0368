import { type CarriedRequest, carriedHead } from '../../http/h1/index.ts'
import type { H2State } from '../../http/h2/state.ts'
import { MAX_UPSTREAMS } from '../channels/limits.ts'
import type { ApplicationState, Envelope, FrozenCall } from '../envelope.ts'

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
 * What contradicts itself in calls that an envelope brings along: what would otherwise be found when a
 * container has gone on with them. @returns a sentence without its stop; undefined: nothing
 */
export function contradiction(application: ApplicationState): string | undefined {
  if (application.protocol === 'http1_response') {
    const { response, call } = application
    const { request, framing, current, owed } = response
    if (framing === 'chunked' && !current) return 'a response in chunks over HTTP/1.0'
    if (framing !== 'length' && owed > 0) return 'a response whose length is not told owes bytes'
    return wrongHead(request) ?? wrongCall(call)
  }
  if (application.protocol === 'websocket') {
    const { state } = application
    return wrongHead({ method: 'GET', ...application }) ?? (state && wrongState(state))
  }
  if (application.protocol !== 'http2_responses') return undefined
  const seen = new Set<number>()
  for (const { streamId, index, request, call } of application.calls) {
    const wrong =
      (seen.has(streamId) ? 'it is there twice' : undefined) ??
      (index < application.requestsServed
        ? undefined
        : `request ${index} of ${application.requestsServed}`) ??
      wrongStream(application.http, streamId) ??
      wrongHead(request) ??
      wrongCall(call)
    if (wrong !== undefined) return `the response on stream ${streamId}: ${wrong}`
    seen.add(streamId)
  }
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
  if (application.protocol === 'http1_response') return new Set(application.call.state && [0])
  if (application.protocol !== 'http2_responses') return new Set()
  return new Set(application.calls.filter(({ call }) => call.state).map(({ streamId }) => streamId))
}

/** A response goes on where its request is over and its head has been said, and nowhere else. */
function wrongStream({ streams }: H2State, streamId: number): string | undefined {
  const stream = streams.find(({ id }) => id === streamId)
  if (stream === undefined) return 'there is no such stream'
  if (!stream.headReceived || stream.announced !== undefined) return 'its request waits to be accepted'
  if (stream.state !== 'half_closed_remote') return 'its request has not come whole'
  if (!stream.headSent) return 'its head has not been sent'
  return stream.ending || stream.bodyless || stream.tunnel ? 'nothing more can be said on it' : undefined
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
