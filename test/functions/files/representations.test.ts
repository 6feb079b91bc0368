import { execFileSync } from 'node:child_process'
import { readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { evaluate, rangeHolds } from '../../../src/functions/files/conditions.ts'
import { chooseCoding } from '../../../src/functions/files/encodings.ts'
import { readRanges } from '../../../src/functions/files/ranges.ts'
import { LONG_AGO, Tree } from './tree.ts'

const LARGE = 3 * 1024 * 1024
let tree: Tree
beforeAll(() => {
  tree = new Tree({
    'digits.txt': '0123456789',
    'long.txt': 'all work and no play\n'.repeat(200),
    'picture.png': Uint8Array.from({ length: 5000 }, (_, i) => i & 0xff),
    'large.bin': new Uint8Array(LARGE).map((_, i) => i % 251),
    'large.txt': 'a line with <markup> & more, and ü\n'.repeat(100_000),
  })
})
afterAll(() => tree.remove())

const EVERYTHING = { 'accept-encoding': 'gzip, br' }

describe('conditions (RFC 9110 §13)', () => {
  const validators = { etag: '"a"', modified: 1000 }
  const at = (seconds: number): string => new Date(seconds * 1000).toUTCString()
  it.each<[Record<string, string>, string]>([
    [{}, 'go'],
    [{ 'if-none-match': '"a"' }, 'unchanged'],
    [{ 'if-none-match': 'W/"a"' }, 'unchanged'],
    [{ 'if-none-match': '"b", "c,d" ,"a"' }, 'unchanged'],
    [{ 'if-none-match': '*' }, 'unchanged'],
    [{ 'if-none-match': '"b"' }, 'go'],
    [{ 'if-none-match': 'a' }, 'go'],
    // The date does not count beside it.
    [{ 'if-none-match': '"b"', 'if-modified-since': at(2000) }, 'go'],
    [{ 'if-modified-since': at(1000) }, 'unchanged'],
    [{ 'if-modified-since': at(999) }, 'go'],
    [{ 'if-modified-since': 'yesterday' }, 'go'],
    [{ 'if-modified-since': '1000' }, 'go'],
    [{ 'if-match': '"a"' }, 'go'],
    [{ 'if-match': 'W/"a"' }, 'failed'],
    [{ 'if-match': '"b"' }, 'failed'],
    [{ 'if-match': '*' }, 'go'],
    [{ 'if-match': '"a"', 'if-unmodified-since': at(1) }, 'go'],
    [{ 'if-unmodified-since': at(999) }, 'failed'],
    [{ 'if-unmodified-since': at(1000) }, 'go'],
    [{ 'if-match': '"a"', 'if-none-match': '"a"' }, 'unchanged'],
  ])('%o: %s', (headers, outcome) => {
    expect(evaluate(new Headers(headers), validators)).toBe(outcome)
  })

  it.each<[string | undefined, boolean]>([
    [undefined, true],
    ['"a"', true],
    ['W/"a"', false],
    ['"b"', false],
    [at(1000), true],
    [at(1001), false],
    ['nonsense', false],
  ])('If-Range %s: %s', (field, holds) => {
    const headers = new Headers(field === undefined ? {} : { 'if-range': field })
    expect(rangeHolds(headers, validators)).toBe(holds)
  })

  it('a page that has not changed is not sent again, in the coding that the client has', async () => {
    const first = await tree.get('/long.txt', EVERYTHING)
    expect(first.status).toBe(200)
    const etag = first.headers.get('etag')!
    const again = await tree.get('/long.txt', { ...EVERYTHING, 'if-none-match': etag })
    expect([again.status, again.body, again.headers.get('etag')]).toEqual([304, null, etag])
    expect((await tree.get('/long.txt', { 'if-none-match': etag })).status).toBe(200)
    const since = { 'if-modified-since': LONG_AGO.toUTCString() }
    expect((await tree.get('/large.bin', since)).status).toBe(304)
  })

  it('another content has another tag, even with the same size and time', async () => {
    tree.write('twin.txt', 'aaaa')
    const one = (await tree.get('/twin.txt?raw')).headers.get('etag')
    tree.write('twin.txt.new', 'bbbb')
    execFileSync('mv', [join(tree.root, 'twin.txt.new'), join(tree.root, 'twin.txt')])
    const other = await tree.get('/twin.txt?raw')
    expect(await other.text()).toBe('bbbb')
    expect(other.headers.get('etag')).not.toBe(one)
  })

  it('a large file that changed just now has a weak tag', async () => {
    writeFileSync(join(tree.root, 'fresh.bin'), new Uint8Array(LARGE))
    const fresh = await tree.get('/fresh.bin')
    await fresh.body?.cancel()
    expect(fresh.headers.get('etag')).toMatch(/^W\/"/)
    const old = await tree.get('/large.bin')
    await old.body?.cancel()
    expect(old.headers.get('etag')).toMatch(/^"/)
  })
})

describe('ranges (RFC 9110 §14)', () => {
  it.each<[string, unknown]>([
    ['bytes=0-0', [{ start: 0, end: 0 }]],
    ['bytes=2-4', [{ start: 2, end: 4 }]],
    ['bytes=7-', [{ start: 7, end: 9 }]],
    ['bytes=-3', [{ start: 7, end: 9 }]],
    ['bytes=-30', [{ start: 0, end: 9 }]],
    ['bytes=5-99999999999999999999', [{ start: 5, end: 9 }]],
    ['BYTES=1-2', [{ start: 1, end: 2 }]],
    [
      'bytes=0-1, 4-5,8-',
      [
        { start: 0, end: 1 },
        { start: 4, end: 5 },
        { start: 8, end: 9 },
      ],
    ],
    ['bytes=0-1,50-60', [{ start: 0, end: 1 }]],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=4-2', undefined],
    ['bytes=a-b', undefined],
    ['bytes=-', undefined],
    ['bytes=', undefined],
    ['lines=1-2', undefined],
    ['bytes=0-5,3-7', undefined],
    [`bytes=${Array.from({ length: 17 }, (_, i) => `${i}-${i}`).join(',')}`, undefined],
  ])('%s', (field, ranges) => {
    expect(readRanges(field, 10)).toEqual(ranges)
  })

  it.each(['/digits.txt?raw', '/large.bin'])('%s is cut', async path => {
    const whole = new Uint8Array(await (await tree.get(path)).arrayBuffer())
    const cut = await tree.get(path, { range: 'bytes=2-5', ...EVERYTHING })
    expect([cut.status, cut.headers.get('content-range'), cut.headers.get('content-length')]).toEqual([
      206,
      `bytes 2-5/${whole.length}`,
      '4',
    ])
    expect(cut.headers.get('content-encoding')).toBeNull()
    expect(new Uint8Array(await cut.arrayBuffer())).toEqual(whole.subarray(2, 6))
    const past = await tree.get(path, { range: `bytes=${whole.length}-` })
    expect([past.status, past.headers.get('content-range')]).toEqual([416, `bytes */${whole.length}`])
  })

  it('several at once come as parts, with their length', async () => {
    const answer = await tree.get('/digits.txt?raw', { range: 'bytes=0-1,8-' })
    const [, boundary] = /^multipart\/byteranges; boundary=(\w+)$/.exec(answer.headers.get('content-type')!)!
    const text = await answer.text()
    expect(answer.headers.get('content-length')).toBe(String(text.length))
    const type = 'Content-Type: text/plain; charset=utf-8'
    const part = (range: string, bytes: string): string =>
      `\r\n--${boundary}\r\n${type}\r\nContent-Range: bytes ${range}/10\r\n\r\n${bytes}`
    expect(text).toBe(`${part('0-1', '01')}${part('8-9', '89')}\r\n--${boundary}--\r\n`)
  })

  it('a range of an older content gives the whole of the newer one', async () => {
    const answer = await tree.get('/digits.txt?raw', { range: 'bytes=0-1', 'if-range': '"old"' })
    expect([answer.status, await answer.text()]).toEqual([200, '0123456789'])
  })
})

describe('content codings (RFC 9110 §12.5.3)', () => {
  it.each<[string | null, string | undefined]>([
    [null, 'identity'],
    ['', 'identity'],
    ['gzip', 'gzip'],
    ['br', 'br'],
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip;q=1.0, br;q=0.5', 'gzip'],
    ['x-gzip', 'gzip'],
    ['*', 'br'],
    ['br;q=0, *', 'gzip'],
    ['identity, gzip;q=0.5', 'identity'],
    ['br;q=0', 'identity'],
    ['GZIP ; Q=0.3', 'gzip'],
    ['identity;q=0', undefined],
    ['*;q=0', undefined],
    ['gzip;q=nonsense', 'identity'],
  ])('%s: %s', (field, coding) => {
    expect(chooseCoding(field)).toBe(coding)
  })

  it.each([
    ['br', brotliDecompressSync],
    ['gzip', gunzipSync],
  ])('%s gives the same bytes, and a tag of its own', async (coding, open) => {
    const plain = await tree.get('/long.txt?raw')
    const coded = await tree.get('/long.txt?raw', { 'accept-encoding': coding })
    expect(coded.headers.get('content-encoding')).toBe(coding)
    expect(coded.headers.get('vary')).toContain('accept-encoding')
    expect(coded.headers.get('etag')).not.toBe(plain.headers.get('etag'))
    const bytes = new Uint8Array(await coded.arrayBuffer())
    expect(coded.headers.get('content-length')).toBe(String(bytes.length))
    expect(open(bytes).toString()).toBe(await plain.text())
  })

  it('what is small or a picture is left as it is', async () => {
    for (const path of ['/digits.txt?raw', '/picture.png']) {
      const { headers, body } = await tree.get(path, EVERYTHING)
      expect(headers.get('content-encoding')).toBeNull()
      await body?.cancel()
    }
  })
})

describe('large files', () => {
  it('are sent as they are read, with their length', async () => {
    const answer = await tree.get('/large.bin')
    expect(answer.headers.get('content-length')).toBe(String(LARGE))
    const bytes = new Uint8Array(await answer.arrayBuffer())
    expect(bytes.length).toBe(LARGE)
    expect(bytes.every((byte, i) => byte === i % 251)).toBe(true)
  })

  it('have a page that is made as it is sent', async () => {
    const text = await tree.text('/large.txt')
    expect(text.match(/a line with &#60;markup&#62; &#38; more, and ü\n/g)).toHaveLength(100_000)
    expect(text).toMatch(/<\/html>\n$/)
  })

  it('one that becomes shorter breaks off, one whose client goes is closed', async () => {
    const count = (): number => readdirSync('/proc/self/fd').length
    const before = count()
    tree.write('shrinks.bin', new Uint8Array(LARGE))
    const answer = await tree.get('/shrinks.bin')
    truncateSync(join(tree.root, 'shrinks.bin'), 70_000)
    await expect(answer.arrayBuffer()).rejects.toThrow('shorter')
    const gone = (await tree.get('/large.bin')).body!.getReader()
    await gone.read()
    await gone.cancel()
    const page = (await tree.get('/large.txt')).body!.getReader()
    await page.read()
    await page.cancel()
    expect(count()).toBe(before)
  })

  it('HEAD tells what GET would, without the content', async () => {
    for (const path of ['/large.bin', '/long.txt', '/', '/digits.txt?raw']) {
      const get = await tree.get(path)
      const head = await tree.get(path, {}, { method: 'HEAD' })
      expect(head.body).toBeNull()
      expect([...head.headers]).toEqual([...get.headers])
      await get.body?.cancel()
    }
  })
})

describe('what is no file', () => {
  it('is not there: a pipe is not waited for, what may not be read is not shown', async () => {
    execFileSync('mkfifo', [join(tree.root, 'pipe')])
    expect((await tree.get('/pipe')).status).toBe(404)
    expect(await tree.text('/')).not.toContain('pipe')
  })

  it('other methods are refused', async () => {
    const answer = await tree.get('/', {}, { method: 'POST' })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })
})
