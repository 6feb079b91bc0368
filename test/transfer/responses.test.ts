import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { contradiction, misplaced } from '../../src/transfer/consignments/responses.ts'
import { type ApplicationState, decodeEnvelope } from '../../src/transfer/envelope.ts'
import { fromHex, utf8 } from '../../src/wire/index.ts'

const { vectors } = JSON.parse(
  readFileSync(new URL('../../vectors/transfer/envelope-v7.json', import.meta.url), 'utf8'),
) as { vectors: { name: string; bytes: string }[] }

function golden<P extends ApplicationState['protocol']>(protocol: P) {
  const found = vectors
    .map(({ bytes }) => decodeEnvelope(fromHex(bytes)).application)
    .find(application => application.protocol === protocol)
  if (found === undefined) throw new Error(`there is no golden ${protocol}`)
  return found as Extract<ApplicationState, { protocol: P }>
}

type Over1 = Extract<ApplicationState, { protocol: 'http1_response' }>
type Over2 = Extract<ApplicationState, { protocol: 'http2_responses' }>

it('nothing contradicts itself in what containers write', () => {
  for (const { name, bytes } of vectors) {
    expect([name, contradiction(decodeEnvelope(fromHex(bytes)).application)]).toEqual([name, undefined])
  }
})

describe('a response in its middle is refused', () => {
  it.each<[string, (state: Over1) => void, RegExp]>([
    [
      'with a target that none has',
      state => {
        state.response.request.target = 'no path'
      },
      /./,
    ],
    [
      'to HEAD',
      state => {
        state.response.request.method = 'HEAD'
      },
      /HEAD has no content/,
    ],
    [
      'with a field of two lines',
      state => {
        state.response.request.headers = [{ name: 'a', value: 'b\r\nc: d' }]
      },
      /no request has/,
    ],
    [
      'in chunks to an old client',
      state => {
        state.response.current = false
      },
      /chunks over HTTP\/1\.0/,
    ],
    [
      'owing what was not promised',
      state => {
        state.response.owed = 9
      },
      /owes bytes/,
    ],
    [
      'with a state that is no JSON',
      state => {
        state.call.state = utf8('{')
      },
      /no JSON/,
    ],
    [
      'with a state that is no text',
      state => {
        state.call.state = Uint8Array.of(34, 255, 34)
      },
      /no JSON/,
    ],
    [
      'with a state that is too large',
      state => {
        state.call.state = new Uint8Array(2 ** 20 + 1)
      },
      /bytes/,
    ],
    [
      'with an id of two lines',
      state => {
        state.call.callId = 'a\nb'
      },
      /no call has/,
    ],
    [
      'with a status without content',
      state => {
        state.call.status = 304
      },
      /content of status 304/,
    ],
  ])('%s', (_, change, what) => {
    const state = golden('http1_response')
    change(state)
    expect(contradiction(state)).toMatch(what)
  })

  it.each<[string, (state: Over2) => void, RegExp]>([
    [
      'on no stream',
      state => {
        state.calls[0]!.streamId = 99
      },
      /stream 99: there is no such stream/,
    ],
    [
      'twice',
      state => {
        state.calls = [state.calls[0]!, state.calls[0]!]
      },
      /there twice/,
    ],
    [
      'to a request that was never counted',
      state => {
        state.calls[0]!.index = 1
      },
      /request 1 of 1/,
    ],
    [
      'before its head',
      state => {
        state.http.streams[0]!.headSent = false
      },
      /head has not been sent/,
    ],
    [
      'behind its end',
      state => {
        state.http.streams[0]!.ending = true
      },
      /nothing more/,
    ],
    [
      'in a tunnel',
      state => {
        state.http.streams[0]!.tunnel = true
      },
      /nothing more/,
    ],
    [
      'before the request',
      state => {
        state.http.streams[0]!.state = 'open'
      },
      /has not come whole/,
    ],
    [
      'before the head',
      state => {
        state.http.streams[0]!.headReceived = false
      },
      /waits to be accepted/,
    ],
    [
      'with a target that none has',
      state => {
        state.calls[0]!.request.target = 'no path'
      },
      /./,
    ],
  ])('over HTTP/2: %s', (_, change, what) => {
    const state = golden('http2_responses')
    change(state)
    expect(contradiction(state)).toMatch(what)
  })
})

type Upload = Extract<ApplicationState, { protocol: 'http1_upload' }>
type Streams = Extract<ApplicationState, { protocol: 'http2_streams' }>

