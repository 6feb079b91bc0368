import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client, ClientError, type ClientOptions, type FetchOptions } from '../../src/client/index.ts'
import type { Connector } from '../../src/transport/connector.ts'
import { tcp } from '../../src/transport/kinds/tcp.ts'
import { context, network } from '../../src/transport/network.ts'
import { RawServer } from './raw-server.ts'

/** What users do who have no compiler: it is said at once, and ends no process. */

let server: RawServer
const unhandled: unknown[] = []
const note = (error: unknown): void => void unhandled.push(error)
beforeAll(async () => {
  process.on('unhandledRejection', note)
  server = await RawServer.saying(
    'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
  )
})
afterAll(() => {
  process.off('unhandledRejection', note)
  server.close()
})

describe('options of a client', () => {
  const wrong: readonly [name: string, options: object][] = [
    ['limits.connectionsPerOrigin', { limits: { connectionsPerOrigin: 0 } }],
    ['limits.connectionsPerOrigin', { limits: { connectionsPerOrigin: Number.NaN } }],
    ['limits.connectionsPerOrigin', { limits: { connectionsPerOrigin: '5' } }],
    ['redirects', { redirects: Number.NaN }],
    ['redirects', { redirects: -1 }],
    ['timeouts.total', { timeouts: { total: '5' } }],
    ['timeouts.total', { timeouts: { total: Number.POSITIVE_INFINITY } }],
    ['timeouts.header', { timeouts: { header: 5 } }],
    ['connector', { connector: {} }],
    ['proxy.url', { proxy: 'http://127.0.0.1:1' }],
  ]
  it.each(wrong)('%s is named where it makes no sense', (name, options) => {
    expect(() => new Client(options as ClientOptions)).toThrow(TypeError)
    expect(() => new Client(options as ClientOptions)).toThrow(name)
  })

  it('a URL of a proxy that is none is not shown: there may be a password in it', () => {
    for (const url of ['http//u:secret@127.0.0.1:1', 'ftp://u:secret@127.0.0.1:1', 'http://u:secret%z@a']) {
      const made = (): Client => new Client({ proxy: { url } })
      expect(made).toThrow(/^proxy\.url/)
      expect(made).not.toThrow(/secret/)
    }
  })

  it('that are undefined are those that were left out', async () => {
    const nothing = { limits: { connectionsPerOrigin: undefined }, timeouts: { total: undefined } }
    const client = new Client(nothing as unknown as ClientOptions)
    expect(await (await client.fetch(server.url)).text()).toBe('hi')
    await client.close()
  })
})

describe('options of a request', () => {
  const wrong: readonly [name: string, init: object][] = [
    ['timeouts.total', { timeouts: { total: -1 } }],
    ['timeouts.total', { timeouts: { total: 'x' } }],
    ['timeouts.total', { timeouts: { total: Number.NaN } }],
    ['redirect', { redirect: 'folow' }],
    ['signal', { signal: {} }],
    ['headers', { headers: 5 }],
    ['headers', { headers: [['a']] }],
    ['method', { method: '' }],
  ]
  it.each(wrong)('%s is named where it makes no sense', async (name, init) => {
    const client = new Client()
    const asked = client.fetch(server.url, init as FetchOptions)
    await expect(asked).rejects.toThrow(name)
    await expect(asked).rejects.toThrow(TypeError)
    await client.close()
  })

  it('an address that is none is not shown: there may be a password in it', async () => {
    const client = new Client()
    const url = 'https//u:secret@127.0.0.1:1'
    for (const asked of [client.fetch(url), client.webSocket(url)]) {
      const error = await asked.then(() => undefined, inspect)
      expect(error).toMatch(/TypeError: that is no URL/)
      expect(error).not.toContain('secret')
    }
    await client.close()
  })

  it.each([new ArrayBuffer(8), new Uint8Array(8), new DataView(new ArrayBuffer(8))])(
    'content whose memory has been transferred elsewhere: %s',
    async body => {
      structuredClone('buffer' in body ? body.buffer : body, {
        transfer: ['buffer' in body ? (body.buffer as ArrayBuffer) : body],
      })
      const client = new Client()
      await expect(client.fetch(server.url, { method: 'POST', body })).rejects.toThrow(/transferred/)
      expect(await (await client.fetch(server.url, { method: 'POST', body: new Uint8Array(0) })).text()).toBe(
        'hi',
      )
      await client.close()
    },
  )

  it('of a WebSocket, and of another protocol', async () => {
    const client = new Client()
    const chat = { protocols: 'chat' } as unknown as { protocols: string[] }
    await expect(client.webSocket(server.url, chat)).rejects.toThrow('protocols: a list')
    for (const messageBytes of [0, Number.NaN])
      await expect(client.webSocket(server.url, { messageBytes })).rejects.toThrow('messageBytes')
    for (const protocol of [undefined, 'a b', 'a\r\nb: c', ''])
      await expect(client.upgrade(server.url, protocol as string)).rejects.toThrow('no name of a protocol')
    await client.close()
  })
})

