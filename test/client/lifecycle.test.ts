import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { createServer as createHttp2 } from 'node:http2'
import type { AddressInfo, Server, Socket } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { Client, type ClientError, type ClientOptions } from '../../src/client/index.ts'
import type { Connector } from '../../src/transport/connector.ts'
import { network } from '../../src/transport/network.ts'
import { collect } from '../support/kept.ts'
import { RawServer } from './raw-server.ts'

/** What becomes of connections and of those who wait for them, whatever ends first. */
const closing: (() => void)[] = []
afterAll(() => {
  for (const close of closing) close()
})

/** HTTP/2 without TLS, as if ALPN had chosen it. @param sockets those that are open */
const net = network()
const overH2 = (sockets = new Set<unknown>()): Connector => ({
  connect: async (target, options) => {
    const connected = await net.connect(target, options)
    sockets.add(connected.stream)
    connected.stream?.on('close', () => sockets.delete(connected.stream))
    return { ...connected, alpn: 'h2' }
  },
})

async function raw(...args: Parameters<typeof RawServer.start>): Promise<RawServer> {
  const server = await RawServer.start(...args)
  closing.push(() => server.close())
  return server
}

async function listening(server: Server): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', socket => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const turn = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 5))
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn()
}
/** How it ended, or that it has not. */
async function fate(promise: Promise<unknown>): Promise<string> {
  const late = new Promise<string>(resolve => setTimeout(() => resolve('never'), 180_000).unref())
  const settled = promise.then(
    () => 'fulfilled',
    (error: ClientError) => error.kind ?? error.message,
  )
  return Promise.race([settled, late])
}

describe('a connection that a server leaves by GOAWAY', () => {
  async function left(): Promise<{ url: string; answers: ServerResponse[] }> {
    const answers: ServerResponse[] = []
    const server = createHttp2((_, response) => {
      answers.push(response as unknown as ServerResponse)
      if (answers.length === 1) response.stream.session?.goaway(0, 1)
    })
    return { url: await listening(server as unknown as Server), answers }
  }

  it('is ended by destroy() all the same', async () => {
    const { url, answers } = await left()
    const sockets = new Set<unknown>()
    const client = new Client({ connector: overH2(sockets) })
    const asked = client.fetch(url)
    await until(() => answers.length === 1)
    await turn()
    client.destroy()
    expect(await fate(asked)).toBe('aborted')
    await until(() => sockets.size === 0)
  })

  it('leaves with release(), and its request goes on', async () => {
    const { url, answers } = await left()
    const client = new Client({ connector: overH2() })
    const asked = client.fetch(url, { label: 'mine' })
    const gone = fate(asked)
    await until(() => answers.length === 1)
    await turn()
    const released = await client.release()
    expect([released.length, await gone]).toEqual([1, 'aborted'])
    const { client: heir, responses } = Client.restore(released, { connector: overH2() })
    answers[0]!.end('late')
    expect(await (await responses[0]!.response).text()).toBe('late')
    await heir.close()
  })

  it('does not take the place of the next one', async () => {
    const { url, answers } = await left()
    const sockets = new Set<unknown>()
    const client = new Client({ connector: overH2(sockets), limits: { connectionsPerOrigin: 1 } })
    const first = client.fetch(url)
    await until(() => answers.length === 1)
    await turn()
    const second = client.fetch(url)
    await until(() => answers.length === 2)
    answers[0]!.end('one')
    expect(await (await first).text()).toBe('one')
    await until(() => sockets.size === 1)
    answers[1]!.end('two')
    expect(await (await second).text()).toBe('two')
    // The same connection still: its pool is the one that the client knows.
    const third = client.fetch(url)
    await until(() => answers.length === 3)
    expect(sockets.size).toBe(1)
    client.destroy()
    expect(await fate(third)).toBe('aborted')
    await until(() => sockets.size === 0)
  })
})

