import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import { Opcode, writeFrame } from '../../src/http/websocket/index.ts'
import { utf8 } from '../../src/wire/index.ts'
import { textOf } from '../support/client.ts'
import { type ClientTunnel, framesOf, Http2Client } from '../support/http2-client.ts'
import { eventually, Platform } from '../support/platform.ts'

/*
 * What becomes of an open WebSocket when its container has to go, or is killed: over both carriers, on a
 * connection of its own and on a stream of HTTP/2, of functions that freeze and of those that do not.
 */

/** Counts its messages. With `freeze` it says what it has counted; `slow` takes for ever. */
const chat = (freeze: boolean) => `
export default { fetch: ({ url }) => (url.endsWith('?wait') ? new Promise(() => {}) : new Response('here')) }
export function webSocket(socket, { connection }, state = { count: 0 }) {
  const message = data => {
    if (data === 'slow') return new Promise(() => {})
    socket.send(++state.count + ' ' + data + ' ' + connection.container)
  }
  return { message${freeze ? ', freeze: () => state' : ''} }
}
`
/** Under names for which there are certificates. */
const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
liveness: { startSeconds: 300, periodSeconds: 0.3, failureSeconds: 60 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: { handler: ./freezes.mjs, replicas: 2, carrier: relay }
  resize: { handler: ./freezes.mjs, replicas: 2, carrier: fd }
  hello: { handler: ./plain.mjs, replicas: 2, carrier: relay }
`

let platform: Platform

beforeAll(async () => {
  platform = await Platform.start({
    config: CONFIG,
    files: { 'freezes.mjs': chat(true), 'plain.mjs': chat(false) },
    environment: { HOTPOTATO_CARRIER: '' },
  })
})
afterAll(() => platform?.stop())
/** All replicas are there, and know each other's keys. */
beforeEach(async () => {
  for (const name of ['echo', 'resize', 'hello'])
    for (const replica of [1, 2])
      await platform.until(`${name}-${replica}`, ({ ready, counters }) => ready && counters.keyRing! >= 2)
})

interface Talk {
  readonly socket: WebSocket
  /** The close code, once it is over. */
  readonly closed: Promise<number>
  ask(data: string): Promise<{ count: number; container: string }>
}

async function open(name: string): Promise<Talk> {
  const socket = new WebSocket(`wss://127.0.0.1:${platform.https}/${name}`, {
    ca: platform.ca,
    servername: `${name}.local`,
    headers: { host: `${name}.local` },
  } as ClientOptions)
  socket.on('error', () => {})
  await once(socket, 'open')
  const closed = once(socket, 'close').then(([code]) => code as number)
  const ask = async (data: string) => {
    const answer = once(socket, 'message')
    socket.send(data)
    return said(String((await answer)[0]))
  }
  return { socket, closed, ask }
}

function said(text: string): { count: number; container: string } {
  const [count, , container] = text.split(' ')
  return { count: Number(count), container: container! }
}

/** A WebSocket on a stream of a connection. */
function tunnel(client: Http2Client, name: string) {
  const back: ClientTunnel = client.tunnel(`/${name}`, `${name}.local`)
  const next = framesOf(back)
  const write = (data: string) => back.write(writeFrame(Opcode.TEXT, utf8(data), { mask: new Uint8Array(4) }))
  const ask = async (data: string) => {
    write(data)
    return said(new TextDecoder().decode((await next()).payload))
  }
  return { back, next, write, ask }
}

const other = (container: string): string => container.replace(/\d$/, digit => (digit === '1' ? '2' : '1'))
const openHttp2 = (name: string) =>
  Http2Client.open({ port: platform.https, tls: { ca: platform.ca, serverName: `${name}.local` } })

describe.each([
  { carrier: 'relay', name: 'echo' },
  { carrier: 'fd', name: 'resize' },
])('a WebSocket whose function freezes ($carrier)', ({ carrier, name }) => {
  it('is moved to and fro between messages', async () => {
    const { socket, closed, ask } = await open(name)
    for (let i = 1; i <= 6; i++) {
      const { count, container } = await ask('x')
      expect(count).toBe(i)
      const { connections } = await platform.order<{ connections: { id: string; container: string }[] }>(
        'status connections',
      )
      const mine = connections.find(one => one.container === container)!
      await platform.order(`move ${mine.id} ${other(container)}`)
      // What came behind the move is answered there.
      const next = await ask('y')
      expect(next).toEqual({ count: ++i, container: other(container) })
    }
    socket.close(4001)
    expect(await closed).toBe(4001)
  })

  it('goes to another replica when its container drains', async () => {
    const { socket, closed, ask } = await open(name)
    const { container } = await ask('x')
    await platform.order(`drain ${container}`)
    expect(await ask('y')).toEqual({ count: 2, container: other(container) })
    await platform.order(`scale ${name} 2`)
    socket.close()
    await closed
  })

  it(`${carrier === 'relay' ? 'goes on' : 'ends'} when its container is killed`, async () => {
    const { socket, closed, ask } = await open(name)
    const { container } = await ask('x')
    await platform.kill(container)
    if (carrier === 'relay') {
      expect(await ask('y')).toEqual({ count: 2, container: other(container) })
      socket.close()
    }
    expect(await closed).toBe(carrier === 'relay' ? 1005 : 1006)
  })
})

