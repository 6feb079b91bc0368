import { describe, expect, it } from 'vitest'
import { fromWebResponse, fromWholeResponse, toWebRequest } from '../../src/functions/web.ts'
import { installGlobals, prepare } from '../../src/web/globals.ts'
import { native } from '../../src/web/native.ts'
import { LightResponse } from '../../src/web/response.ts'
import { utf8 } from '../../src/wire/index.ts'

/** What becomes of a body when code asks for its stream: the same as with Node's classes. */

const NODES = { ...native() }
installGlobals()
prepare()

const TEXT = 'sixteen letters.'
const HEAD = {
  method: 'POST',
  target: '/',
  version: '1.1',
  headers: [['Host', 'app.local']],
  host: 'app.local',
  path: '/',
  query: '',
} as const

type Pieces = readonly string[]

function streamed(pieces: Pieces): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(utf8(piece))
      controller.close()
    },
  })
}

const ours = (content: Uint8Array | ReadableStream<Uint8Array>): Request =>
  toWebRequest(HEAD, content, { scheme: 'http', authority: 'app.local' })
const nodes = (content: Uint8Array | ReadableStream<Uint8Array>): Request =>
  new NODES.Request('http://app.local/', { method: 'POST', body: content as never, duplex: 'half' } as never)

async function outcome(run: () => unknown): Promise<unknown> {
  try {
    return { value: await run() }
  } catch (error) {
    return { error: error instanceof Error ? error.constructor.name : error }
  }
}

async function read(stream: ReadableStream<Uint8Array> | null): Promise<string> {
  let text = ''
  for await (const chunk of stream ?? []) text += new TextDecoder().decode(chunk)
  return text
}

type Make<T> = new (body: ReadableStream<Uint8Array> | null, init?: ResponseInit) => T

/** What code may do with a request's stream, and what it can see then. */
const OF_REQUESTS: readonly [string, (request: Request, Response: Make<Response>) => unknown][] = [
  ['reads it', async r => [await read(r.body), r.bodyUsed, r.body?.locked]],
  [
    'asks for it twice',
    r => {
      const { body } = r
      return body === r.body
    },
  ],
  ['asks for it and looks', r => [r.body instanceof ReadableStream, r.bodyUsed, r.body?.locked]],
  [
    'asks for it, then reads the text',
    async r => [r.body?.locked, await r.text(), r.bodyUsed, r.body?.locked],
  ],
  ['reads the text, then asks for it', async r => [await r.text(), await read(r.body), r.bodyUsed]],
  ['asks for it, then reads the text twice', async r => [r.body?.locked, await r.text(), await r.text()]],
  ['locks it', r => [r.body?.getReader() === undefined, r.bodyUsed, r.body?.locked]],
  ['locks it, then reads the text', async r => [r.body?.getReader() === undefined, await r.text()]],
  ['locks it, then looks elsewhere', r => [r.body?.getReader() === undefined, r.credentials, r.bodyUsed]],
  ['locks it, then clones', r => [r.body?.getReader() === undefined, r.clone()]],
  ['locks it, then asks for a blob', async r => [r.body?.getReader() === undefined, await r.blob()]],
  ['cancels it', async r => [await r.body?.cancel(), r.bodyUsed, await outcome(() => r.text())]],
  ['reads the text, then its stream', async r => [await r.text(), (await r.body?.getReader().read())?.done]],
  [
    'clones, then reads both',
    async r => {
      const clone = r.clone()
      return [await read(clone.body), await read(r.body), clone.bodyUsed, r.bodyUsed]
    },
  ],
  [
    'asks for it, clones, then reads both',
    async r => {
      const before = r.body
      const clone = r.clone()
      return [before?.locked, await clone.text(), await r.text()]
    },
  ],
  [
    'splits it',
    async r => {
      const [one, other] = r.body!.tee()
      return [await read(one), await read(other), r.bodyUsed, r.body?.locked]
    },
  ],
  [
    'passes it on',
    async (r, Response) => {
      const response = new Response(r.body)
      return [response.bodyUsed, r.bodyUsed, await response.text(), response.bodyUsed, r.bodyUsed]
    },
  ],
  [
    'passes it on with a status',
    async (r, Response) => {
      const response = new Response(r.body, { status: 201, headers: { a: 'b' } })
      return [response.status, [...response.headers], await read(response.body)]
    },
  ],
  ['passes it on and is the same', (r, Response) => new Response(r.body).body === r.body],
  [
    'passes it on twice',
    async (r, Response) => {
      const [one, other] = [new Response(r.body), new Response(r.body)]
      return [await one.text(), await outcome(() => other.text())]
    },
  ],
  [
    'passes it on, then reads it',
    async (r, Response) => {
      const response = new Response(r.body)
      return [await r.text(), await outcome(() => response.text())]
    },
  ],
  ['passes it on locked', (r, Response) => [r.body?.getReader() === undefined, new Response(r.body)]],
  ['passes it on read', async (r, Response) => [await read(r.body), new Response(r.body)]],
  ['passes it on for nothing', (r, Response) => new Response(r.body, { status: 204 })],
  [
    'passes it on, then clones',
    async (r, Response) => {
      const response = new Response(r.body)
      const clone = response.clone()
      return [await clone.text(), await response.text(), response.bodyUsed]
    },
  ],
  [
    'transforms it',
    async (r, Response) => {
      const upper = new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) =>
          controller.enqueue(utf8(new TextDecoder().decode(chunk).toUpperCase())),
      })
      return new Response(r.body!.pipeThrough(upper)).text()
    },
  ],
]

