import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { H1Server } from '../../src/http/h1/index.ts'
import { readRequest, readTrailers } from '../../src/http/h2/fields.ts'
import { HpackDecoder } from '../../src/http/h2/hpack/decoder.ts'
import { Entry } from '../../src/http/h2/hpack/table.ts'
import { H2Client, H2Server } from '../../src/http/h2/index.ts'
import { requestHead } from '../../src/http/h2/request-head.ts'
import { h2State } from '../../src/http/h2/state.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { drawnLines, fieldsIn } from '../../src/trace/drawing.ts'
import { annotate, concat, decode, encode, utf8 } from '../../src/wire/index.ts'
import { findInMemory } from '../support/memory-search.ts'
import { THROUGH_MOVES } from '../support/through-moves.ts'

const KEY = 'data-key AAAABBBBCCCC'
const textOf = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1')
const includes = (bytes: Uint8Array): boolean => Buffer.from(bytes).includes('AAAABBBB')

describe('a key over HTTP/1', () => {
  const head = [
    'POST /vault HTTP/1.1',
    'Host: a',
    `X-Hotpotato-KEY:  ${KEY} `,
    'Content-Length: 3',
    'X-Other: b',
    '\r\n',
  ].join('\r\n')

  /** The request that the server announces, with whatever pieces the bytes come in. */
  function announced(server: H1Server, bytes: Uint8Array, piece = bytes.length) {
    for (let at = 0; at < bytes.length; at += piece) {
      server.receive(bytes.slice(at, at + piece))
      const event = server.next()
      if (event?.type === 'request') {
        // The rest, as a connection reads it.
        server.receive(bytes.slice(at + piece))
        return event
      }
      if (event !== undefined) throw new Error(JSON.stringify(event))
    }
    throw new Error('no request')
  }

  it.each([1, 7, 1000])('is bytes beside the head, and no field of it, in pieces of %i', piece => {
    const { head: said } = announced(new H1Server(), utf8(`${head}abc`), piece)
    expect(textOf(said.key)).toBe(KEY)
    expect(said.headers.map(([name]) => name)).toEqual(['Host', 'Content-Length', 'X-Other'])
    expect(JSON.stringify(said.headers)).not.toContain('AAAA')
  })

  // Where a copy moves between any two calls, there is no one place.
  it.skipIf(THROUGH_MOVES)('goes on with a request that is not for here, and is wiped where it was', () => {
    const server = new H1Server()
    const bytes = utf8(`${head}abc`)
    server.receive(bytes)
    const event = server.next()
    const state = server.export()
    server.left()
    expect(includes(state.inbound)).toBe(true)
    expect([includes(bytes), event?.type === 'request' && textOf(event.head.key)]).toEqual([
      false,
      '\0'.repeat(KEY.length),
    ])
    const next = new H1Server(undefined, state)
    const again = next.next()
    expect(again?.type === 'request' && textOf(again.head.key)).toBe(KEY)
    next.accept()
    expect(includes(state.inbound)).toBe(false)
  })

  // Where a copy moves between any two calls, there is no one place.
  it.skipIf(THROUGH_MOVES)('is wiped in the bytes that it came in when its request is accepted', () => {
    const server = new H1Server()
    const bytes = utf8(`${head}abc`)
    server.receive(bytes)
    server.next()
    server.accept()
    expect(includes(bytes)).toBe(false)
    expect(Buffer.from(bytes).includes('X-Other: b')).toBe(true)
  })

  it('comes back whole with a request that is taken back', () => {
    const server = new H1Server()
    server.receive(utf8(head))
    server.next()
    server.accept()
    server.withdraw([])
    const event = server.next()
    expect(event?.type === 'request' && textOf(event.head.key)).toBe(KEY)
  })

  it('is not two', () => {
    const server = new H1Server()
    server.receive(utf8(head.replace('X-Other: b', 'x-hotpotato-key: b')))
    expect(server.next()).toMatchObject({ type: 'error', status: 400 })
  })

  // Where a copy moves between any two calls, there is no one place.
  it.skipIf(THROUGH_MOVES)('among the trailers is none, and is wiped', () => {
    const server = new H1Server()
    const lines = ['POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', '']
    const bytes = utf8([...lines, '0', `X-Hotpotato-Key: ${KEY}`, 'A: b', '\r\n'].join('\r\n'))
    server.receive(bytes)
    expect(server.next()).toMatchObject({ type: 'request' })
    server.accept()
    expect(server.next()).toEqual({ type: 'end', trailers: [['A', 'b']] })
    expect(includes(bytes)).toBe(false)
  })
})