describe('what a program throws where the client calls it', () => {
  it.each([
    ['an error', () => new Error('mine'), 'mine'],
    ['text', () => 'mine', 'mine'],
    ['undefined', () => undefined, 'undefined'],
  ])('in its connector: %s', async (_, thrown, said) => {
    const client = new Client({
      connector: {
        connect: async () => {
          throw thrown()
        },
      },
    })
    const asked = client.fetch(server.url)
    await expect(asked).rejects.toBeInstanceOf(ClientError)
    await expect(asked).rejects.toMatchObject({ kind: 'connect', message: `no connection: ${said}` })
  })

  it('where its connector says what leads there ends the request, and no process', async () => {
    const net = network()
    const connector: Connector = {
      connect: (target, options) => net.connect(target, options),
      routeOf: () => {
        throw new Error('no route')
      },
    }
    const client = new Client({ connector })
    await (await client.fetch(server.url)).text()
    await expect(client.fetch(server.url.replace('http:', 'https:'))).rejects.toThrow('no route')
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(unhandled).toEqual([])
    await client.close()
  })

  it('in functions that hear of a response, which may be async, ends the request', async () => {
    const client = new Client()
    const fails = async (): Promise<void> => {
      throw new Error('not heard')
    }
    const asked = client.fetch(server.url, { onInformational: fails }).then(response => response.text())
    // Its answer may have come with the interim response, and been whole before.
    await asked.catch(error => expect(error.message).toBe('not heard'))
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(unhandled).toEqual([])
    await client.close()
  })

  it('by taking the stream that it has given as content: that request fails, by what is wrong', async () => {
    const client = new Client()
    const body = new ReadableStream<Uint8Array>({
      start: controller => controller.enqueue(new Uint8Array(3)),
    })
    const asked = client.fetch(server.url, { method: 'POST', body })
    body.getReader()
    await expect(asked).rejects.toThrow(/locked/)
    await expect(asked).rejects.not.toBeInstanceOf(ClientError)
    await client.close()
  })

  it('when it is told what stays keeps no other connection from leaving', async () => {
    const stuck = await RawServer.saying(
      'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nx',
    )
    const client = new Client()
    const response = await client.fetch(stuck.url)
    await (await client.fetch(server.url)).text()
    const told: string[] = []
    const released = await client.release((origin, why) => {
      told.push(`${origin}: ${why}`)
      throw new Error('from stays')
    })
    expect(told).toEqual([`${stuck.url}: the content of a response is being decoded`])
    expect(released).toHaveLength(1)
    for (const { descriptor } of released) descriptor.close()
    await response.body?.cancel()
    stuck.close()
  })
})

it('many WebSockets that wait for one signal are no leak', async () => {
  const silent = await RawServer.start(() => {})
  const warnings: Error[] = []
  const warned = (warning: Error): void => void warnings.push(warning)
  process.on('warning', warned)
  const client = new Client()
  const control = new AbortController()
  const all = Array.from({ length: 20 }, () => client.webSocket(silent.url, { signal: control.signal }))
  const outcomes = Promise.allSettled(all)
  await new Promise(resolve => setTimeout(resolve, 50))
  control.abort(new Error('enough'))
  for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { message: 'enough' } })
  expect(warnings).toEqual([])
  process.off('warning', warned)
  silent.close()
})

/** What callers abort with, and what their own resolvers throw. */
const ODD: readonly unknown[] = [null, 0, Object.create(null), { toString: 1 }]

it.each(['http', 'https'])(
  'is rejected with what its caller aborts with, whatever that is: %s',
  async scheme => {
    const silent = await RawServer.start(() => {})
    const client = new Client()
    for (const reason of ODD) {
      const control = new AbortController()
      const asked = client.fetch(silent.url.replace('http', scheme), { signal: control.signal })
      setTimeout(() => control.abort(reason), 20)
      const [outcome] = await Promise.allSettled([asked])
      expect(outcome).toEqual({ status: 'rejected', reason })
    }
    silent.close()
  },
)

it('says that there is no address, whatever a resolver throws', async () => {
  for (const thrown of ODD) {
    const connector = context().over('http', tcp, { dial: { resolver: () => Promise.reject(thrown) } })
    const client = new Client({ connector })
    await expect(client.fetch('http://nowhere.test/')).rejects.toThrow('no address for')
  }
})
