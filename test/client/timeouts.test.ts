import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { afterAll, describe, expect, it } from 'vitest'
import { Client, type ClientError, type ClientOptions, type Timeouts } from '../../src/client/index.ts'
import { context, nodeTls, tcp } from '../../src/transport/index.ts'
import { HandClock } from '../support/hand-clock.ts'
import { Certificates } from '../support/tls-programs.ts'

/** Each timeout, with a server that stalls exactly there; all others would take far longer. */
const files = await Certificates.make()
const pem = (name: string): string => readFileSync(files.file(name), 'utf8')
const identity = { cert: pem('localhost.crt'), key: pem('localhost.key') }
const tls = { ca: pem('ca.crt') }
const closing: (() => unknown)[] = [() => files.remove()]
afterAll(() => {
  for (const close of closing) close()
})

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

/** A port whose queue is full: the kernel answers no SYN there. */
async function full(): Promise<number> {
  const code = `
    const { createServer } = require('node:net')
    const { parentPort } = require('node:worker_threads')
    const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      parentPort.postMessage(server.address().port)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })`
  const worker = new Worker(code, { eval: true })
  closing.push(() => worker.terminate())
  const [port] = (await once(worker, 'message')) as [number]
  // Two have room: the others take the place of any that comes later.
  const sockets = Array.from({ length: 16 }, () => connect({ port, host: '127.0.0.1' }).on('error', () => {}))
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
  })
  await Promise.race(sockets.map(socket => once(socket, 'connect')))
  return port
}

/** What has ended one GET with its content. */
async function ended(url: string, timeouts: Partial<Timeouts>, options: ClientOptions = {}): Promise<string> {
  const client = new Client({ ...options, timeouts })
  try {
    await (await client.fetch(url)).text()
    return 'nothing'
  } catch (error) {
    const { kind, timeout, message } = error as ClientError
    expect(message).toContain(`within 200 ms (timeouts.${timeout})`)
    return `${kind} ${timeout}`
  } finally {
    client.destroy()
  }
}

const silent = await listening(createServer(socket => void socket.resume()))

describe('connect', () => {
  it('ends a connection to a server that takes none', async () => {
    const port = await full()
    for (const scheme of ['http', 'https'])
      expect(await ended(`${scheme}://127.0.0.1:${port}`, { connect: 200 })).toBe('timeout connect')
  })

  it('ends one whose name is not found', async () => {
    const resolver = (): Promise<never> => new Promise(() => {})
    const connector = context().over('http', tcp, { dial: { resolver } })
    expect(await ended('http://far.test', { connect: 200 }, { connector })).toBe('timeout connect')
  })

  it.each(['http', 'https'])('ends one through a proxy over %s that says nothing', async scheme => {
    const proxy = { url: `${scheme}://127.0.0.1:${silent}` }
    const through = ended('https://far.test', { connect: 200 }, { proxy })
    expect(await through).toBe('timeout connect')
  })

  it('bounds a connector of the program itself, too, with tls', async () => {
    const connector = { connect: (): Promise<never> => new Promise(() => {}) }
    const timeouts = { connect: 200, tls: 1 }
    expect(await ended('http://far.test', timeouts, { connector })).toBe('timeout connect')
  })
})

describe('tls', () => {
  it('ends a handshake with a server that says nothing', async () => {
    expect(await ended(`https://127.0.0.1:${silent}`, { tls: 200 })).toBe('timeout tls')
    const connector = context().over('https', nodeTls(tcp))
    expect(await ended(`https://127.0.0.1:${silent}`, { tls: 200 }, { connector })).toBe('timeout tls')
  })

  it('ends one through a proxy, whose answer is a matter of connect', async () => {
    const proxy = createHttp()
    proxy.on('connect', (_, socket) => {
      socket.on('error', () => {}).write('HTTP/1.1 200 Go\r\n\r\n')
      socket.resume()
    })
    const url = `http://127.0.0.1:${await listening(proxy)}`
    expect(await ended('https://far.test', { tls: 200 }, { proxy: { url } })).toBe('timeout tls')
  })

  it('is not counted as connect: a handshake may take longer than that', async () => {
    const port = await listening(createHttps(identity, (_, response) => response.end('late')))
    // What passes the handshake on after a while.
    const slow = createServer(socket => {
      socket.pause()
      setTimeout(() => socket.pipe(connect({ port, host: '127.0.0.1' })).pipe(socket), 400)
    })
    const client = new Client({ tls, timeouts: { connect: 200 } })
    expect(await (await client.fetch(`https://localhost:${await listening(slow)}`)).text()).toBe('late')
    client.destroy()
  })
})

