import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttp, type ServerResponse } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { Gate } from '../../support/gate.ts'
import { Passenger, PassingHost } from '../../support/passing-scene.ts'
import { Certificates } from '../../support/tls-programs.ts'

/** A function passes on what an upstream says, and moves with both of its connections, behind any byte. */

const files = await Certificates.make()
const pem = (name: string): string => readFileSync(files.file(name), 'utf8')
const identity = { cert: pem('localhost.crt'), key: pem('localhost.key') }
const ca = pem('ca.crt')
const closing: (() => unknown)[] = [() => files.remove()]
afterAll(() => {
  for (const close of closing) close()
})

const CONTENT = Array.from({ length: 12 }, (_, n) => `data: token ${n}\n\n`).join('')
const turn = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 1))
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn()
}

async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', socket => sockets.add(socket.on('error', () => {})))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Content in pieces, however it is framed. */
async function answer(framing: string, response: ServerResponse): Promise<void> {
  if (framing === 'with a length') response.setHeader('content-length', CONTENT.length)
  if (framing === 'until the end') {
    response.setHeader('connection', 'close')
    response.removeHeader('transfer-encoding')
    response.useChunkedEncodingByDefault = false
  }
  for (let at = 0; at < CONTENT.length; at += 20) {
    response.write(CONTENT.slice(at, at + 20))
    await turn()
  }
  response.end()
}

function serverOf(
  kind: 'http' | 'https' | 'h2',
  handler: (request: unknown, response: unknown) => void,
): Server {
  if (kind === 'http') return createHttp(handler)
  return kind === 'h2' ? createSecureServer(identity, handler) : createHttps(identity, handler)
}

const schemeOf = (kind: string): string => (kind === 'http' ? 'http' : 'https')

const KINDS = [
  ['http', 'in chunks'],
  ['http', 'with a length'],
  ['http', 'until the end'],
  ['https', 'in chunks'],
  ['https', 'with a length'],
  ['https', 'until the end'],
  ['h2', 'in DATA'],
] as const

describe.each(KINDS)('an upstream over %s that answers %s', (kind, framing) => {
  it('and its client see one response, wherever that is', async () => {
    const handler = (_: unknown, response: unknown): void => void answer(framing, response as ServerResponse)
    const server = serverOf(kind, handler)
    let connections = 0
    server.on('connection', () => connections++)
    const origin = `${schemeOf(kind)}://localhost:${await listening(server)}`
    const gate = await Gate.before(origin, listening)
    const hosts = await Promise.all(
      ['echo-1', 'echo-2'].map(name => PassingHost.of(name, `${gate.url}/`, ca)),
    )
    gate.close()
    const client = new Passenger(hosts[0]!)
    const step = kind === 'http' ? 7 : 61
    let moves = 0
    for (let quiet = 0; quiet < 200 && !client.answer.ended; ) {
      quiet = gate.held === 0 ? quiet + 1 : 0
      gate.pass(step)
      await turn()
      // From its head on it can move.
      if (client.heard().length === 0) continue
      await client.move(hosts[++moves % 2]!)
    }
    gate.open()
    await until(() => client.answer.ended)
    expect(moves).toBeGreaterThan(6)
    expect(client.answer.body).toBe(CONTENT)
    expect(connections).toBe(1)
    expect(hosts.flatMap(({ logged }) => logged)).toEqual([])
  })
})

describe.each(['http', 'https', 'h2'] as const)('an upstream over %s', kind => {
  it.each([0, 1, 2, 5])('hears that its client has gone, after %i moves', async moves => {
    let cut = 0
    const handler = (_: unknown, given: unknown): void => {
      const response = given as ServerResponse
      response.on('close', () => cut++)
      void (async () => {
        while (cut === 0) {
          response.write(CONTENT)
          await turn()
        }
      })()
    }
    const origin = `${schemeOf(kind)}://localhost:${await listening(serverOf(kind, handler))}/`
    const hosts = await Promise.all(['echo-1', 'echo-2'].map(name => PassingHost.of(name, origin, ca)))
    const client = new Passenger(hosts[0]!)
    for (let at = 0; at < moves; at++) {
      const before = client.heard().length
      await until(() => client.heard().length > before)
      await client.move(hosts[(at + 1) % 2]!)
    }
    const before = client.heard().length
    await until(() => client.heard().length > before)
    client.connection.destroy(new Error('the client is gone'))
    await until(() => cut === 1)
  })
})

describe.each(['http', 'https', 'h2'] as const)('more than all windows from an upstream over %s', kind => {
  it('comes through as quickly as its client takes it', async () => {
    const piece = 'x'.repeat(3000)
    const handler = (_: unknown, given: unknown): void => {
      void (async () => {
        const response = given as ServerResponse
        for (let n = 0; n < 700; n++) {
          if (!response.write(piece)) await once(response, 'drain')
          if (n % 20 === 0) await turn()
        }
        response.end()
      })()
    }
    const origin = `${schemeOf(kind)}://localhost:${await listening(serverOf(kind, handler))}/`
    const hosts = await Promise.all(['echo-1', 'echo-2'].map(name => PassingHost.of(name, origin, ca)))
    const client = new Passenger(hosts[0]!)
    await until(() => client.heard().length > 0)
    for (let at = 0; at < 20 && !client.ended; at++) {
      await client.move(hosts[(at + 1) % 2]!)
      const before = client.heard().length
      await until(() => client.heard().length > before + 10_000 || client.ended)
    }
    await until(() => client.ended)
    expect(client.answer.body).toBe(piece.repeat(700))
  })
})
