import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/wire/index.ts'
import { Client, field, textOf } from '../support/client.ts'
import { Http2Client } from '../support/http2-client.ts'
import { eventually, Platform } from '../support/platform.ts'

const CONFIG = `
version: 1
gateway:
  defaultFunction: echo-raw
connection:
  timers: { headers: 1s, requestBody: 3s, keepAlive: 2s, handler: 1s }
functions:
  echo-raw: { replicas: 3, hosts: [echo.local], certificate: echo }
  slow: { handler: ./slow.mjs, certificate: hello, hosts: [hello.local] }
`
/** Tells what it knows; never answers to /never, and notes that it was told to stop. */
const SLOW = `
let aborted = 0
export default {
  fetch(request, env, context) {
    if (context.functionPath !== '/never') return Response.json({ aborted, ...context.connection })
    context.signal.addEventListener('abort', () => { aborted++ })
    return new Promise(() => {})
  }
}
`

describe.each(['fd', 'relay'] as const)('what is waited for, by %s', carrier => {
  let platform: Platform
  let tls: { ca: string; serverName: string }

  beforeAll(async () => {
    platform = await Platform.start({
      config: CONFIG,
      files: { 'slow.mjs': SLOW },
      environment: { HOTPOTATO_CARRIER: carrier },
    })
    tls = { ca: platform.ca, serverName: 'echo.local' }
  })
  afterAll(() => platform?.stop())

  const only = async () => {
    const { connections } = await platform.order<{ connections: { id: string; container: string }[] }>(
      'status connections',
    )
    expect(connections).toHaveLength(1)
    return connections[0]!
  }
  const problem = (answer: { status: number; body: Uint8Array }) => {
    const { setting } = JSON.parse(new TextDecoder().decode(answer.body))
    return { status: answer.status, setting }
  }

  it('an upload to a raw function moves in the middle, and the new container answers', async () => {
    const client = await Client.open({ port: platform.https, tls })
    const body = new Uint8Array(300_000).map((_, i) => i * 7)
    const framed = client.requestBytes('/', { body, chunks: [100_000, 3, 50_000] })
    const answer = client.answer()
    let at = 0
    const send = (bytes: number): void => {
      client.write(framed.subarray(at, at + bytes))
      at += bytes
    }
    send(120_001)
    const { id, container } = await eventually(async () => {
      const one = await only()
      return one.container === '' ? undefined : one
    }, 'no container has it')
    const other = container === 'echo-raw-1' ? 'echo-raw-2' : 'echo-raw-1'
    await platform.order(`move ${id} ${other}`)
    await eventually(async () => ((await only()).container === other ? true : undefined), 'it has not moved')
    send(100_000)
    // And back, by a drain.
    await platform.order(`drain ${other}`)
    send(framed.length)
    const { status, body: back, hops, container: last } = await answer
    expect({ status, hops }).toEqual({ status: 200, hops: 2 })
    expect(last).not.toBe(other)
    expect(Buffer.compare(back, body)).toBe(0)
    expect(client.handshakes).toBe(1)
    await client.close()
    await platform.idle()
  })

  it('so do uploads over HTTP/2', async () => {
    const client = await Http2Client.open({ port: platform.https, tls })
    const body = new Uint8Array(200_000).map((_, i) => i * 5)
    const half = client.upload('/', body.subarray(0, 90_000))
    const { id, container } = await only()
    const other = (await platform.status()).find(
      ({ name, ready }) => name.startsWith('echo-raw') && name !== container && ready,
    )!.name
    await platform.order(`move ${id} ${other}`)
    half.end(body.subarray(90_000))
    const answer = await half.answer
    expect(answer).toMatchObject({ status: 200, hops: 1, container: other })
    expect(Buffer.compare(answer.body, body)).toBe(0)
    await client.close()
  })

  it('a function is told the address of its client, also after moves', async () => {
    const client = await Client.open({ port: platform.https, tls })
    const told = async (target: string): Promise<string> =>
      JSON.parse(textOf(await client.request(target))).remoteAddress
    expect(await told('/slow/')).toBe('127.0.0.1')
    await client.request('/')
    expect(await told('/slow/')).toBe('127.0.0.1')
    await client.close()
  })

  it('a head that does not come whole: 408, and the timer goes on after a move', async () => {
    const client = await Client.open({ port: platform.https, tls })
    await client.request('/')
    const head = client.requestBytes('/')
    const late = client.answer()
    client.write(head.subarray(0, head.length - 3))
    // However often it moves, its second is over when it is over.
    let moves = 0
    let over = false
    void late.finally(() => {
      over = true
    })
    while (!over) {
      const members = await platform.status()
      const { connections } = await platform.order<{ connections: { id: string; container: string }[] }>(
        'status connections',
      )
      const one = connections[0]
      if (one === undefined) break
      const other = members.find(
        ({ name, ready }) => name.startsWith('echo-raw') && name !== one.container && ready,
      )
      if (other !== undefined) await platform.order(`move ${one.id} ${other.name}`)
      moves++
      await setTimeout(20)
    }
    expect(problem(await late)).toEqual({ status: 408, setting: 'connection.timers.headers' })
    expect(moves).toBeGreaterThan(1)
    expect((await client.ended).closeNotify).toBe(true)
    client.socket.destroy()
  })

  if (carrier === 'relay') return

  describe.concurrent('one beside the other', () => {
    it('content that does not come: 408', async () => {
      const client = await Client.open({ port: platform.http })
      client.requestBytes('/', { body: utf8('12345') })
      const answer = client.answer()
      client.write(utf8('POST / HTTP/1.1\r\nHost: echo.local\r\nContent-Length: 5\r\n\r\n123'))
      const { headers, ...rest } = await answer
      expect(problem(rest)).toEqual({ status: 408, setting: 'connection.timers.requestBody' })
      expect(field({ headers }, 'connection')).toBe('close')
      await client.ended
      client.socket.destroy()
    })

    it('a function that does not answer: 504, and it is told', async () => {
      const client = await Client.open({ port: platform.https, tls })
      expect(problem(await client.request('/slow/never'))).toEqual({
        status: 504,
        setting: 'connection.timers.handler',
      })
      expect((await client.ended).closeNotify).toBe(true)
      client.socket.destroy()

      const two = await Http2Client.open({ port: platform.https, tls })
      expect(JSON.parse(textOf(await two.request('/slow/'))).aborted).toBe(1)
      const never = two.request('/slow/never')
      expect((await two.request('/slow/')).status).toBe(200)
      expect(problem(await never)).toEqual({ status: 504, setting: 'connection.timers.handler' })
      expect(JSON.parse(textOf(await two.request('/slow/'))).aborted).toBe(2)
      await two.close()
    })

    it('a client that asks nothing: the connection is closed in order', async () => {
      const client = await Client.open({ port: platform.https, tls })
      expect((await client.request('/')).status).toBe(200)
      expect((await client.ended).closeNotify).toBe(true)
      client.socket.destroy()
    })
  })
})