describe('pool', () => {
  const told = (error: ClientError): string => `${error.kind} ${error.timeout}: ${error.message}`
  const LATE = 'timeout pool: no place on a connection within 200 ms (timeouts.pool)'

  it('ends a wait for a place that others hold, each from its own beginning', async () => {
    const clock = new HandClock()
    const url = `http://127.0.0.1:${silent}`
    const client = new Client({ clock, timeouts: { pool: 200 }, limits: { connectionsPerOrigin: 1 } })
    const ends: string[] = []
    const ask = (name: string): void =>
      void client.fetch(url).catch((error: ClientError) => ends.push(`${name} ${told(error)}`))
    ask('first')
    await new Promise(resolve => setTimeout(resolve, 50))
    ask('second')
    clock.pass(150)
    ask('third')
    const passed = async (milliseconds: number): Promise<number> => {
      clock.pass(milliseconds)
      await new Promise(resolve => setImmediate(resolve))
      return ends.length
    }
    expect([await passed(49), await passed(1), await passed(149), await passed(1)]).toEqual([0, 1, 1, 2])
    expect(ends).toEqual([`second ${LATE}`, `third ${LATE}`])
    // The one that has the place keeps it.
    client.destroy()
    await passed(1)
    expect(ends[2]).toMatch(/^first aborted/)
  })

  it('ends a wait for a stream that the server does not allow', async () => {
    const server = createSecureServer({ ...identity, settings: { maxConcurrentStreams: 1 } }, () => {})
    const url = `https://localhost:${await listening(server as unknown as Server)}`
    const client = new Client({ tls, timeouts: { pool: 200 }, limits: { connectionsPerOrigin: 1 } })
    const first = client.fetch(url).catch(told)
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(await client.fetch(url).catch(told)).toBe(LATE)
    client.destroy()
    expect(await first).toMatch(/^aborted/)
  })

  it('does not end what gets its place in time, however long that takes then', async () => {
    const port = await listening(
      createHttp((_, response) => void setTimeout(() => response.end('late'), 150)) as Server,
    )
    const client = new Client({ timeouts: { pool: 250 }, limits: { connectionsPerOrigin: 1 } })
    const all = [1, 2].map(async () => (await client.fetch(`http://127.0.0.1:${port}`)).text())
    expect(await Promise.all(all)).toEqual(['late', 'late'])
    await client.close()
  })
})

describe.each(['http/1.1', 'h2'])('over %s', protocol => {
  const serving = async (answer: (response: { write(text: string): void }) => void): Promise<string> => {
    const server =
      protocol === 'h2'
        ? createSecureServer(identity, (_, response) => answer(response as never))
        : createHttps(identity, (_, response) => answer(response))
    return `https://localhost:${await listening(server as Server)}`
  }

  it('headers ends a request that gets no answer', async () => {
    expect(await ended(await serving(() => {}), { headers: 200 }, { tls })).toBe('timeout headers')
  })

  it('body ends a response that does not go on, and none that is slow', async () => {
    const url = await serving(response => response.write('a beginning'))
    expect(await ended(url, { body: 200 }, { tls })).toBe('timeout body')
    const slowly = await serving(response => {
      let pieces = 0
      const timer = setInterval(() => {
        if (++pieces === 8) {
          clearInterval(timer)
          ;(response as { end?(): void }).end?.()
        } else response.write('x')
      }, 50)
    })
    expect(await ended(slowly, { body: 5000, headers: 5000 }, { tls })).toBe('nothing')
  })

  it('total ends what goes on for too long', async () => {
    const url = await serving(response => {
      const timer = setInterval(() => response.write('x'), 20)
      closing.push(() => clearInterval(timer))
    })
    expect(await ended(url, { total: 200 }, { tls })).toBe('timeout total')
  })
})
