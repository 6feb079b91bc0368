import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { H2Client, type H2Event, H2Server } from '../../../src/http/h2/index.ts'
import { concat, EMPTY, equal, utf8 } from '../../../src/wire/index.ts'
import {
  block,
  data,
  Flag,
  FrameType,
  frame,
  GET,
  headers,
  limits,
  moved,
  POST,
  PREFACE,
  pull,
  SETTINGS,
  SETTINGS_ACK,
  setting,
  taken,
  uint32,
} from '../../support/h2-frames.ts'

/** Limits so small that every mechanism comes into play. */
const LIMITS = limits({
  streamWindow: 2000,
  connectionWindow: 65_535,
  queuedBytes: 100_000,
  headerTableSize: 256,
})

/**
 * What a client sends in one conversation: tables filled, blocks in parts, windows that shut and open,
 * trailers, a reset.
 */
const CLIENT_BYTES = concat(
  PREFACE,
  frame(FrameType.SETTINGS, 0, 0, concat(setting(4, 300), setting(1, 100))),
  SETTINGS_ACK,
  // Our smaller table has to be acknowledged in the first block: 31 + 225 bytes.
  frame(
    FrameType.HEADERS,
    5,
    1,
    concat(
      Uint8Array.of(0x3f, 0xe1, 0x01),
      block([...GET, ['accept', 'text/html'], ['cookie', 'a=b'], ['cookie', 'c=d']]),
    ),
  ),
  // :authority and two more into the table; then by their indices.
  frame(
    FrameType.HEADERS,
    4,
    3,
    concat(Uint8Array.of(0x83, 0x87, 0x84, 0x41, 1, 0x62, 0x40, 1, 0x78, 1, 0x79)),
  ),
  data(3, 'hello '),
  frame(FrameType.DATA, Flag.PADDED, 3, concat(Uint8Array.of(3), utf8('world'), new Uint8Array(3))),
  frame(FrameType.HEADERS, 1, 5, Uint8Array.of(0x83, 0x87)),
  frame(FrameType.CONTINUATION, 0, 5, Uint8Array.of(0x84, 0xbf)),
  frame(FrameType.CONTINUATION, 4, 5, Uint8Array.of(0xbe)),
  headers(3, [['sum', '11']]),
  frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(400)),
  frame(FrameType.PING, 0, 0, 'pingpong'),
  frame(FrameType.SETTINGS, 0, 0, concat(setting(4, 200), setting(1, 0))),
  frame(FrameType.SETTINGS, 0, 0, concat(setting(1, 300))),
  frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(2000)),
  headers(7, [...GET, ['priority', 'u=1, i']]),
  headers(9, POST, false),
  data(9, new Uint8Array(150)),
  frame(FrameType.RST_STREAM, 0, 9, uint32(8)),
  frame(FrameType.WINDOW_UPDATE, 0, 7, uint32(2000)),
  // We reset this one, so the rest of it is passed over.
  headers(11, GET.slice(1), false),
  data(11, 'late', true),
  frame(FrameType.WINDOW_UPDATE, 0, 5, uint32(1000)),
)

/** Answers whatever comes, in a way that depends on the event alone. */
function answer(server: H2Server, event: H2Event): void {
  if (event.type === 'request') {
    server.accept(event.streamId)
    if (!event.endStream) return
    const body = new Uint8Array(900).fill(event.streamId)
    server.respond(event.streamId, {
      status: 200,
      headers: [
        ['server', 'hot'],
        ['x-path', event.path],
      ],
    })
    server.write(event.streamId, body)
    server.end(event.streamId, event.streamId === 1 ? [['t', 'u']] : undefined)
  } else if (event.type === 'data') server.consume(event.streamId, event.data.length)
  else if (event.type === 'trailers') server.reply(event.streamId, { status: 201, body: 'created' })
}

interface Record_ {
  events: H2Event[]
  sent: Uint8Array[]
}

