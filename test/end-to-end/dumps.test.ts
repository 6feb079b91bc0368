import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import type { ConnectionStatus, Moved } from '../../src/supervisor/sessions.ts'
import { SessionState } from '../../src/tls13/index.ts'
import { decodeEnvelope } from '../../src/transfer/envelope.ts'
import { decode, fromHex, hex } from '../../src/wire/index.ts'
import { Client } from '../support/client.ts'
import { Http2Client } from '../support/http2-client.ts'
import { Platform } from '../support/platform.ts'

/*
 * `move --dump` of connections of all kinds, and with a process that dies in the middle of it.
 */

const CHAT = `
export default { fetch: () => new Response('a WebSocket is served here') }
export function webSocket(socket, context, state = { count: 0 }) {
  return {
    message: () => socket.send(++state.count + ' ' + context.connection.container),
    freeze: () => state,
  }
}
`
const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
trust: [{ functions: [hello], warm: true }]
functions:
  echo: { hosts: [echo.local], handler: ./chat.mjs, replicas: 2, duplicate: true }
  hello: { hosts: [hello.local], replicas: 2 }
  resize: { hosts: [resize.local], replicas: 2, carrier: relay }
`

let platform: Platform
beforeAll(async () => {
  platform = await Platform.start({ config: CONFIG, files: { 'chat.mjs': CHAT }, args: ['--teach'] })
})
afterAll(() => platform?.stop())

const options = (serverName: string) => ({ port: platform.https, tls: { ca: platform.ca, serverName } })
const listed = async (): Promise<ConnectionStatus[]> =>
  (await platform.order<{ connections: ConnectionStatus[] }>('status connections')).connections
const others: Readonly<Record<string, string>> = Object.fromEntries(
  ['echo', 'hello', 'resize'].flatMap(name => [
    [`${name}-1`, `${name}-2`],
    [`${name}-2`, `${name}-1`],
  ]),
)

/** Opens a connection, and finds which it is. */
async function found<T>(open: () => Promise<T>): Promise<readonly [T, ConnectionStatus]> {
  const before = new Set((await listed()).map(({ id }) => id))
  const opened = await open()
  return [opened, (await listed()).find(({ id }) => !before.has(id))!]
}

/** A move to and fro, each dumped: the states are those of the session that goes on. */
async function movedTwice({ id, container }: ConnectionStatus, ask: () => Promise<string>): Promise<void> {
  for (const [from, to] of [
    [container, others[container]!],
    [others[container]!, container],
  ] as const) {
    const moved = await platform.order<Moved>(`move ${id} ${to} dump`)
    expect(moved).toMatchObject({ connection: id, from, to })
    const { before, envelope, after } = moved.dump!
    expect(hex(decodeEnvelope(fromHex(envelope)).sessionId)).toBe(id)
    const [one, next] = [before!, after!].map(state => decode(SessionState, fromHex(state)))
    for (const side of ['read', 'write'] as const) {
      expect(next![side]!.trafficSecret).toEqual(one![side]!.trafficSecret)
      expect(next![side]!.sequenceNumber).toBe(one![side]!.sequenceNumber)
    }
    expect(await ask()).toBe(to)
  }
}

describe('move --dump', () => {
  it('of HTTP/2', async () => {
    const open = async () => {
      const client = await Http2Client.open(options('echo.local'))
      await client.request('/')
      return client
    }
    const [client, one] = await found(open)
    expect(one.protocol).toBe('h2')
    await movedTwice(one, async () => (await client.request('/')).container!)
    await client.close()
  })

  it.each([
    ['over a relay', 'resize.local'],
    ['with warm trust, from and to a seat that is kept', 'hello.local'],
  ])('%s', async (_, name) => {
    const open = async () => {
      const client = await Client.open(options(name))
      await client.request('/')
      return client
    }
    const [client, one] = await found(open)
    await movedTwice(one, async () => (await client.request('/')).container!)
    client.end()
  })

  it('of a WebSocket', async () => {
    const address = `wss://127.0.0.1:${platform.https}/`
    const open = async () => {
      const socket = new WebSocket(address, [], {
        ca: platform.ca,
        servername: 'echo.local',
      } as ClientOptions)
      await once(socket, 'open')
      return socket
    }
    const [socket, one] = await found(open)
    let count = 0
    const ask = async () => {
      const answer = once(socket, 'message')
      socket.send('who?')
      const [number, container] = String((await answer)[0]).split(' ')
      expect(Number(number)).toBe(++count)
      return container!
    }
    await ask()
    await movedTwice(one, ask)
    socket.close()
  })

  /** A move, dumped, whose `victim` stands when the order comes, and dies with it. */
  async function died(victim: (container: string) => string) {
    const open = async () => {
      const client = await Client.open(options('echo.local'))
      await client.request('/')
      return client
    }
    const [client, { id, container }] = await found(open)
    const name = victim(container)
    process.kill((await platform.member(name)).pid!, 'SIGSTOP')
    const ordered = platform.order<{ error?: string }>(`move ${id} ${others[container]!} dump`)
    // The order has come to the source; one that stands does not say so.
    if (name === container) await new Promise(resolve => setTimeout(resolve, 300))
    else await platform.until(container, ({ counters }) => counters.inCustody === 1)
    await platform.kill(name)
    const { error } = await ordered
    return { client, container, name, error: error! }
  }

  it('whose source dies in the middle: one line, and the client goes on in its successor', async () => {
    const { client, container, name, error } = await died(container => container)
    expect(error).toMatch(/^.+$/)
    expect(await client.request('/')).toMatchObject({ status: 200, container: others[container] })
    client.end()
    await platform.until(name, ({ ready }) => ready)
  })

  // The source cannot tell whether that one has it: docs/crashes.md has the row.
  it('whose target dies in the middle: the connection ends, and the order says why in one line', async () => {
    const { client, name, error } = await died(container => others[container]!)
    expect(error).toMatch(/^the connection ended before it could move: .*cannot tell whether it has it$/)
    // Its client has read the end, or asks before it has.
    await expect(client.request('/')).rejects.toThrow(
      /^the (server closed|connection ended before the response)/,
    )
    await platform.until(name, ({ ready }) => ready)
  })
})
