import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as zlib from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { Client } from '../../src/client/index.ts'

const { brotliCompressSync, gzipSync } = zlib
/** Node from 22.15 on. */
const { zstdCompressSync } = zlib as { readonly zstdCompressSync?: (text: string) => Buffer }
const TEXT = 'hello '.repeat(20_000)
const server = createServer(async (request: IncomingMessage, response) => {
  const { url = '', method, headers } = request
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  const content = Buffer.concat(pieces).toString('latin1')
  if (url === '/br') response.setHeader('content-encoding', 'br').end(brotliCompressSync(TEXT))
  else if (url === '/gzip') response.setHeader('content-encoding', 'gzip').end(gzipSync(TEXT))
  else if (url === '/zstd') response.setHeader('content-encoding', 'zstd').end(zstdCompressSync?.(TEXT))
  else if (url === '/both')
    response.setHeader('content-encoding', 'gzip, br').end(brotliCompressSync(gzipSync(TEXT)))
  else if (url === '/trailers') {
    response.writeHead(200, { trailer: 'x-sum' })
    response.write('content')
    response.addTrailers({ 'x-sum': '42' })
    response.end()
  } else if (url === '/away') response.writeHead(302, { location: '/there' }).end('moved')
  else response.end(JSON.stringify({ url, method, headers, content }))
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const base = `http://localhost:${(server.address() as AddressInfo).port}`
const client = new Client({ headers: { 'User-Agent': 'test' } })
afterAll(async () => {
  await client.close()
  server.close()
})

interface Seen {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly content: string
}

describe('fetch', () => {
  it.each(['br', 'gzip', 'both'])('takes codings off: %s', async coding => {
    expect(await (await client.fetch(`${base}/${coding}`)).text()).toBe(TEXT)
  })

  it.skipIf(zstdCompressSync === undefined)(
    'takes zstd off, where Node knows it, and asks for it',
    async () => {
      expect(await (await client.fetch(`${base}/zstd`)).text()).toBe(TEXT)
      const { headers } = (await (await client.fetch(base)).json()) as Seen
      expect(headers['accept-encoding']).toBe('br, gzip, zstd')
    },
  )

  it('leaves them, and asks for none, if told so', async () => {
    const plain = new Client({ decode: false })
    const coded = await (await plain.fetch(`${base}/gzip`)).arrayBuffer()
    expect(Buffer.from(coded)).toEqual(gzipSync(TEXT))
    const { headers } = (await (await plain.fetch(base)).json()) as Seen
    expect(headers['accept-encoding']).toBeUndefined()
    await plain.close()
  })

  it('sends what it is given: text, forms, a Request, with the types that go with them', async () => {
    const seen = async (...args: Parameters<Client['fetch']>): Promise<Seen> =>
      (await (await client.fetch(...args)).json()) as Seen
    const text = await seen(`${base}/a?b`, { method: 'post', body: 'x' })
    expect([text.method, text.url, text.content, text.headers['content-type']]).toEqual([
      'POST',
      '/a?b',
      'x',
      'text/plain;charset=UTF-8',
    ])
    expect([text.headers['user-agent'], text.headers.accept]).toEqual(['test', '*/*'])
    const parameters = await seen(base, { method: 'POST', body: new URLSearchParams({ a: 'b c' }) })
    expect(parameters.content).toBe('a=b+c')
    const form = new FormData()
    form.set('name', 'value')
    const formed = await seen(base, { method: 'POST', body: form })
    expect(formed.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
    expect(formed.content).toContain('name="name"\r\n\r\nvalue')
    const asked = new Request(`${base}/r`, { method: 'PUT', body: 'y', headers: { 'x-own': '1' } })
    const request = await seen(asked)
    expect([request.method, request.url, request.content, request.headers['x-own']]).toEqual([
      'PUT',
      '/r',
      'y',
      '1',
    ])
  })

  it('follows redirects, or not', async () => {
    const there = await client.fetch(`${base}/away`)
    expect([there.redirected, there.url]).toEqual([true, `${base}/there`])
    await there.text()
    const manual = await client.fetch(`${base}/away`, { redirect: 'manual' })
    expect([manual.status, manual.headers.get('location'), await manual.text()]).toEqual([
      302,
      '/there',
      'moved',
    ])
    await expect(client.fetch(`${base}/away`, { redirect: 'error' })).rejects.toMatchObject({
      kind: 'protocol',
    })
  })

  it('tells of trailers', async () => {
    let trailers: unknown
    const onTrailers = (fields: unknown): void => {
      trailers = fields
    }
    await (await client.fetch(`${base}/trailers`, { onTrailers })).text()
    expect(trailers).toEqual([['x-sum', '42']])
  })

  it('asks for 100 (Continue) before the content goes out', async () => {
    const statuses: number[] = []
    const onInformational = (status: number): void => void statuses.push(status)
    const init = { method: 'POST', body: 'x', headers: { expect: '100-continue' }, onInformational }
    expect(((await (await client.fetch(base, init)).json()) as Seen).content).toBe('x')
    expect(statuses).toEqual([100])
  })

  it('refuses what cannot be asked', async () => {
    const wrong: Parameters<Client['fetch']>[] = [
      ['ftp://a/'],
      ['nonsense'],
      ['http://a:b@c/'],
      [base, { method: 'CONNECT' }],
      [base, { body: 'x' }],
      [base, { headers: { 'a b': 'c' } }],
      [base, { headers: { a: 'b\r\nc: d' } }],
    ]
    for (const one of wrong) await expect(client.fetch(...one), String(one[0])).rejects.toThrow(TypeError)
    const aborted = client.fetch(base, { signal: AbortSignal.abort(new Error('no more')) })
    await expect(aborted).rejects.toThrow('no more')
  })
})