function step(server: H2Server, bytes: Uint8Array, record: Record_): void {
  server.receive(bytes)
  for (let event = server.next(); event !== undefined; event = server.next()) {
    record.events.push(event)
    answer(server, event)
  }
}

function serve(
  pieces: readonly Uint8Array[],
  between: (server: H2Server, record: Record_) => H2Server,
): Record_ {
  const record: Record_ = { events: [], sent: [] }
  let server = new H2Server(LIMITS)
  for (const piece of pieces) {
    step(server, piece.slice(), record)
    server = between(server, record)
  }
  record.sent.push(taken(server))
  return record
}

const uninterrupted = serve([CLIENT_BYTES], server => server)
const same = (record: Record_) => {
  expect(record.events).toEqual(uninterrupted.events)
  expect(equal(concat(...record.sent), concat(...uninterrupted.sent))).toBe(true)
}

describe('a conversation', () => {
  it('is worth watching', () => {
    const kinds = new Set(uninterrupted.events.map(event => event.type))
    expect([...kinds].sort()).toEqual(['data', 'request', 'reset', 'trailers'])
    expect(uninterrupted.events.length).toBeGreaterThan(8)
    expect(concat(...uninterrupted.sent).length).toBeGreaterThan(2500)
  })

  it('is the same with a move at any byte, output taken before or carried along', () => {
    for (let at = 0; at <= CLIENT_BYTES.length; at++) {
      for (const take of [true, false]) {
        same(
          serve([CLIENT_BYTES.subarray(0, at), CLIENT_BYTES.subarray(at)], (server, record) => {
            if (take) record.sent.push(taken(server))
            return new H2Server(LIMITS, moved(server.export()))
          }),
        )
      }
    }
  })

  it('is the same with a move at every byte', () => {
    const pieces = Array.from(CLIENT_BYTES, byte => Uint8Array.of(byte))
    same(serve(pieces, server => new H2Server(LIMITS, moved(server.export()))))
  })

  it('is the same in any pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(CLIENT_BYTES.length)), cuts => {
        const at = [0, ...cuts.sort((a, b) => a - b), CLIENT_BYTES.length]
        same(
          serve(
            at.slice(1).map((end, i) => CLIENT_BYTES.subarray(at[i], end)),
            server => server,
          ),
        )
      }),
      { numRuns: 100 },
    )
  })
})

it('what is not accepted is announced again after every move', () => {
  const bytes = concat(
    PREFACE,
    SETTINGS,
    headers(1, POST, false),
    data(1, 'ab'),
    data(1, 'cd'),
    headers(1, [['t', 'u']]),
  )
  for (let at = 0; at <= bytes.length; at++) {
    const first = new H2Server(LIMITS)
    first.receive(bytes.slice(0, at))
    const before = pull(first)
    const second = new H2Server(LIMITS, moved(first.export()))
    second.receive(bytes.slice(at))
    const announced = pull(second)
    expect(announced).toMatchObject([{ type: 'request', streamId: 1 }])
    if (before.length > 0) expect(announced).toEqual(before)
    second.accept(1)
    expect(
      pull(second).map(event => (event.type === 'data' ? String.fromCharCode(...event.data) : event.type)),
    ).toEqual(['ab', 'cd', 'trailers'])
  }
})