describe('a request in its middle is refused', () => {
  it.each<[string, (state: Upload) => void, RegExp]>([
    ['without what it goes on from', state => (state.call.state = undefined), /could go on/],
    ['with an answer that has not begun', state => (state.call.status = 200), /has not begun/],
    ['with content of no answer', state => (state.call.content = utf8('x')), /has not begun/],
    ['with an id that no call has', state => (state.call.callId = 'a b'), /no call has/],
    ['with a state that is no JSON', state => (state.call.state = utf8('{')), /no JSON/],
    [
      'whose end the connection tells',
      state => Object.assign(state.upload.body!, { next: 'never' }),
      /no request has/,
    ],
    [
      'with content before a size',
      state => Object.assign(state.upload.body!, { next: 'size' }),
      /no request has/,
    ],
    [
      'in chunks to an old client',
      state => {
        state.upload.current = false
        state.upload.response = { framing: 'chunked', owed: 0 }
      },
      /chunks over HTTP\/1\.0/,
    ],
    [
      'that has begun to be answered with nothing',
      state => (state.upload.response = { framing: 'chunked', owed: 0 }),
      /content of status 0/,
    ],
  ])('%s', (_, change, what) => {
    const state = golden('http1_upload')
    change(state)
    expect(contradiction(state)).toMatch(what)
  })
})

describe('what is served on streams is refused', () => {
  it.each<[string, (state: Streams) => void, RegExp]>([
    ['a WebSocket on no tunnel', ({ http }) => (http.streams[0]!.tunnel = false), /websocket.*nothing more/],
    [
      'a WebSocket of which one side is over',
      ({ http }) => (http.streams[0]!.state = 'half_closed_remote'),
      /over/,
    ],
    [
      'a WebSocket that was not granted',
      ({ http }) => (http.streams[0]!.headSent = false),
      /head has not been/,
    ],
    [
      'a WebSocket with a state that is no JSON',
      ({ passengers: [one] }) => Object.assign(one!.frozen, { state: utf8('{') }),
      /no JSON/,
    ],
    ['an upload in a tunnel', ({ http }) => (http.streams[1]!.tunnel = true), /upload.*nothing more/],
    ['an upload behind its answer', ({ http }) => (http.streams[1]!.ending = true), /nothing more/],
    [
      'an upload whose answer has not begun',
      ({ http }) => (http.streams[1]!.headSent = false),
      /has not begun/,
    ],
    [
      'an upload twice',
      state => (state.passengers = [...state.passengers, state.passengers[1]!]),
      /there twice/,
    ],
  ])('%s', (_, change, what) => {
    const state = golden('http2_streams')
    change(state)
    expect(contradiction(state)).toMatch(what)
  })

  it.each(['http2_streams', 'http2_responses'] as const)('a stream that nothing serves: %s', protocol => {
    const state = golden(protocol)
    const [first] = state.http.streams
    state.http.streams = [...state.http.streams, { ...first!, id: 99 }]
    expect(contradiction(state)).toBe('nothing is served on stream 99')
    state.http.streams.at(-1)!.ending = true
    expect(contradiction(state)).toBeUndefined()
    const { requestsServed, http } = state
    expect(contradiction({ protocol: 'http2', requestsServed, http })).toBe(
      `nothing is served on stream ${first!.id}`,
    )
  })
})

it('a WebSocket is refused with a state that its function could not read', () => {
  const state = golden('websocket')
  state.state = utf8('not JSON')
  expect(contradiction(state)).toMatch(/no JSON/)
})

describe('upstreams are refused', () => {
  const [call] = [golden('http1_response')]
  const one = { streamId: 0, live: true, state: utf8('state') }

  it.each<[string, Parameters<typeof misplaced>[0], RegExp]>([
    [
      'without a response',
      { application: golden('http1'), upstreams: [one] },
      /of stream 0, which has no response/,
    ],
    [
      'of another stream',
      { application: call, upstreams: [{ ...one, streamId: 1 }] },
      /of stream 1, which has no response/,
    ],
    [
      'of a call that froze nothing',
      { application: { ...call, call: { ...call.call, state: undefined } }, upstreams: [one] },
      /which has no response/,
    ],
    ['beyond 16', { application: call, upstreams: Array.from({ length: 17 }, () => one) }, /17 upstreams/],
    [
      'of more than a mebibyte',
      { application: call, upstreams: [{ ...one, state: new Uint8Array(2 ** 20 + 2 ** 16) }] },
      /an upstream of \d+ bytes/,
    ],
  ])('%s', (_, envelope, reason) => {
    expect(misplaced(envelope)).toMatch(reason)
  })

  it('of streams that have one are taken', () => {
    const over2 = golden('http2_responses')
    const upstreams = [{ ...one, streamId: over2.calls[0]!.streamId }]
    expect(misplaced({ application: over2, upstreams })).toBeUndefined()
    expect(misplaced({ application: call, upstreams: [one, { ...one, live: false }] })).toBeUndefined()
  })
})