describe('requests that wait', () => {
  it.each(['release', 'destroy'] as const)('for a place end with %s()', async how => {
    const server = await raw(socket => void socket.resume())
    const client = new Client({ limits: { connectionsPerOrigin: 1 } })
    const all = [1, 2, 3].map(() => fate(client.fetch(server.url)))
    await until(() => server.open === 1)
    await turn()
    await client[how]()
    expect(await Promise.all(all)).toEqual(['aborted', 'aborted', 'aborted'])
  })

  it.each(['release', 'destroy'] as const)('for a connection that does not come end with %s()', async how => {
    let asked = 0
    const connector: Connector = {
      connect: (_, { signal } = {}) => {
        asked++
        return new Promise((_, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason))
        })
      },
    }
    const client = new Client({ connector })
    const waits = fate(client.fetch('http://nowhere.test/'))
    await until(() => asked === 1)
    await client[how]()
    expect(await waits).toBe('aborted')
  })

  it('for a connection that comes too late leave none open', async () => {
    const server = await raw(socket => void socket.resume())
    let go: () => void = () => {}
    const gate = new Promise<void>(resolve => {
      go = resolve
    })
    // It does not listen to the signal.
    const connector: Connector = {
      connect: async target => {
        await gate
        return net.connect(target)
      },
    }
    const client = new Client({ connector })
    const waits = fate(client.fetch(server.url))
    await turn()
    client.destroy()
    expect(await waits).toBe('aborted')
    go()
    await until(() => server.connections === 1)
    await server.quiet()
    expect(server.open).toBe(0)
  })

  it('are not held back for ever where they need a new connection', async () => {
    // The second request on each connection gets no answer but its end; others keep all places busy.
    let dropped = 0
    const server = await raw(socket => {
      let requests = 0
      socket.on('data', bytes => {
        const path = /^GET (\S+)/.exec(String(bytes))?.[1]
        if (path === '/drop' && requests++ > 0) {
          dropped++
          socket.resetAndDestroy()
        } else setTimeout(() => socket.write(OK), 2)
        requests++
      })
    })
    const client = new Client({ limits: { connectionsPerOrigin: 1 } })
    await (await client.fetch(server.url)).text()
    let busy = true
    const load = [1, 2, 3].map(async () => {
      while (busy) await (await client.fetch(server.url)).text()
    })
    const asked = client.fetch(`${server.url}/drop`).then(response => response.text())
    expect(await fate(asked)).toBe('fulfilled')
    busy = false
    await Promise.all(load)
    expect(dropped).toBe(1)
    await client.close()
  })
})

it('a call that is underway at close() follows its redirect', async () => {
  let answer: (() => void) | undefined
  const server = createServer((request, response) => {
    if (request.url === '/') answer = () => response.writeHead(302, { location: '/there' }).end()
    else response.end('there')
  })
  const client = new Client()
  const asked = client.fetch(await listening(server))
  await until(() => answer !== undefined)
  const closed = client.close()
  answer?.()
  expect(await (await asked).text()).toBe('there')
  await closed
})

describe('a connection that no request came over', () => {
  it.each(['http/1.1', 'h2'])('is closed when its time is over: %s', async protocol => {
    const server = await raw(socket => void socket.resume())
    let go: () => void = () => {}
    const gate = new Promise<void>(resolve => {
      go = resolve
    })
    const connector: Connector = {
      connect: async (target, options) => {
        const connected = await (protocol === 'h2' ? overH2() : net).connect(target, options)
        await gate
        return connected
      },
    }
    const client = new Client({ connector, timeouts: { idle: 50 } })
    const control = new AbortController()
    const asked = fate(client.fetch(server.url, { signal: control.signal }))
    await until(() => server.open === 1)
    control.abort(new Error('no more'))
    expect(await asked).toBe('no more')
    go()
    await server.quiet()
    expect(server.open).toBe(0)
  })
})

describe('what callers give', () => {
  const events = ['onInformational', 'onTrailers'] as const
  it.each(events)('ends its own request alone when %s throws, over HTTP/2', async which => {
    const server = createHttp2((request, response) => {
      if (request.url === '/slow') setTimeout(() => response.end('slow'), 100)
      else {
        response.writeEarlyHints({ link: '</a>; rel=preload' })
        response.addTrailers({ 'x-sum': '1' })
        response.end('content')
      }
    })
    const url = await listening(server as unknown as Server)
    const client = new Client({ connector: overH2() })
    const thrown = new Error(`thrown by ${which}`)
    const slow = client.fetch(`${url}/slow`).then(response => response.text())
    const failed = client
      .fetch(url, {
        [which]: () => {
          throw thrown
        },
      })
      .then(response => response.text())
    await expect(failed).rejects.toBe(thrown)
    expect(await slow).toBe('slow')
    await client.close()
  })

  it.each(events)('is what the request fails with when %s throws, over HTTP/1.1', async which => {
    const server = await raw(socket => {
      socket.on('data', () =>
        socket.write(
          'HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n',
        ),
      )
    })
    const client = new Client()
    const thrown = new Error(`thrown by ${which}`)
    const init = {
      [which]: () => {
        throw thrown
      },
    }
    await expect(client.fetch(server.url, init)).rejects.toBe(thrown)
    expect(await (await client.fetch(server.url)).text()).toBe('')
    await client.close()
  })

  it('may not say what is for the connection to say, in `headers` either', async () => {
    let head = ''
    const server = await RawServer.saying(said => {
      head = said
      return OK
    })
    closing.push(() => server.close())
    const headers = {
      Host: 'elsewhere',
      'Content-Length': '5',
      'Transfer-Encoding': 'chunked',
      Connection: 'close',
      'X-Own': '1',
    }
    const client = new Client({ headers })
    await (await client.fetch(`${server.url}/a#fragment`)).text()
    expect(head).toMatch(/^GET \/a HTTP\/1\.1\r\nHost: 127\.0\.0\.1/)
    expect(head).toMatch(/x-own: 1/i)
    expect(head).not.toMatch(/elsewhere|content-length|transfer-encoding|connection/i)
    await client.close()
    expect(() => new Client({ headers: { 'a b': 'c' } })).toThrow(TypeError)
    expect(() => new Client({ headers: { a: 'b\r\nc: d' } })).toThrow(TypeError)
  })
})

