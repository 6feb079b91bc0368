import { rmSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '../support/client.ts'
import { hotpotato, makeDirectory, Platform } from '../support/platform.ts'

let platform: Platform
let directory: string
const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, requestBody: 300 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  echo: { replicas: 2 }
  hello: {}
`
beforeAll(async () => {
  directory = await makeDirectory(CONFIG)
  platform = await Platform.start({ directory, config: CONFIG, environment: { HOTPOTATO_CARRIER: 'relay' } })
})
afterAll(async () => {
  await platform?.stop()
  rmSync(directory, { recursive: true, force: true })
})

const open = () => Client.open({ port: platform.https, tls: { ca: platform.ca, serverName: 'echo.local' } })
const restart = () => hotpotato(directory, ['restart', 'gateway'])
const random = (length: number) => Uint8Array.from({ length }, (_, index) => (index * 7919) >> 5)

describe('connections that the gateway relays', () => {
  it('go to the next gateway, idle, talking and in the middle of a body, and no client notices', async () => {
    const idle = await Promise.all(Array.from({ length: 5 }, open))
    const plain = await Client.open({ port: platform.http })
    for (const client of [...idle, plain]) expect((await client.request('/echo')).status).toBe(200)
    // A part of a body has come, and the function has begun.
    const halfway = await open()
    const body = random(300_000)
    const bytes = halfway.requestBytes('/echo', { method: 'POST', body })
    halfway.write(bytes.slice(0, 100_001))
    // And one after the other, with bodies that fill the buffers.
    const busy = await Promise.all(Array.from({ length: 3 }, open))
    let over = false
    const talks = busy.map(async (client, index) => {
      const mine = random(200_000 + index)
      let answered = 0
      for (; !over; answered++) {
        const { status, body: got } = await client.request('/echo', { method: 'POST', body: mine })
        if (status !== 200 || Buffer.compare(got, mine) !== 0)
          throw new Error(`status ${status}, ${got.length}`)
        // What is being changed needs the machine, too.
        await setTimeout(10)
      }
      return answered
    })
    await setTimeout(100)
    const { pid } = await platform.member('gateway')
    for (let i = 0; i < 2; i++) {
      const said = await restart()
      expect(said.stdout + said.stderr).toBe('started gateway\nmoved 0 connections, ended gateway\n')
    }
    over = true
    expect((await platform.member('gateway')).pid).not.toBe(pid)
    for (const talk of talks) expect(await talk).toBeGreaterThan(0)
    halfway.write(bytes.slice(100_001))
    expect(Buffer.compare((await halfway.answer()).body, body)).toBe(0)
    for (const client of [...idle, plain]) expect((await client.request('/echo')).status).toBe(200)
    // The new gateway is one as the old: it counts, and connections move behind it.
    expect((await platform.member('gateway')).counters).toMatchObject({ relayed: 10, unclean: 0 })
    expect(await idle[0]!.request('/hello')).toMatchObject({ status: 200, container: 'hello-1', hops: 1 })

    // And outlive their container, with what the old gateway had kept for that.
    const { container } = await idle[1]!.request('/echo')
    await platform.kill(container!)
    for (const client of idle) expect((await client.request('/echo')).status).toBe(200)
    for (const client of [...idle, ...busy, halfway]) expect(client.handshakes).toBe(1)
    await Promise.all([...idle, ...busy, halfway, plain].map(client => client.close()))
    expect(await platform.total('takenOver')).toBeGreaterThan(0)
  })
})