describe('between our client and our server', () => {
  const body = fc.uint8Array({ maxLength: 6000 })
  const exchange = fc.record({
    up: body,
    down: body,
    trailers: fc.boolean(),
    chunk: fc.integer({ min: 1, max: 3000 }),
  })

  it('content arrives whole, through small windows, in any pieces, moving all the while', () => {
    fc.assert(
      fc.property(
        fc.array(exchange, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 2000 }),
        fc.boolean(),
        (exchanges, piece, moving) => {
          let client = new H2Client(limits({ streamWindow: 700 }))
          let server = new H2Server(limits({ streamWindow: 900, queuedBytes: 1000 }))
          const up = new Map<number, Uint8Array>()
          const down = new Map<number, Uint8Array>()
          const left = new Map<number, Uint8Array>()
          const ended: number[] = []
          const add = (map: Map<number, Uint8Array>, id: number, more: Uint8Array) =>
            map.set(id, concat(map.get(id) ?? EMPTY, more))
          const push = (id: number) => {
            const rest = left.get(id)!
            const count = server.write(id, rest)
            left.set(id, rest.subarray(count))
            if (count < rest.length) return
            left.delete(id)
            server.end(id, exchanges[(id - 1) / 2]!.trailers ? [['t', 'u']] : undefined)
          }
          const onServer = (event: H2Event) => {
            if (event.type === 'request') server.accept(event.streamId)
            if (event.type === 'drain') push(event.streamId)
            if (event.type === 'data') {
              add(up, event.streamId, event.data)
              server.consume(event.streamId, event.data.length)
            }
            const over = (event.type === 'request' || event.type === 'data') && event.endStream
            if (!over && event.type !== 'trailers') return
            server.respond(event.streamId, { status: 200 })
            left.set(event.streamId, exchanges[(event.streamId - 1) / 2]!.down)
            push(event.streamId)
          }
          const onClient = (event: H2Event) => {
            if (event.type === 'data') {
              add(down, event.streamId, event.data)
              client.consume(event.streamId, event.data.length)
            }
            if (event.type === 'trailers' || (event.type === 'data' && event.endStream))
              ended.push(event.streamId)
            expect(['error', 'reset']).not.toContain(event.type)
          }
          for (const { up: content, trailers } of exchanges) {
            const id = client.request({ method: 'POST', scheme: 'http', authority: 'a', path: '/' }, false)
            expect(client.write(id, content)).toBe(content.length)
            client.end(id, trailers ? [['v', 'w']] : undefined)
          }
          for (let quiet = false; !quiet; ) {
            const toServer = taken(client)
            const toClient = taken(server)
            quiet = toServer.length + toClient.length === 0
            for (let at = 0; at < toServer.length; at += piece) {
              server.receive(toServer.slice(at, at + piece))
              for (let event = server.next(); event !== undefined; event = server.next()) onServer(event)
              if (moving)
                server = new H2Server(
                  limits({ streamWindow: 900, queuedBytes: 1000 }),
                  moved(server.export()),
                )
            }
            for (let at = 0; at < toClient.length; at += piece) {
              client.receive(toClient.slice(at, at + piece))
              for (let event = client.next(); event !== undefined; event = client.next()) onClient(event)
              if (moving) client = new H2Client(limits({ streamWindow: 700 }), moved(client.export()))
            }
          }
          exchanges.forEach(({ up: sent, down: answered }, i) => {
            expect(equal(up.get(2 * i + 1) ?? EMPTY, sent)).toBe(true)
            expect(equal(down.get(2 * i + 1) ?? EMPTY, answered)).toBe(true)
          })
          expect(ended).toHaveLength(exchanges.length)
          expect(server.quiescent && client.quiescent).toBe(true)
        },
      ),
      { numRuns: 40 },
    )
  })
})

it('no bytes make it throw', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .tuple(fc.nat(17), fc.nat(255), fc.nat(8), fc.uint8Array({ maxLength: 40 }))
      .map(([type, flags, id, payload]) => frame(type, flags, id, payload)),
    fc.constantFrom(
      headers(1, GET),
      headers(3, POST, false),
      data(3, 'x'),
      frame(FrameType.HEADERS, 0, 5, block(GET)),
    ),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), pieces => {
      let server = new H2Server(LIMITS)
      for (const one of [PREFACE, SETTINGS, ...pieces]) {
        step(server, one, { events: [], sent: [] })
        if (!server.shouldClose) server = new H2Server(LIMITS, moved(server.export()))
      }
    }),
    { numRuns: 500 },
  )
})
