import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/wire/index.ts'
import { Client, field, textOf } from '../support/client.ts'
import { Platform } from '../support/platform.ts'

const module = (name: string) => fileURLToPath(new URL(`./applications/${name}.mjs`, import.meta.url))

/** Under names for which there are certificates. */
const CONFIG = `
version: 1
gateway:
  defaultFunction: echo
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: { handler: ${module('express')} }
  resize: { handler: ${module('fastify')} }
  hello: { handler: ${module('hono')} }
`

describe('applications that people have, as functions', () => {
  let platform: Platform
  let client: Client

  beforeAll(async () => {
    platform = await Platform.start({ config: CONFIG })
    client = await Client.open({ port: platform.https, tls: { ca: platform.ca, serverName: 'hello.local' } })
  })
  afterAll(async () => {
    client?.socket.destroy()
    await platform?.stop()
  })

  it('answer on one connection, which goes from one to the other', async () => {
    const express = await client.request('/echo')
    expect(JSON.parse(textOf(express))).toEqual({ url: '/', originalUrl: '/echo' })
    const body = utf8('[1,2,3]')
    const sum = await client.request('/echo/sum', { headers: [['content-type', 'application/json']], body })
    expect(textOf(sum)).toBe('6')
    const fastify = await client.request('/resize/hello/you')
    expect(JSON.parse(textOf(fastify))).toEqual({ hello: 'you', secure: true })
    expect(textOf(await client.request('/hello/hello/you'))).toBe('hello you, by path')
    const events = await client.request('/hello/events')
    expect(field(events, 'content-type')).toContain('text/event-stream')
    expect(textOf(events).match(/data: \d/g)).toHaveLength(3)
    expect((await client.request('/echo/large')).body.length).toBe(3_000_000)
    expect(field(await client.request('/echo/'), 'x-hotpotato-hops')).toBe('4')
  })
})