describe('a WebSocket that cannot go on', () => {
  it('is closed with 1001 when its container drains', async () => {
    const { closed, ask } = await open('hello')
    const { container } = await ask('x')
    await platform.order(`drain ${container}`)
    expect(await closed).toBe(1001)
    await platform.order('scale hello 2')
  })

  it('ends with an alert when its container is killed, because its function does not freeze', async () => {
    const { socket, closed, ask } = await open('hello')
    // The package keeps to itself why its socket broke.
    const failed = once((socket as unknown as { readonly _socket: TLSSocket })._socket, 'error')
    const { container } = await ask('x')
    await platform.kill(container)
    expect(await closed).toBe(1006)
    expect((await failed)[0]).toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR' })
  })

  it('has its last message given to another replica, if nothing was said about it', async () => {
    const { socket, closed, ask } = await open('echo')
    const { container } = await ask('x')
    socket.send('slow')
    socket.send('y')
    await eventually(async () => {
      const { connections } = await platform.order<{ connections: { container: string; state: string }[] }>(
        'status connections',
      )
      return connections.some(one => one.container === container && one.state === 'busy') ? true : undefined
    }, 'the function has not begun')
    await platform.kill(container)
    await eventually(async () => {
      const { connections } = await platform.order<{ connections: { container: string; state: string }[] }>(
        'status connections',
      )
      return connections.some(one => one.container === other(container) && one.state === 'busy')
        ? true
        : undefined
    }, 'the message was not given again')
    expect(socket.readyState).toBe(WebSocket.OPEN)
    socket.terminate()
    await closed
  })
})

describe('a WebSocket on a stream of HTTP/2', () => {
  it('may be the first that a client asks for, also without TLS, where the gateway reads that', async () => {
    const client = await Http2Client.open({ port: platform.http })
    const { back, ask } = tunnel(client, 'resize')
    expect(await back.status).toBe(200)
    expect(await ask('x')).toMatchObject({ count: 1, container: expect.stringMatching(/^resize-\d$/) })
    await client.close()
  })

  it('goes to another replica when its container drains, with its connection', async () => {
    const client = await openHttp2('echo')
    const { back, ask } = tunnel(client, 'echo')
    expect(await back.status).toBe(200)
    const { container } = await ask('x')
    await platform.order(`drain ${container}`)
    expect(await ask('y')).toEqual({ count: 2, container: other(container) })
    const after = await client.request('/echo')
    expect([textOf(after), after.container, after.hops]).toEqual(['here', other(container), 1])
    await client.close()
    await platform.order('scale echo 2')
  })

  it('is closed with 1001 when its container drains, if its function does not freeze', async () => {
    const client = await openHttp2('hello')
    const { back, next, ask } = tunnel(client, 'hello')
    expect(await back.status).toBe(200)
    const { container } = await ask('x')
    const drained = platform.order(`drain ${container}`)
    const { opcode, payload } = await next()
    expect([opcode, (payload[0]! << 8) | payload[1]!]).toEqual([Opcode.CLOSE, 1001])
    back.write(writeFrame(Opcode.CLOSE, payload, { mask: new Uint8Array(4) }))
    await drained
    const after = await client.request('/hello')
    expect([textOf(after), after.container, after.hops]).toEqual(['here', other(container), 1])
    await client.close()
    await platform.order('scale hello 2')
  })

  it('ends with its connection when its container is killed, by an alert', async () => {
    const client = await openHttp2('echo')
    const { back, ask } = tunnel(client, 'echo')
    const { container } = await ask('x')
    expect(textOf(await client.request('/echo'))).toBe('here')
    const broken = client.request('/echo?wait')
    await platform.kill(container)
    await expect(broken).rejects.toThrow('alert internal_error')
    expect(await back.status).toBe(200)
    await client.ended
  })
})
