import { readdirSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { concat, utf8 } from '../../src/wire/index.ts'
import { FrameType, frame, headers, PREFACE, SETTINGS, split, uint32 } from '../support/h2-frames.ts'
import { LONG } from '../support/long.ts'
import { ANSWERED, dripped, heard, LAYER_NAMES, PLACES, quiet, REQUEST, type Road, road } from './road.ts'

/** What hostile clients do to a server, on every road; another client is answered all the while. */

/** What a client does → what it hears. */
type Attack = readonly [
  does: (road: Road) => Promise<string>,
  hears: RegExp,
  /** Times of the server that are to run out. */
  quick?: object,
]

const ATTACKS: Readonly<Record<string, Attack>> = {
  'a head that comes a byte now and then': [
    async ({ dial }) => dripped(await dial(), utf8(`GET / HTTP/1.1\r\nHost: ${'a'.repeat(200)}`)),
    /^HTTP\/1\.1 408 /,
    { timers: { headers: 300, 'request-body': 300 } },
  ],
  'content that does not go on': [
    async ({ dial }) => {
      const stream = await dial()
      stream.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf')
      return heard(stream)
    },
    /^HTTP\/1\.1 408 /,
    { timers: { headers: 300, 'request-body': 300 } },
  ],
  'nothing at all': [async ({ dial }) => heard(await dial()), /^$/, { timers: { 'keep-alive': 300 } }],
  'a request, and its own end': [
    async ({ dial }) => {
      const stream = await dial()
      stream.end(REQUEST)
      return heard(stream)
    },
    ANSWERED,
  ],
  'half a request, and its own end': [
    async ({ dial }) => {
      const stream = await dial()
      stream.end(REQUEST.subarray(0, 20))
      return heard(stream)
    },
    /^(HTTP\/1\.1 400 [\s\S]*)?$/,
  ],
  'half of its content, and its own end': [
    async ({ dial }) => {
      const stream = await dial()
      stream.end('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf')
      return heard(stream)
    },
    /^(HTTP\/1\.1 400 [\s\S]*)?$/,
  ],
  'many requests at once, and its own end': [
    async ({ dial }) => {
      const stream = await dial()
      stream.end(concat(...Array.from({ length: 50 }, () => REQUEST)))
      return String((await heard(stream)).split('HTTP/1.1 200 ').length - 1)
    },
    /^50$/,
  ],
  'a large answer that it does not take': [
    async ({ dial, server }) => {
      const stream = await dial()
      stream.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n')
      stream.pause()
      while (server.connections > 1) await sleep(20)
      stream.destroy()
      return 'ended'
    },
    /^ended$/,
    { stall: 300 },
  ],
  'a reset in the middle of an answer': [
    async ({ dial }) => {
      const stream = await dial()
      stream.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n')
      await new Promise(resolve => stream.once('data', resolve))
      const { socket } = stream as unknown as { readonly socket?: Socket }
      ;(socket ?? (stream as Socket)).destroy()
      return 'gone'
    },
    /^gone$/,
  ],
  'bytes of another protocol right behind its Upgrade': [
    async ({ dial }) => {
      const stream = await dial()
      stream.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nfirst ')
      await sleep(20)
      stream.end('second')
      return heard(stream)
    },
    /^HTTP\/1\.1 101 [\s\S]*\r\n\r\nfirst second$/,
  ],
  'a request right behind CONNECT, which is none': [
    async ({ dial }) => {
      const stream = await dial()
      stream.end(concat(utf8('CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n'), REQUEST))
      return heard(stream)
    },
    /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nGET \/ HTTP\/1\.1\r\nHost: a\r\n\r\n$/,
  ],
  'a tunnel that it does not read': [
    async ({ dial }) => {
      const stream = await dial()
      stream.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
      stream.pause()
      for (let i = 0; i < 20; i++) {
        stream.write(new Uint8Array(1_000_000))
        await sleep(5)
      }
      stream.destroy()
      return 'gone'
    },
    /^gone$/,
  ],
}

function asked(secure: boolean, id = 1, path = '/'): Uint8Array {
  const scheme = secure ? 'https' : 'http'
  return headers(id, [
    [':method', 'GET'],
    [':scheme', scheme],
    [':path', path],
    [':authority', 'a'],
  ])
}

/** Why the server has ended a connection over HTTP/2: the code of its GOAWAY. */
async function goodbye(stream: Duplex): Promise<number | undefined> {
  const frames = split(new Uint8Array(Buffer.from(await heard(stream), 'latin1')))
  return frames.find(({ type }) => type === FrameType.GOAWAY)?.payload[7]
}

/** Requests that are reset as soon as they are made (CVE-2023-44487). */
const RESETS = 5000
const OVER_HTTP2: Readonly<Record<string, Attack>> = {
  'streams that are reset at once, again and again': [
    async ({ dial, secure }) => {
      const stream = await dial(['h2'])
      const pieces = [PREFACE, SETTINGS]
      for (let id = 1; id < 2 * RESETS; id += 2)
        pieces.push(asked(secure, id, '/never'), frame(FrameType.RST_STREAM, 0, id, uint32(8)))
      stream.write(concat(...pieces))
      // ENHANCE_YOUR_CALM
      return String(await goodbye(stream))
    },
    /^11$/,
  ],
  'a preface that comes a byte now and then': [
    async ({ dial }) => {
      await dripped(await dial(['h2']), PREFACE)
      return 'ended'
    },
    /^ended$/,
    { timers: { headers: 200, 'keep-alive': 200 } },
  ],
  'a head without an end, in pieces': [
    async ({ dial }) => {
      const stream = await dial(['h2'])
      stream.write(concat(PREFACE, SETTINGS, frame(FrameType.HEADERS, 0, 1, new Uint8Array(10).fill(0x82))))
      for (let i = 0; i < 2000 && !stream.destroyed; i++)
        stream.write(frame(FrameType.CONTINUATION, 0, 1, new Uint8Array(10).fill(0x82)))
      await heard(stream)
      return 'ended'
    },
    /^ended$/,
  ],
  'half a frame, and its own end': [
    async ({ dial, secure }) => {
      const stream = await dial(['h2'])
      stream.end(concat(PREFACE, SETTINGS, asked(secure).subarray(0, 11)))
      await heard(stream)
      return 'ended'
    },
    /^ended$/,
  ],
  'a request, and its own end': [
    async ({ dial, secure }) => {
      const stream = await dial(['h2'])
      stream.end(concat(PREFACE, SETTINGS, asked(secure)))
      return (await heard(stream)).includes('hello') ? 'answered' : 'not answered'
    },
    /^answered$/,
  ],
}

const descriptors = (): number => readdirSync('/proc/self/fd').length
const escaped: unknown[] = []
const escapes = (error: unknown): void => void escaped.push(error)
process.on('uncaughtExceptionMonitor', escapes)
afterAll(() => void process.off('uncaughtExceptionMonitor', escapes))
afterEach(() => expect(escaped).toEqual([]))

/** Another client, which asks on and on. @returns how often it was answered, when told to stop */
function neighbour({ dial }: Road): () => Promise<number> {
  let over = false
  const work = (async () => {
    let answers = 0
    while (!over) {
      const stream = await dial()
      stream.end(REQUEST)
      expect(await heard(stream)).toMatch(ANSWERED)
      answers++
      await sleep(20)
    }
    return answers
  })()
  work.catch(() => {})
  return () => {
    over = true
    return work
  }
}

/** In a short run each layer over one of the places by turns, so that each place has some. */
const ROADS = PLACES.flatMap((place, at) =>
  LAYER_NAMES.filter((_, turn) => LONG || turn % PLACES.length === at).map(
    layer => [`${place}, ${layer}`, place, layer] as const,
  ),
)

describe.each(ROADS)('over %s, a client that gives', (_, place, layer) => {
  const all = Object.entries({ ...ATTACKS })
  const more = Object.entries(OVER_HTTP2).map(([name, attack]) => [`HTTP/2: ${name}`, attack] as const)
  it.each([...all, ...more])('%s', async (_, [does, hears, quick = {}]) => {
    const one = await road(layer, place, quick)
    const stop = neighbour(one)
    expect(await does(one)).toMatch(hears)
    expect(await stop()).toBeGreaterThan(0)
    await quiet(one)
    expect(one.failures.filter(({ stage }) => stage === 'connection' || stage === 'accept')).toEqual([])
    await one.server.stop(0)
  })
})

describe.each(['our TLS', 'node:tls'] as const)('%s: a handshake', layer => {
  it.each(PLACES)('that comes a byte now and then is ended, over %s', async place => {
    const one = await road(layer, place, { handshakeMs: 300 })
    const hello = Uint8Array.of(22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3, ...new Uint8Array(249))
    await dripped(await one.plain(), hello)
    await quiet(one)
    expect(one.failures.map(({ stage }) => stage)).toEqual(['handshake'])
    await one.server.stop(0)
  })

  it.each(PLACES)('that is left in the middle leaves no descriptor, over %s', async place => {
    const one = await road(layer, place)
    const before = descriptors()
    for (let round = 0; round < 10; round++)
      await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const socket = await one.plain()
          socket.write(Uint8Array.of(22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3).subarray(0, i % 12))
          if (i % 3 === 0) socket.destroy()
          else if (i % 3 === 1 && place === 'TCP') socket.resetAndDestroy()
          else {
            socket.end().resume()
            await new Promise(resolve => socket.once('close', resolve))
          }
        }),
      )
    await quiet(one)
    expect(descriptors()).toBeLessThan(before + 10)
    await one.server.stop(0)
  })
})
