import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { Session } from '../../src/tls13/session.ts'
import { nodeTlsServer } from '../../src/transport/kinds/node-tls.ts'
import { tcp } from '../../src/transport/kinds/tcp.ts'
import type { Server } from '../../src/transport/server.ts'
import { serve } from '../../src/transport/services.ts'
import { concat, utf8 } from '../../src/wire/index.ts'
import { type Credentials, credentials } from '../support/credentials.ts'
import { clientConfig } from '../support/pair.ts'

/** Connections for each server; `npm run test:long` tries 10,000. */
const COUNT = process.env.HOTPOTATO_LONG === undefined ? 100 : 10_000
const AT_ONCE = 20

let files: Credentials
beforeAll(async () => {
  files = await credentials()
})

const HELLO = concat(...Session.client(clientConfig({ serverName: 'localhost' })).takeOutput())
const REQUEST = utf8('GET / HTTP/1.1\r\nHost: a\r\n\r\n')

const SERVERS = {
  'our TLS': () => ({ cert: pem('localhost.crt'), key: pem('localhost.key') }),
  'node:tls': () => nodeTlsServer({ cert: pem('localhost.crt'), key: pem('localhost.key') }),
  'no TLS': () => undefined,
}

function pem(name: string): string {
  return readFileSync(files.file(name), 'utf8')
}

/** Begins a connection, and leaves: in one of many ways, after some of the bytes. */
function leave(port: number, turn: number): Promise<void> {
  return new Promise(resolve => {
    const bytes = turn % 2 === 0 ? HELLO : REQUEST
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    socket.on('error', () => {}).on('close', () => resolve())
    socket.once('connect', () => {
      const part = bytes.subarray(0, (turn * 7) % (bytes.length + 1))
      socket.write(part, () => {
        if (turn % 5 === 0) socket.resetAndDestroy()
        else if (turn % 5 === 1) socket.destroy()
        // Half-closed: the server has to close the rest.
        else socket.end()
      })
      socket.resume()
    })
    socket.once('end', () => socket.end())
  })
}

const descriptors = (): number => readdirSync('/proc/self/fd').length

describe.each(Object.keys(SERVERS) as (keyof typeof SERVERS)[])('a server with %s', name => {
  it(`has no descriptor left of ${COUNT} clients that leave in the middle of a handshake`, async () => {
    const tls = SERVERS[name]()
    const failed = new Map<string, number>()
    const server: Server = await serve({
      transport: tcp.listen({ port: 0 }),
      handshakeMs: 200,
      linger: 100,
      request: (_, response) => response.reply({ status: 200 }),
      failed: ({ stage }) => void failed.set(stage, (failed.get(stage) ?? 0) + 1),
      ...(tls === undefined ? {} : { tls }),
    })
    const before = descriptors()
    for (let turn = 0; turn < COUNT; turn += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => leave(server.address.port!, turn + i)))
    for (let tries = 0; server.connections > 0 && tries < 20_000; tries++) await sleep(10)
    expect(server.connections).toBe(0)
    // Not one more for each; some that Node keeps for itself come and go.
    expect(descriptors()).toBeLessThan(before + 10)
    expect([...failed.keys()]).toEqual(tls === undefined ? [] : ['handshake'])
    await server.stop()
  })
})