describe('a response', () => {
  it.each(['http/1.1', 'h2'])('with 205 and content gives its connection up: %s', async protocol => {
    const server = await raw(socket => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 205 Reset\r\nContent-Length: 1000000\r\n\r\n')
        socket.write(new Uint8Array(1_000_000))
      })
    })
    let reset = 0
    const second = createHttp2((_, response) => {
      response.stream.on('close', () => reset++).on('error', () => {})
      response.stream.respond({ ':status': 205 }, {})
      response.stream.write(new Uint8Array(1_000_000))
    })
    const client = new Client(protocol === 'h2' ? { connector: overH2() } : {})
    const url = protocol === 'h2' ? await listening(second as unknown as Server) : server.url
    const response = await client.fetch(url)
    expect([response.status, response.body]).toEqual([205, null])
    if (protocol === 'h2') await until(() => reset === 1)
    else await server.quiet()
    expect(server.open).toBe(0)
    expect(await fate(client.close())).toBe('fulfilled')
  })

  it('that cannot be read any more lets its connection go', async () => {
    const server = await raw(socket => {
      socket.on('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n')
        socket.write(new Uint8Array(1_000_000))
      })
    })
    const client = new Client()
    const ask = async (use: (response: Response) => unknown, label = ''): Promise<void> => {
      await use(await client.fetch(server.url, { label }))
    }
    await ask(() => {})
    await ask(response => response.body)
    await ask(async response => void (await response.body!.getReader().read()))
    // It may be wanted where it goes.
    await ask(response => response.body, 'mine')
    for (let i = 0; i < 200 && server.open > 1; i++) {
      collect()
      await turn()
    }
    expect([server.connections, server.open]).toEqual([4, 1])
    client.destroy()
  })

  it('that is not read yet does not hold up others on its connection, over HTTP/2', async () => {
    const server = createHttp2((request, response) => {
      if (request.url === '/large') response.end(new Uint8Array(3_000_000))
      else response.end('small')
    })
    const url = await listening(server as unknown as Server)
    const client = new Client({ connector: overH2() })
    const large = await Promise.all(Array.from({ length: 30 }, () => client.fetch(`${url}/large`)))
    await new Promise(resolve => setTimeout(resolve, 300))
    expect(await (await client.fetch(url)).text()).toBe('small')
    let bytes = 0
    for (const one of large) bytes += (await one.arrayBuffer()).byteLength
    expect(bytes).toBe(90_000_000)
    await client.close()
  })
})

describe('restore()', () => {
  it('keeps none of the connections when one of them is not what it should be', async () => {
    const server = await RawServer.saying(OK)
    closing.push(() => server.close())
    const first = new Client()
    await Promise.all([1, 2, 3].map(async () => (await first.fetch(server.url)).text()))
    const released = [...(await first.release())]
    expect(released.length).toBe(3)
    released[1] = { ...released[1]!, state: released[1]!.state.slice(0, -1) }
    expect(() => Client.restore(released)).toThrow()
    await server.quiet()
    expect(server.open).toBe(0)
  })

  it('closes them where its own options are wrong', async () => {
    const server = await RawServer.saying(OK)
    closing.push(() => server.close())
    const first = new Client()
    await (await first.fetch(server.url)).text()
    const released = await first.release()
    const wrong: ClientOptions = { timeouts: { idle: -1 } }
    expect(() => Client.restore(released, wrong)).toThrow(TypeError)
    await server.quiet()
    expect(server.open).toBe(0)
  })
})