describe('a key over HTTP/2', () => {
  /** A literal with incremental indexing and a new name (RFC 7541 §6.2.1), as most clients write it. */
  const indexed = concat(
    Uint8Array.of(0x40, 15),
    utf8('x-hotpotato-key'),
    Uint8Array.of(KEY.length),
    utf8(KEY),
  )
  /** Whatever was added last (§6.1). */
  const again = Uint8Array.of(0x80 | 62)

  it('is bytes, and is wiped in the block that it came in', () => {
    const decoder = new HpackDecoder()
    const block = indexed.slice()
    const [entry] = decoder.decode(block)
    expect([entry!.name, entry!.value, textOf(entry!.key)]).toEqual(['x-hotpotato-key', '', KEY])
    expect(includes(block)).toBe(false)
    expect(entry!.size).toBe(15 + KEY.length + 32)
  })

  it('that comes twice is answered with 400, as over HTTP/1, and neither is kept', () => {
    const keys = [utf8(KEY), utf8(KEY)]
    const fields = Object.entries({ ':method': 'GET', ':scheme': 'https', ':authority': 'a', ':path': '/' })
    const entries = [
      ...fields.map(([name, value]) => new Entry(name, value)),
      ...keys.map(key => new Entry('x-hotpotato-key', '', key)),
    ]
    const { method, scheme, authority, path, protocol, headers, key } = readRequest(entries, false)
    const event = { method, scheme, authority, path, protocol, headers, key }
    expect(() => requestHead(event)).toThrowError(
      expect.objectContaining({ status: 400, message: 'two fields x-hotpotato-key' }),
    )
    expect(keys.some(includes)).toBe(false)
    const trailers = [new Entry('x-hotpotato-key', '', utf8(KEY)), new Entry('a', 'b')]
    expect(readTrailers(trailers)).toEqual([['a', 'b']])
    expect(includes(trailers[0]!.key!)).toBe(false)
  })

  it('that a client has indexed is there as long as the connection is, and goes on as stars', () => {
    const decoder = new HpackDecoder()
    decoder.decode(indexed.slice())
    expect(textOf(decoder.decode(again)[0]!.key)).toBe(KEY)
    const keyless = new HpackDecoder(4096, decoder.export(true))
    expect(textOf(keyless.decode(again)[0]!.key)).toBe('*'.repeat(KEY.length))
    const whole = new HpackDecoder(4096, decoder.export())
    expect([textOf(whole.decode(again)[0]!.key), whole.size]).toEqual([KEY, keyless.size])
    whole.forget()
    expect(textOf(whole.decode(again)[0]!.key)).toBe('\0'.repeat(KEY.length))
  })

  it('goes on with a request that is not for here, and dumps do not show it', () => {
    const [client, server] = [new H2Client(), new H2Server()]
    const headers = [['x-hotpotato-key', KEY] as const, ['x-other', 'b'] as const]
    client.request({ method: 'GET', scheme: 'https', authority: 'a', path: '/', headers }, true)
    server.receive(client.takeOutput())
    let event = server.next()
    while (event !== undefined && event.type !== 'request') event = server.next()
    expect(event?.type === 'request' && [textOf(event.key), event.headers]).toEqual([KEY, [['x-other', 'b']]])
    while (server.next() !== undefined);
    const bytes = encode(h2State, server.export())
    expect(includes(bytes)).toBe(true)
    const lines = drawnLines(bytes, fieldsIn(annotate(h2State, bytes)), { label: 'notation' })
    expect(lines.join('\n')).not.toContain('AAAABBBB')
    const next = new H2Server(undefined, decode(h2State, bytes))
    let restored = next.next()
    while (restored !== undefined && restored.type !== 'request') restored = next.next()
    expect(restored?.type === 'request' && textOf(restored.key)).toBe(KEY)
  })
  it('that has come with a state and is wiped is nowhere in the memory of its process', async () => {
    // Shorter than what is moved about in the engine's heap, and unlike any text of a program.
    const secret = Buffer.from(node.random(16)).toString('hex')
    const [client, server] = [new H2Client(), new H2Server()]
    const headers = [['x-hotpotato-key', secret] as const]
    client.request({ method: 'GET', scheme: 'https', authority: 'a', path: '/', headers }, true)
    server.receive(client.takeOutput())
    while (server.next() !== undefined);
    const built = (name: string): string => new URL(`../../dist/src/${name}.js`, import.meta.url).href
    const code = `
const { h2State } = await import('${built('http/h2/state')}')
const { decode, wipe } = await import('${built('wire/index')}')
process.stdin.on('data', bytes => {
  const state = new Uint8Array(new ArrayBuffer(bytes.length))
  for (let i = 0; i < state.length; i++) state[i] = bytes[i] ^ 0xff
  const values = [1, 2, 3].map(() => decode(h2State, state))
  state.fill(0)
  if (process.argv[1] === 'wipes') for (const value of values) wipe(h2State, value)
  globalThis.held = values
  console.log('done')
})`
    const state = encode(h2State, server.export()).map(byte => byte ^ 0xff)
    const left = async (word: string): Promise<number> => {
      const child = spawn(process.execPath, ['--input-type=module', '--eval', code, word])
      child.stdin.write(state)
      await once(child.stdout, 'data')
      const { length } = findInMemory(child.pid!, utf8(secret))
      child.kill('SIGKILL')
      return length
    }
    expect(await left('keeps')).toBeGreaterThanOrEqual(3)
    expect(await left('wipes')).toBe(0)
  })
})
