import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PlatformStatus } from '../../src/cli/platform/status.ts'
import { Client } from '../../src/client/index.ts'
import type { WebSocketConnection } from '../../src/client/upgrade/web-socket.ts'
import { LONG } from '../support/long.ts'
import { eventually, hotpotato, makeDirectory, Platform } from '../support/platform.ts'

/* WebSockets on streams of HTTP/2, beside a response on another stream, with our own client. */

const CHAT = `
import { setTimeout } from 'node:timers/promises'
export function webSocket(socket, { connection }, state = { count: 0 }) {
  const mine = { ...state }
  return {
    message: data => void socket.send(++mine.count + ' ' + data + ' ' + connection.container),
    freeze: () => mine,
  }
}
const ticks = (last, ctx) =>
  ctx.events(last, async (id, signal) => {
    await setTimeout(5, undefined, { signal }).catch(() => {})
    const next = Number(id) + 1
    return { id: String(next), data: 'tick ' + next }
  })
const headers = { 'content-type': 'text/event-stream' }
export const resume = ticks
export default {
  fetch: (request, env, ctx) => new Response(ticks('0', ctx), { headers }),
}
`
let platform: Platform
let directory: string
let client: Client

beforeAll(async () => {
  const config = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: { handler: ./chat.mjs, idle: 1h }
`
  directory = await makeDirectory(config)
  platform = await Platform.start({ directory, config, files: { 'chat.mjs': CHAT } })
  client = new Client({ tls: { ca: platform.ca } })
})
afterAll(async () => {
  await client?.close()
  await platform?.stop()
})

/** A WebSocket that asks, and hears what is said back. */
async function open() {
  const url = `wss://echo.localhost:${platform.https}/chat`
  const socket: WebSocketConnection = await client.webSocket(url, { version: 'h2' })
  expect(socket.version).toBe('h2')
  const messages = socket[Symbol.asyncIterator]()
  const ask = async (data: string) => {
    socket.send(data)
    const [count, text, container] = String((await messages.next()).value).split(' ')
    return { count: Number(count), text, container }
  }
  return { socket, ask }
}

async function connections() {
  return (await platform.order<PlatformStatus>('status connections')).connections!
}

describe('WebSockets on streams of one connection', () => {
  it('outlive deploys and moves, and so does a response beside them', async () => {
    const sockets = [await open(), await open(), await open()]
    const response = await client.fetch(`https://echo.localhost:${platform.https}/events`)
    const reader = response.body!.getReader()
    let heard = ''
    const hear = async (): Promise<void> => {
      heard += new TextDecoder().decode((await reader.read()).value)
    }
    expect(await connections()).toHaveLength(1)
    let asked = 0
    const askAll = async (): Promise<void> => {
      asked++
      const answers = await Promise.all(sockets.map(({ ask }, n) => ask(`x${n}`)))
      answers.forEach((answer, n) => {
        expect(answer).toMatchObject({ count: asked, text: `x${n}` })
      })
      await hear()
    }
    for (let at = 0; at < (LONG ? 3 : 1); at++) {
      await askAll()
      const { code, stdout, stderr } = await hotpotato(directory, ['deploy', 'echo'])
      expect([code, stderr]).toEqual([0, ''])
      expect(stdout).toContain('moved 1 connection,')
      await askAll()
    }
    expect((await hotpotato(directory, ['scale', 'echo', '2'])).code).toBe(0)
    for (let at = 0; at < (LONG ? 4 : 2); at++) {
      const [mine] = await connections()
      const other = mine!.container === 'echo-1' ? 'echo-2' : 'echo-1'
      const { code, stderr } = await hotpotato(directory, ['move', mine!.id, other])
      expect([code, stderr]).toEqual([0, ''])
      await askAll()
    }
    await reader.cancel()
    const ids = [...heard.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
    expect(ids).toEqual(ids.map((_, n) => n + 1))
    for (const { socket } of sockets) socket.close(1000)
    for (const { socket } of sockets) expect((await socket.closed).code).toBe(1000)
  })

  it('hibernate together, and the next message wakes their function', async () => {
    const sockets = [await open(), await open()]
    for (const { ask } of sockets) expect(await ask('a')).toMatchObject({ count: 1 })
    expect((await hotpotato(directory, ['scale', 'echo', '0'])).code).toBe(0)
    await eventually(async () => {
      const { functions } = await platform.order<PlatformStatus>('status')
      return functions.find(({ name }) => name === 'echo')?.asleep || undefined
    }, 'it does not fall asleep')
    for (const { ask } of sockets) expect(await ask('b')).toMatchObject({ count: 2 })
    for (const { socket } of sockets) socket.close(4000)
    for (const { socket } of sockets) expect((await socket.closed).code).toBe(4000)
  })
})
