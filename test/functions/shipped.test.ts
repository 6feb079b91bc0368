import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import type { Context } from '../../src/functions/contract.ts'
import { loadFunction } from '../../src/functions/load.ts'
import { fromWebResponse } from '../../src/functions/web.ts'
import type { Field } from '../../src/http/message.ts'

const context = {
  callId: 'c',
  functionName: 'f',
  functionPath: '/',
  functions: ['echo', 'a-b'],
  connection: { tls: true, hops: 2, requestIndex: 4, container: 'echo-1' },
} as Partial<Context> as Context

async function call(name: string, path: string, init?: RequestInit & { duplex?: 'half' }): Promise<Response> {
  const loaded = await loadFunction(name)
  if (loaded.kind !== 'fetch') throw new Error('not a fetch function')
  return loaded.fetch(new Request(`https://${name}.local${path}`, init), {}, context)
}

async function callRaw(method: string, headers: readonly Field[] = [], body = new Uint8Array()) {
  const loaded = await loadFunction('echo-raw')
  if (loaded.kind !== 'raw') throw new Error('not a raw function')
  const head = {
    method,
    target: '/',
    version: '1.1',
    headers,
    host: undefined,
    path: '/',
    query: '',
  } as const
  return loaded.handle({ ...head, body }, context)
}

const picture = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#c04020' } })

describe('hello', () => {
  it('greets', async () => {
    expect(await (await call('hello', '/')).text()).toBe('Hello, world!\n')
    expect(await (await call('hello', '/?name=J%C3%B6rg')).text()).toBe('Hello, Jörg!\n')
  })

  it('answers HEAD as GET without the body', async () => {
    const taken = await fromWebResponse(await call('hello', '/', { method: 'HEAD' }), 'HEAD')
    expect(taken).toMatchObject({ status: 200, body: undefined, length: 14 })
  })
})

describe('echo', () => {
  it.each(['POST', 'PUT'])('gives a %s back as it is', async method => {
    const body = Uint8Array.from({ length: 100_000 }, (_, i) => i & 0xff)
    const answer = await call('echo', '/', { method, body, headers: { 'content-type': 'x/y; z=1' } })
    expect(answer.headers.get('content-type')).toBe('x/y; z=1')
    expect(new Uint8Array(await answer.arrayBuffer())).toEqual(body)
  })

  it('calls bytes without a type by their name, and takes an empty body', async () => {
    const answer = await call('echo', '/', { method: 'POST' })
    expect(answer.headers.get('content-type')).toBe('application/octet-stream')
    expect(await answer.text()).toBe('')
  })

  it('answers while the request is still coming in', async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const answer = await call('echo', '/', { method: 'POST', body: readable, duplex: 'half' })
    const writer = writable.getWriter()
    const reader = answer.body!.getReader()
    for (const value of [Uint8Array.of(1), Uint8Array.of(2, 3)]) {
      const [{ value: back }] = await Promise.all([reader.read(), writer.write(value)])
      expect(back).toEqual(value)
    }
    await writer.close()
    expect((await reader.read()).done).toBe(true)
  })

  it('gives a page at / to a browser, and to no other client', async () => {
    const browser = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }
    const page = await call('echo', '/?x', { headers: browser })
    expect(Object.fromEntries(page.headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      vary: 'accept',
    })
    const text = await page.text()
    for (const one of ['Request 5 of', '<b>echo-1</b>', 'has moved 2 times', '<a href="/a-b">/a-b</a>'])
      expect(text).toContain(one)
    const head = await fromWebResponse(await call('echo', '/', { method: 'HEAD', headers: browser }), 'HEAD')
    expect(head).toMatchObject({ status: 200, body: undefined, length: text.length })
    for (const [path, accept] of [
      ['/', '*/*'],
      ['/', 'text/plain'],
      ['/', 'text/html;q=0, */*'],
      ['/', 'text/htmlx'],
      ['/a', browser.accept],
    ] as const) {
      const other = await call('echo', path, { headers: { accept } })
      expect([path, accept, other.headers.get('content-type')]).toEqual([
        ...[path, accept],
        'text/plain; charset=utf-8',
      ])
    }
  })

  it('says what was asked', async () => {
    const answer = await call('echo', '/a/b?c=d', { headers: { 'X-One': '1' } })
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    const body = await answer.text()
    expect(body.split('\n').slice(0, 2)).toEqual(['GET /a/b?c=d', 'x-one: 1'])
    expect(body).toContain('served by echo-1, request 5 of this connection, which has moved 2 times')
  })
})

describe('echo-raw', () => {
  it('gives a body back with its type', async () => {
    const body = Uint8Array.of(1, 2, 3)
    expect(await callRaw('POST', [['Content-Type', 'x/y']], body)).toEqual({
      status: 200,
      headers: [['content-type', 'x/y']],
      body,
    })
  })

  it('gives 200 bytes to GET and refuses other methods', async () => {
    expect((await callRaw('GET')).body?.length).toBe(200)
    expect(await callRaw('DELETE')).toMatchObject({
      status: 405,
      headers: expect.arrayContaining([['allow', 'GET, HEAD, POST, PUT']]),
    })
  })
})