describe.each([
  ['bytes', () => utf8(TEXT)],
  ['a stream', () => streamed(['sixteen ', 'letters.'])],
] as const)('a request with %s', (_name, content) => {
  it.each(OF_REQUESTS)('%s', async (_what, run) => {
    const expected = await outcome(() => run(nodes(content()), NODES.Response as never))
    const got = await outcome(() => run(ours(content()), Response as never))
    expect(tidy(got)).toEqual(tidy(expected))
  })
})

/** Objects of ours and of Node's are not equal, and need not be. */
function tidy(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value) ?? 'null')
}

describe('the stream of bytes that came whole', () => {
  it('fills memory that its reader brings along', async () => {
    const reader = ours(utf8(TEXT)).body!.getReader({ mode: 'byob' })
    const first = await reader.read(new Uint8Array(7))
    expect(first.value).toEqual(utf8('sixteen'))
    const rest = await reader.read(new Uint8Array(100))
    expect(rest.value).toEqual(utf8(' letters.'))
    expect((await reader.read(new Uint8Array(1))).done).toBe(true)
  })

  it('gives memory away that is its own', async () => {
    const bytes = utf8(TEXT)
    const { value } = await ours(bytes).body!.getReader().read()
    structuredClone(value, { transfer: [value!.buffer as ArrayBuffer] })
    expect(bytes).toEqual(utf8(TEXT))
  })
})

describe('a response of a stream that was passed on', () => {
  it('is there as a whole', () => {
    const request = ours(utf8(TEXT))
    const response = new Response(request.body)
    expect(LightResponse.is(response)).toBe(true)
    expect(fromWholeResponse(response, 'POST')?.body).toEqual(utf8(TEXT))
    expect([request.bodyUsed, response.bodyUsed]).toEqual([true, true])
  })

  it('is not there as a whole once code has begun to read', async () => {
    const request = ours(utf8(TEXT))
    const response = new Response(request.body)
    const reader = response.body!.getReader()
    expect(fromWholeResponse(response, 'POST')).toBeUndefined()
    await expect(fromWebResponse(response, 'POST')).rejects.toThrow(TypeError)
    reader.releaseLock()
    const { body } = await fromWebResponse(response, 'POST')
    expect(body).toEqual(utf8(TEXT))
  })

  it('is streamed if it is not there yet', async () => {
    let pull = (): void => {}
    const pulled = new Promise<void>(resolve => {
      pull = resolve
    })
    const source = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await pulled
        controller.enqueue(utf8(TEXT))
        controller.close()
      },
    })
    const { body } = await fromWebResponse(new Response(ours(source).body), 'POST')
    expect(body).toBeInstanceOf(ReadableStream)
    pull()
    expect(await read(body as ReadableStream<Uint8Array>)).toBe(TEXT)
  })
})
