import { describe, expect, it } from 'vitest'
import { ErrorCode, H2Client, HpackDecoder } from '../../../src/http/h2/index.ts'
import { concat, EMPTY, utf8 } from '../../../src/wire/index.ts'
import {
  data,
  FrameType,
  frame,
  headers,
  moved,
  PREFACE,
  pull,
  SETTINGS,
  SETTINGS_ACK,
  setting,
  split,
  taken,
  uint32,
} from '../../support/h2-frames.ts'

const HEAD = { method: 'GET', scheme: 'https', authority: 'a.example', path: '/' }

function greeted(settings: Uint8Array = EMPTY): H2Client {
  const client = new H2Client()
  client.receive(concat(frame(FrameType.SETTINGS, 0, 0, settings), SETTINGS_ACK))
  expect(pull(client)).toEqual([])
  taken(client)
  return client
}

function feed(client: H2Client, ...pieces: Uint8Array[]) {
  client.receive(concat(...pieces))
  return pull(client)
}

describe('a client', () => {
  it('begins with the preface and SETTINGS that forbid pushes', () => {
    const client = new H2Client()
    const output = taken(client)
    expect(output.subarray(0, PREFACE.length)).toEqual(PREFACE)
    const [settings] = split(output.slice(PREFACE.length))
    expect(settings).toMatchObject({ type: FrameType.SETTINGS, flags: 0, streamId: 0 })
    expect(settings!.payload.slice(0, 6)).toEqual(setting(2, 0))
  })

  it('sends requests on odd streams and reports their responses', () => {
    const client = greeted()
    expect(client.request(HEAD, true)).toBe(1)
    expect(client.request({ ...HEAD, method: 'POST', headers: [['X-A', 'b']] }, false)).toBe(3)
    expect(client.write(3, utf8('hello'))).toBe(5)
    client.end(3)
    const sent = split(taken(client))
    expect(sent.map(one => [one.type, one.flags, one.streamId])).toEqual([
      [1, 5, 1],
      [1, 4, 3],
      [0, 0, 3],
      [0, 1, 3],
    ])
    const decoder = new HpackDecoder()
    decoder.decode(sent[0]!.payload)
    expect(decoder.decode(sent[1]!.payload).map(entry => entry.field)).toEqual([
      [':method', 'POST'],
      [':scheme', 'https'],
      [':authority', 'a.example'],
      [':path', '/'],
      ['x-a', 'b'],
    ])
    const answer = headers(1, [[':status', '200']], false)
    expect(
      feed(client, headers(1, [[':status', '103']], false), answer, data(1, 'x'), headers(1, [['t', 'u']])),
    ).toEqual([
      { type: 'informational', streamId: 1, status: 103, headers: [] },
      { type: 'response', streamId: 1, status: 200, headers: [], endStream: false },
      { type: 'data', streamId: 1, data: utf8('x'), endStream: false },
      { type: 'trailers', streamId: 1, headers: [['t', 'u']] },
    ])
    expect(client.openStreams).toBe(1)
  })

  it('keeps to the number of streams that the server allows', () => {
    const client = greeted(setting(3, 1))
    client.request(HEAD, true)
    expect(client.canRequest).toBe(false)
    expect(() => client.request(HEAD, true)).toThrow('no more requests')
    feed(client, headers(1, [[':status', '204']]))
    expect(client.canRequest).toBe(true)
  })

  it('is told by GOAWAY which requests may be tried again', () => {
    const client = greeted()
    client.request(HEAD, true)
    client.request(HEAD, true)
    expect(feed(client, frame(FrameType.GOAWAY, 0, 0, concat(uint32(1), uint32(0), utf8('bye'))))).toEqual([
      { type: 'goaway', lastStreamId: 1, code: 0, debug: utf8('bye') },
      { type: 'reset', streamId: 3, code: ErrorCode.REFUSED_STREAM, origin: 'peer', retryable: true },
    ])
    const other = new H2Client(undefined, moved(client.export()))
    expect(other.canRequest).toBe(false)
    expect(other.shouldClose).toBe(false)
    feed(other, headers(1, [[':status', '200']]))
    expect(other.shouldClose).toBe(true)
  })

  it('may read the length of what HEAD does not bring', () => {
    const client = greeted()
    client.request({ ...HEAD, method: 'HEAD' }, true)
    taken(client)
    expect(
      feed(
        client,
        headers(1, [
          [':status', '200'],
          ['content-length', '5'],
        ]),
      ),
    ).toMatchObject([{ status: 200 }])
    expect(taken(client)).toEqual(EMPTY)
  })

  it('refuses a head that must not be sent, and sends nothing of it', () => {
    const client = greeted()
    for (const wrong of [
      { path: '/a b' },
      { method: '' },
      { authority: 'a\n' },
      { headers: [['x', '\0']] as const },
    ]) {
      expect(() => client.request({ ...HEAD, ...wrong }, true)).toThrow(TypeError)
    }
    expect(taken(client)).toEqual(EMPTY)
    expect(client.request(HEAD, true)).toBe(1)
  })

  it('a state belongs to its role, and names no stream that is not there', () => {
    const client = greeted()
    const state = client.export()
    expect(() => new H2Client(undefined, { ...state, role: 'server' })).toThrow(TypeError)
    expect(() => new H2Client(undefined, { ...state, sending: [9] })).toThrow(TypeError)
    expect(feed(new H2Client(undefined, state), SETTINGS)).toEqual([])
  })
})
