import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { concat, utf8 } from '../../../src/wire/index.ts'
import { Client, textOf } from '../../support/client.ts'
import { Http2Client } from '../../support/http2-client.ts'
import { eventually, hotpotato, Platform } from '../../support/platform.ts'
import { ActingPlatform, goesOn } from './acting.ts'

/** Most of this restarts processes, which takes its time: `HOTPOTATO_LONG=1` runs all of it. */
const LONG = process.env.HOTPOTATO_LONG === '1'
const long = it.runIf(LONG)
const REPLICAS = LONG
  ? ['echo-1', 'echo-2', 'echo-3', 'resize-1', 'resize-2', 'chat-1', 'chat-2']
  : ['echo-1', 'echo-2']

const OTHERS = `
  resize: { handler: ./act.mjs, replicas: 2 }
  chat: { handler: ./chat.mjs, replicas: 2 }
  hello: { duplicate: false }
`
const CONFIG = `
version: 1
carrier: fd
duplicate: true
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, requestBody: 300 } }
restart: { firstSeconds: 0.05, mostSeconds: 0.2, crashLoop: 1000 }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  echo: { handler: ./act.mjs, replicas: ${LONG ? 3 : 2} }
${LONG ? OTHERS : ''}`
/** Counts its messages, wherever the socket is. */
const CHAT = `
export default { fetch: () => new Response('a WebSocket is served here') }
export function webSocket(socket, context, state = { count: 0 }) {
  return {
    message: data => socket.send(++state.count + ' ' + data + ' ' + context.connection.container),
    freeze: () => state,
  }
}
`

let acting: ActingPlatform
let platform: Platform

beforeAll(async () => {
  acting = await ActingPlatform.start(CONFIG, REPLICAS, { 'chat.mjs': CHAT })
  platform = acting.platform
})
afterAll(() => platform?.stop())
beforeEach(() => acting.whole())

const gateway = async (counter: string): Promise<number> =>
  (await platform.member('gateway')).counters[counter]!

/** @param before how many ended because something was underway when their containers died, before this one */
async function endsUncleanly(client: Client, before: number): Promise<void> {
  expect(await client.ended).toMatchObject({ closeNotify: false, alert: undefined })
  client.socket.destroy()
  const { unclean, uncleanLost } = (await platform.member('gateway')).counters
  expect([unclean, uncleanLost]).toEqual([before + 1, before + 1])
}

/** The container that has the only connection there is. */
const owner = async (): Promise<string> =>
  (await platform.status()).find(({ name, counters }) => name !== 'gateway' && counters.connections! > 0)!
    .name

const noneLeft = (): Promise<unknown> =>
  platform.until('gateway', ({ counters }) => counters.duplicated === 0)