describe.each([
  ['hello', 'POST', 'GET, HEAD'],
  ['echo', 'DELETE', 'GET, HEAD, POST, PUT'],
  ['resize', 'PUT', 'GET, HEAD, POST'],
])('%s', (name, method, allow) => {
  it(`answers 405 to ${method}`, async () => {
    const answer = await call(name, '/', { method })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, allow])
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
  })
})

describe('resize', () => {
  const post = (query: string, body: Uint8Array, headers: Record<string, string> = {}) =>
    call('resize', `/${query}`, { method: 'POST', body, headers })
  const shape = async (answer: Response) => {
    if (answer.status !== 200) throw new Error(await answer.text())
    const { width, height, format } = await sharp(await answer.arrayBuffer()).metadata()
    return `${format} ${width}x${height}`
  }

  it('explains itself, by the address at which it was asked', async () => {
    const told = await (await call('resize', "/your'pictures?width=3")).text()
    expect(told).toContain('POST an image here')
    expect(told).toContain(
      "curl --data-binary @in.jpg 'https://resize.local/your%27pictures?width=320' -o out.jpg",
    )
  })

  it.each([
    ['?width=50', 'jpeg 50x25'],
    ['?height=50', 'jpeg 100x50'],
    ['?width=30&height=30', 'jpeg 30x30'],
    ['?width=30&height=30&fit=inside', 'jpeg 30x15'],
    ['?width=30&height=30&fit=outside', 'jpeg 60x30'],
    ['?format=png', 'png 200x100'],
    ['?width=20&format=webp', 'webp 20x10'],
    ['?width=16&format=avif', 'heif 16x8'],
    ['?width=4096', 'jpeg 4096x2048'],
  ])('makes of a JPEG of 200x100 with %s %s', async (query, expected) => {
    const answer = await post(query, await picture(200, 100).jpeg().toBuffer())
    expect(await shape(answer)).toBe(expected)
    expect(answer.headers.get('content-type')).toMatch(/^image\/(jpeg|png|webp|avif)$/)
  })

  it('keeps AVIF and WebP, gives PNG for what it does not write', async () => {
    expect(await shape(await post('?width=8', await picture(16, 16).avif().toBuffer()))).toBe('heif 8x8')
    expect(await shape(await post('?width=8', await picture(16, 16).webp().toBuffer()))).toBe('webp 8x8')
    expect(await shape(await post('?width=8', await picture(16, 16).gif().toBuffer()))).toBe('png 8x8')
    expect(await shape(await post('?width=8', await picture(16, 16).tiff().toBuffer()))).toBe('png 8x8')
  })

  it('turns a picture as its EXIF data say', async () => {
    const lying = await picture(200, 100).jpeg().withMetadata({ orientation: 6 }).toBuffer()
    expect(await shape(await post('?width=50', lying))).toBe('jpeg 50x100')
  })

  const svg = new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
  const cases: readonly [string, string, () => Uint8Array | Promise<Uint8Array>, RegExp][] = [
    ['something that is no image', '?width=5', () => Uint8Array.of(1, 2, 3), /cannot be read/],
    ['an SVG', '?width=5', () => svg, /cannot be read/],
    [
      'half an image',
      '?width=5',
      async () => (await picture(300, 300).png({ compressionLevel: 0 }).toBuffer()).subarray(0, 5000),
      /cannot be read/,
    ],
    ['no image', '?width=5', () => new Uint8Array(), /contains no image/],
    ['too many pixels', '?width=5', () => picture(8000, 5001).png().toBuffer(), /pixel limit/],
    [
      'a result without bounds',
      '?width=4096',
      () => picture(1, 100).png().toBuffer(),
      /side of more than 4096/,
    ],
    [
      'a covering result without bounds',
      '?width=4096&height=9&fit=outside',
      () => picture(1, 100).png().toBuffer(),
      /side of more/,
    ],
    ['no wish', '', () => picture(9, 9).png().toBuffer(), /give at least one of/],
    [
      'a width of 0',
      '?width=0',
      () => picture(9, 9).png().toBuffer(),
      /width must be a number from 1 to 4096/,
    ],
    ['a height of 4097', '?height=4097', () => picture(9, 9).png().toBuffer(), /height must be/],
    ['another fit', '?width=5&fit=tight', () => picture(9, 9).png().toBuffer(), /fit must be one of cover/],
    ['another format', '?format=svg', () => picture(9, 9).png().toBuffer(), /format must be one of jpeg/],
    ['an unknown parameter', '?widht=5', () => picture(9, 9).png().toBuffer(), /no parameter widht/],
    ['a parameter twice', '?width=5&width=6', () => picture(9, 9).png().toBuffer(), /more than once/],
  ]
  it.each(cases)('answers 400 to %s', async (_, query, make, detail) => {
    const answer = await post(query, await make())
    expect(answer.status).toBe(400)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(await answer.json()).toMatchObject({
      status: 400,
      title: 'Bad Request',
      detail: expect.stringMatching(detail),
    })
  })

  it('answers 413 to too many bytes, declared or not', async () => {
    const limit = 10 * 1024 * 1024
    expect((await post('?width=5', Uint8Array.of(1), { 'content-length': String(limit + 1) })).status).toBe(
      413,
    )
    expect((await post('?width=5', new Uint8Array(limit + 1))).status).toBe(413)
  })
})
