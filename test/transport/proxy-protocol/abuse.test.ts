import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { concat, utf8 } from '../../../src/wire/index.ts'
import { ANSWERED, CA, dripped, heard, PLACES, quiet, REQUEST, road } from '../road.ts'

/** What a peer that is trusted can say in front of a connection, and one that is not. */
const V2 = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10)
const v2 = (command: number, family: number, rest: readonly number[]): Uint8Array =>
  concat(V2, Uint8Array.of(command, family, rest.length >> 8, rest.length & 255, ...rest))
const TCP4 = [203, 0, 113, 7, 198, 51, 100, 1, 0x12, 0x67, 1, 187]
const V1 = 'PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n'

/** First bytes of a trusted proxy → what it hears, whose words are HTTP behind them. */
const INTRODUCTIONS: Readonly<Record<string, readonly [first: Uint8Array | string, hears: RegExp]>> = {
  'version 1': [V1, ANSWERED],
  'version 2': [v2(0x21, 0x11, TCP4), ANSWERED],
  'version 2, of the proxy itself': [v2(0x20, 0, []), ANSWERED],
  'version 2, of the proxy itself, with addresses': [v2(0x20, 0x11, TCP4), ANSWERED],
  'version 2 of no known family': [v2(0x21, 0, []), ANSWERED],
  'version 1 of no known family': ['PROXY UNKNOWN\r\n', ANSWERED],
  'two of them': [`${V1}${V1}`, /^HTTP\/1\.1 400 /],
  'none: a request': ['', /^$/],
  'a name for an address': ['PROXY TCP4 localhost 198.51.100.1 4711 443\r\n', /^$/],
  'a port beyond all': ['PROXY TCP4 203.0.113.7 198.51.100.1 65536 443\r\n', /^$/],
  'a line without an end': [`PROXY TCP4 ${'1'.repeat(200)}`, /^$/],
  'a line that ends too soon': ['PROXY TCP4 203.0.113.7\n', /^$/],
  'version 3': [concat(V2, Uint8Array.of(0x31, 0x11, 0, 12, ...TCP4)), /^$/],
  'an unknown command': [v2(0x2f, 0x11, TCP4), /^$/],
  'addresses that are too short': [v2(0x21, 0x11, TCP4.slice(0, 8)), /^$/],
  'a TLV that is longer than the rest': [v2(0x21, 0x11, [...TCP4, 5, 1, 0, 1]), /^$/],
  'a CRC-32C that does not fit': [v2(0x21, 0x11, [...TCP4, 3, 0, 4, 1, 2, 3, 4]), /^$/],
  'one that is longer than may be': [concat(V2, Uint8Array.of(0x21, 0x11, 255, 255)), /^$/],
}

describe.each(PLACES)('a PROXY protocol header over %s', place => {
  const proxyProtocol = { trusted: ['127.0.0.1', 'local'] }

  it.each(Object.entries(INTRODUCTIONS))('%s, at once and in pieces', async (_, [first, hears]) => {
    const one = await road('no TLS', place, { proxyProtocol })
    const bytes = concat(typeof first === 'string' ? utf8(first) : first, REQUEST)
    const whole = await one.plain()
    whole.end(bytes)
    expect(await heard(whole)).toMatch(hears)
    expect(await dripped((await one.plain()).setNoDelay(true), bytes, 1)).toMatch(hears)
    await quiet(one)
    const stages = one.failures.map(({ stage }) => stage)
    expect(stages).toEqual(String(hears) === '/^$/' ? ['proxy-protocol', 'proxy-protocol'] : [])
    await one.server.stop(0)
  })

  it('that comes too slowly, or not at all, ends its connection in time', async () => {
    const one = await road('no TLS', place, { proxyProtocol: { ...proxyProtocol, patienceMs: 300 } })
    expect(await dripped(await one.plain(), utf8(V1), 40)).toBe('')
    expect(await heard(await one.plain())).toBe('')
    await quiet(one)
    await one.server.stop(0)
  })

  it('of a stranger is its own word, and read as HTTP', async () => {
    const one = await road('no TLS', place, { proxyProtocol: { trusted: ['203.0.113.0/24'] } })
    const socket = await one.plain()
    socket.end(concat(utf8(V1), REQUEST))
    expect(await heard(socket)).toMatch(/^HTTP\/1\.1 400 /)
    await quiet(one)
    await one.server.stop(0)
  })

  it('comes before TLS, in one piece with a hello', async () => {
    const one = await road('our TLS', place, { proxyProtocol })
    const plain = async (): Promise<Socket> => {
      const socket = await one.plain()
      socket.write(V1)
      return socket
    }
    const secured = connectTls({ socket: await plain(), servername: 'localhost', ca: CA })
    secured.end(REQUEST)
    expect(await heard(secured)).toMatch(ANSWERED)
    await quiet(one)
    await one.server.stop(0)
  })
})