describe('a container is killed', () => {
  it('while its connections are idle: they go on in another one', async () => {
    const [unclean, takenOver] = [await gateway('unclean'), await gateway('takenOver')]
    const all = await Promise.all(Array.from({ length: 12 }, () => acting.settled()))
    expect(await gateway('duplicated')).toBe(12)
    await platform.kill('echo-1')
    let moved = 0
    for (const { client, first } of all) {
      const next = await client.request('/echo')
      expect(next.status).toBe(200)
      if (first.container === 'echo-1') {
        expect(next.container).not.toBe('echo-1')
        expect(next.hops).toBe(first.hops + 1)
        moved++
      } else expect(next).toMatchObject({ container: first.container, hops: first.hops })
      expect(client.handshakes).toBe(1)
      await client.close()
    }
    expect(moved).toBeGreaterThan(0)
    expect(await gateway('takenOver')).toBe(takenOver + moved)
    expect(await gateway('unclean')).toBe(unclean)
    await noneLeft()
  })

  long(
    'after the handshake, before any request',
    async () => {
      const client = await Client.open(acting.options())
      const killed = await owner()
      await platform.kill(killed)
      const next = await client.request('/echo')
      expect(next).toMatchObject({ status: 200 })
      expect(next.container).not.toBe(killed)
      await client.close()
    },
    240_000,
  )

  long(
    'after the client has changed its keys, and asked for ours to change',
    async () => {
      const { client, first } = await acting.settled()
      for (let round = 0; round < 3; round++) {
        client.updateKeys()
        await client.request('/echo')
      }
      client.updateKeys()
      await sleep(200)
      await platform.kill(first.container!)
      await goesOn(client, first)
    },
    240_000,
  )

  long(
    'while it has half of a record: that is whole in its successor',
    async () => {
      const { client, first } = await acting.settled()
      const sealed: Uint8Array[] = []
      const write = client.socket.write.bind(client.socket)
      client.socket.write = ((bytes: Uint8Array) =>
        sealed.push(bytes.slice()) > 0) as typeof client.socket.write
      const answer = client.request('/echo')
      client.socket.write = write
      const bytes = concat(...sealed)
      write(bytes.subarray(0, 20))
      await sleep(200)
      await platform.kill(first.container!)
      write(bytes.subarray(20))
      expect((await answer).container).not.toBe(first.container)
      await goesOn(client, first)
    },
    240_000,
  )

  it('before it has read a request: the next one reads it', async () => {
    const { client, first } = await acting.settled()
    process.kill((await platform.member(first.container!)).pid!, 'SIGSTOP')
    const answer = client.request('/echo?id=unread', { body: utf8('effects') })
    await sleep(100)
    await platform.kill(first.container!)
    expect(textOf(await answer)).toMatch(/ 7$/)
    expect(acting.begun('unread')).toBe(1)
    await goesOn(client, first)
  })

  it('with a request unanswered: it ends, and is counted', async () => {
    const { client, first } = await acting.settled()
    const before = await gateway('unclean')
    client.request('/echo?id=unanswered&sleep=5000').catch(() => {})
    await acting.whenBegun('unanswered')
    await platform.kill(first.container!)
    await endsUncleanly(client, before)
    await noneLeft()
  })

  long(
    'with a response underway that the client does not take: it ends, and is counted',
    async () => {
      const { client, first } = await acting.settled()
      const before = await gateway('unclean')
      client.request('/echo?id=large&bytes=30000000').catch(() => {})
      client.socket.pause()
      await acting.whenBegun('large')
      await sleep(300)
      await platform.kill(first.container!)
      client.socket.resume()
      await endsUncleanly(client, before)
    },
    240_000,
  )

  long(
    'between two requests in the pipe: what may have been begun is begun again only if it may',
    async () => {
      for (const [method, status, times] of [
        ['GET', 200, 2],
        ['POST', 503, 1],
      ] as const) {
        const { client, first } = await acting.settled()
        const id = `pipe-${method}`
        const answers = Promise.all([
          // Until it is answered, the other one has come as well.
          client.request('/echo?sleep=200'),
          client.request(`/echo?id=${id}&sleep=1000`, { method }),
        ])
        await acting.whenBegun(id)
        await platform.kill(first.container!)
        expect((await answers).map(one => one.status)).toEqual([200, status])
        expect(acting.begun(id)).toBe(times)
        await goesOn(client, first)
        await acting.whole()
      }
    },
    240_000,
  )

  long(
    'after the connection had moved to it from another function',
    async () => {
      const { client } = await acting.settled()
      const moved = await client.request('/resize')
      await platform.kill(moved.container!)
      await goesOn(client, moved, '/resize')
    },
    240_000,
  )

  long(
    'after hotpotato move had moved the connection to it',
    async () => {
      const { client, first } = await acting.settled()
      const target = REPLICAS.find(name => name.startsWith('echo') && name !== first.container)!
      const { connections } = JSON.parse(
        (await hotpotato(platform.directory, ['status', '--connections', '--json'])).stdout,
      ) as { connections: { id: string; container: string }[] }
      const one = connections.find(({ container }) => container === first.container)!
      const { code, stderr } = await hotpotato(platform.directory, ['move', one.id, target])
      expect(code, stderr).toBe(0)
      await platform.kill(target)
      const next = await client.request('/echo')
      expect(next).toMatchObject({ status: 200 })
      expect(next.container).not.toBe(target)
      expect(client.handshakes).toBe(1)
      await client.close()
    },
    240_000,
  )

  long(
    'again and again',
    async () => {
      const { client } = await acting.settled()
      for (let round = 0; round < 4; round++) {
        const takenOver = await gateway('takenOver')
        const killed = await owner()
        await platform.kill(killed)
        await platform.until('gateway', ({ counters }) => counters.takenOver === takenOver + 1)
        expect(await owner()).not.toBe(killed)
        // In every other round its successor dies before there is a request.
        if (round % 2 === 0) expect(await client.request('/echo')).toMatchObject({ status: 200 })
        await acting.whole()
      }
      expect((await client.request('/echo')).container).toBe(await owner())
      expect(client.handshakes).toBe(1)
      await client.close()
    },
    240_000,
  )

  long(
    'whose client has gone meanwhile: nothing is left, and nothing went wrong',
    async () => {
      const { client, first } = await acting.settled()
      const before = await gateway('unclean')
      process.kill((await platform.member(first.container!)).pid!, 'SIGSTOP')
      client.reset()
      await sleep(100)
      await platform.kill(first.container!)
      await noneLeft()
      expect(await gateway('unclean')).toBe(before)
    },
    240_000,
  )

  long(
    'whose client has said goodbye meanwhile: it is told goodbye',
    async () => {
      const { client, first } = await acting.settled()
      process.kill((await platform.member(first.container!)).pid!, 'SIGSTOP')
      const ending = client.close()
      await sleep(100)
      await platform.kill(first.container!)
      expect(await ending).toEqual({ closeNotify: true, alert: undefined, error: undefined })
      await noneLeft()
    },
    240_000,
  )
})

describe('a container is killed that has a connection', () => {
  long(
    'of HTTP/2: tables and all are in the next one',
    async () => {
      const client = await Http2Client.open(acting.options())
      const headers = [['user-agent', 'a field that is in the tables']] as const
      for (let round = 0; round < 3; round++) {
        const before = await client.request('/echo', { headers })
        await platform.kill(before.container!)
        const after = await client.request('/echo', { headers, body: utf8('content') })
        expect([after.status, after.container === before.container]).toEqual([200, false])
        expect(textOf(after)).toMatch(/ 7$/)
        await acting.whole()
      }
      expect(client.handshakes).toBe(1)
      expect(await client.close()).toMatchObject({ closeNotify: true, error: undefined })
    },
    240_000,
  )

  long(
    'that is a WebSocket: it goes on between two messages',
    async () => {
      const tls = { ca: platform.ca, servername: 'echo.local' }
      const socket = new WebSocket(`wss://127.0.0.1:${platform.https}/chat`, { ...tls })
      const ask = async (text: string): Promise<string> => {
        socket.send(text)
        return String((await once(socket, 'message'))[0])
      }
      await once(socket, 'open')
      const [, , container] = (await ask('x')).split(' ')
      await platform.kill(container!)
      expect(await ask('y')).toMatch(/^2 y chat-/)
      socket.close()
      await once(socket, 'close')
    },
    240_000,
  )
})

describe('a duplicate', () => {
  it('does not keep a connection open that its container has ended', async () => {
    const { client } = await acting.settled()
    const began = Date.now()
    await client.request('/echo', { headers: [['connection', 'close']] })
    expect(await client.ended).toMatchObject({ closeNotify: true })
    client.end()
    // The idle time, after which a container would notice, is a minute.
    expect(Date.now() - began).toBeLessThan(50_000)
    await noneLeft()
  })

  long(
    'is closed with its connection: no descriptor is left',
    async () => {
      await noneLeft()
      const before = await platform.descriptors()
      for (let round = 0; round < 3; round++) {
        const all = await Promise.all(Array.from({ length: 10 }, () => acting.settled()))
        await Promise.all(all.map(({ client }) => client.request('/resize')))
        await Promise.all(all.map(({ client }, i) => (i % 2 === 0 ? client.close() : client.reset())))
      }
      await platform.idle()
      await noneLeft()
      await eventually(async () => {
        const now = await platform.descriptors()
        return Object.keys(before).every(name => now[name]! <= before[name]!) ? true : undefined
      }, 'descriptors are left')
    },
    240_000,
  )
})

describe('what is not covered', () => {
  long(
    'a connection without TLS ends',
    async () => {
      const client = await Client.open({ port: platform.http })
      const { container } = await client.request('/echo')
      await platform.kill(container!)
      expect(await client.ended).toMatchObject({ closeNotify: false })
      client.socket.destroy()
    },
    240_000,
  )

  long(
    'a connection of a function without duplicates ends',
    async () => {
      const client = await Client.open(acting.options('hello.local'))
      const { container } = await client.request('/hello')
      expect(await gateway('duplicated')).toBe(0)
      await platform.kill(container!)
      expect(await client.ended).toMatchObject({ closeNotify: false, alert: undefined })
      client.socket.destroy()
    },
    240_000,
  )

  long(
    'a connection whose gateway has died lives on without cover; the next gateway covers new ones',
    async () => {
      const { client } = await acting.settled()
      await platform.kill('gateway')
      await acting.whole()
      const next = await client.request('/echo')
      expect(next.status).toBe(200)
      expect((await client.request('/resize')).status).toBe(200)
      const back = await client.request('/echo')
      const fresh = await acting.settled()
      await platform.kill(back.container!)
      expect(await client.ended).toMatchObject({ closeNotify: false, alert: undefined })
      client.socket.destroy()
      await acting.whole()
      const { container } = await fresh.client.request('/echo')
      await platform.kill(container!)
      expect((await fresh.client.request('/echo')).status).toBe(200)
      expect(fresh.client.handshakes).toBe(1)
      await fresh.client.close()
    },
    240_000,
  )

  long(
    'a connection whose gateway was changed for another one lives on, too',
    async () => {
      const { client } = await acting.settled()
      const { code, stderr } = await hotpotato(platform.directory, ['restart', 'gateway'])
      expect(code, stderr).toBe(0)
      await acting.whole()
      expect((await client.request('/echo')).status).toBe(200)
      expect(await gateway('duplicated')).toBe(0)
      const fresh = await acting.settled()
      expect(await gateway('duplicated')).toBe(1)
      expect((await client.request('/resize')).container).toMatch(/^resize/)
      await platform.kill(fresh.first.container!)
      await goesOn(fresh.client, fresh.first)
      expect(await client.close()).toMatchObject({ closeNotify: true })
    },
    240_000,
  )

  long(
    'anything where there are no foreign calls: it does not start, and says why',
    async () => {
      const config = 'duplicate: true\nfunctions: { echo: {} }\n'
      const environment = { HOTPOTATO_CARRIER: '', HOTPOTATO_CHANNEL: 'ipc' }
      await expect(Platform.start({ config, environment })).rejects.toThrow(/duplicate: true does not work/)
    },
    240_000,
  )
})
