import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { FetchHandler } from '../../../src/functions/contract.ts'
import { Forwarder } from '../../../src/functions/programs/forward.ts'
import { type Asked, type Got, throughFunction } from '../../support/application.ts'
import { eventually } from '../../support/platform.ts'

/*
 * A catalogue of programs that do not keep to HTTP/1.1: what each of them says, and what its client gets.
 * None of them may cost the container anything, leave what it said to the next request, or be told of in
 * silence.
 */

/** What one program does with the connection on which it was asked. */
type Peer = string | readonly [says: string, then: 'closes' | 'resets'] | ((socket: Socket) => void)

/**
 * What becomes of it:
 * - `502`: the client gets that, with one line in the log;
 * - `cut`: it sees that the answer broke off, with one line in the log;
 * - `once`: it gets this answer, and the connection to the program is given up;
 * - `kept`: it gets this answer, and the connection is used again.
 */
type Fate = '502' | 'cut' | 'once' | 'kept'

interface Case {
  readonly name: string
  readonly peer: Peer
  readonly fate: Fate
  readonly asked?: Asked
  /** What it gets, where that is an answer. */
  readonly got?: Partial<Got>
}

const OK = 'HTTP/1.1 200 OK\r\n'
const HI = `${OK}Content-Length: 2\r\n\r\nhi`
const EVIL = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
const TE = 'Transfer-Encoding: chunked\r\n'
const CHUNKED = `${OK}${TE}\r\n`
const POST: Asked = { method: 'POST', pieces: ['a'] }
const HEAD: Asked = { method: 'HEAD' }
const MEGABYTE = 'x'.repeat(1_000_000)
const body = (text: string): Partial<Got> => ({ status: 200, body: text, end: 'whole' })

function cases(
  group: string,
  ...all: readonly (readonly [string, Peer, Fate, Asked?, Partial<Got>?])[]
): Case[] {
  return all.map(([name, peer, fate, asked = {}, got = {}]) => ({
    name: `${group}: ${name}`,
    peer,
    fate,
    asked,
    got,
  }))
}

/** Sends zeros on and on, until it is not wanted any more. */
function endlessly(before: string, piece: string): Peer {
  return socket => {
    socket.write(before)
    const more = (): void => {
      while (!socket.destroyed && socket.write(piece));
    }
    socket.on('drain', more)
    more()
  }
}

const CASES: readonly Case[] = [
  ...cases(
    'status line',
    ['rubbish', 'rubbish\r\n\r\n', '502'],
    ['nothing, and the end', ['', 'closes'], '502', POST],
    ['nothing, and a reset', ['', 'resets'], '502', POST],
    ['an empty line ahead of it', `\r\n${HI}`, 'kept', {}, body('hi')],
    ['HTTP/2.0', 'HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi', '502'],
    ['HTTP/0.9: content alone', 'hi there\n', '502'],
    ['the status 99', 'HTTP/1.1 99 Odd\r\nContent-Length: 0\r\n\r\n', '502'],
    ['the status 999', 'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n', '502'],
    ['the status 1000', 'HTTP/1.1 1000 Odd\r\nContent-Length: 0\r\n\r\n', '502'],
    ['no reason', 'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi', 'kept', {}, body('hi')],
    ['a reason of a megabyte', `HTTP/1.1 200 ${MEGABYTE}\r\nContent-Length: 2\r\n\r\nhi`, '502'],
    ['a reason without end', endlessly('HTTP/1.1 200 ', MEGABYTE), '502'],
  ),
  ...cases(
    'fields',
    ['one of a megabyte', `${OK}X: ${MEGABYTE}\r\nContent-Length: 2\r\n\r\nhi`, '502'],
    ['one without end', endlessly(`${OK}X: `, MEGABYTE), '502'],
    ['20000 of them', `${OK}${'X-Field: value\r\n'.repeat(20_000)}Content-Length: 2\r\n\r\nhi`, '502'],
    ['without end', endlessly(OK, 'X-Field: value\r\n'.repeat(1000)), '502'],
    ['a folded one', `${OK}X-A: a\r\n b\r\nContent-Length: 2\r\n\r\nhi`, '502'],
    ['a folded length', `${OK}Content-Length: 2\r\n 4\r\n\r\nhi`, '502'],
    ['a space before the colon', `${OK}Content-Length : 2\r\n\r\nhi`, '502'],
    ['a space before the name', `${OK} X-A: a\r\nContent-Length: 2\r\n\r\nhi`, '502'],
    ['no colon', `${OK}X-A\r\nContent-Length: 2\r\n\r\nhi`, '502'],
    ['no name', `${OK}: a\r\nContent-Length: 2\r\n\r\nhi`, '502'],
    ['a name of two words', `${OK}X A: a\r\nContent-Length: 2\r\n\r\nhi`, '502'],
    ['a NUL in a value', `${OK}X-A: a\0b\r\nContent-Length: 2\r\n\r\nhi`, '502'],
    ['a bare CR in a value', `${OK}X-A: a\rX-B: b\r\nContent-Length: 2\r\n\r\nhi`, '502'],
    ['lines that end with LF alone', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nhi', '502'],
    ['one line that ends with LF alone', `${OK}X-A: a\nContent-Length: 2\r\n\r\nhi`, '502'],
    ['a head without end, and the end', [`${OK}X-A: a\r\n`, 'closes'], '502'],
  ),
  ...cases(
    'length',
    ['two that differ', `${OK}Content-Length: 2\r\nContent-Length: 4\r\n\r\nhi`, '502'],
    ['two that are the same', `${OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi`, '502'],
    ['two in one field', `${OK}Content-Length: 2, 2\r\n\r\nhi`, '502'],
    ['with a sign', `${OK}Content-Length: +2\r\n\r\nhi`, '502'],
    ['less than nothing', `${OK}Content-Length: -2\r\n\r\nhi`, '502'],
    ['in hexadecimal', `${OK}Content-Length: 0x2\r\n\r\nhi`, '502'],
    ['none at all', `${OK}Content-Length:\r\n\r\nhi`, '502'],
    ['more than numbers have', `${OK}Content-Length: 99999999999999999999\r\n\r\nhi`, '502'],
    ['and chunks', `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`, '502'],
    [
      'and chunks, the other way',
      `${OK}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
      '502',
    ],
    ['more content than it', HI + EVIL, 'once', {}, body('hi')],
    ['less content, and the end', [`${OK}Content-Length: 9\r\n\r\nhalf`, 'closes'], 'cut'],
    ['less content, and a reset', [`${OK}Content-Length: 9\r\n\r\nhalf`, 'resets'], 'cut'],
  ),
  ...cases(
    'chunks',
    ['of a coding that is none', `${OK}Transfer-Encoding: xchunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`, '502'],
    ['that are coded', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`, '502'],
    ['that are not last', `${OK}Transfer-Encoding: chunked, gzip\r\n\r\n2\r\nhi\r\n0\r\n\r\n`, '502'],
    ['twice', `${OK}Transfer-Encoding: chunked, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`, '502'],
    ['of no size', `${CHUNKED}2\r\nhi\r\nzz\r\n`, 'cut'],
    ['of a size with a sign', `${CHUNKED}2\r\nhi\r\n-1\r\n`, 'cut'],
    ['of more than numbers have', `${CHUNKED}2\r\nhi\r\nfffffffffffffffff\r\n`, 'cut'],
    ['longer than their size', `${CHUNKED}2\r\nhi there\r\n0\r\n\r\n`, 'cut'],
    ['with an extension', `${CHUNKED}2;a=b\r\nhi\r\n0\r\n\r\n`, 'kept', {}, body('hi')],
    ['with an extension without end', endlessly(`${CHUNKED}2\r\nhi\r\n2;`, MEGABYTE), 'cut'],
    ['that end with LF alone', `${CHUNKED}2\nhi\n0\n\n`, 'cut'],
    ['that do not end', [`${CHUNKED}2\r\nhi\r\n`, 'closes'], 'cut'],
    ['with more behind the last', `${CHUNKED}2\r\nhi\r\n0\r\n\r\n${EVIL}`, 'once', {}, body('hi')],
  ),
  ...cases(
    'trailers',
    [
      'unannounced',
      `${CHUNKED}2\r\nhi\r\n0\r\nX-Sum: 3\r\n\r\n`,
      'kept',
      {},
      { ...body('hi'), trailers: [] },
    ],
    [
      'announced',
      `${OK}Trailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 3\r\n\r\n`,
      'kept',
      {},
      { ...body('hi'), trailers: [['x-sum', '3']] },
    ],
    [
      'that are none',
      `${OK}Trailer: host, x-sum\r\n${TE}\r\n2\r\nhi\r\n0\r\nHost: evil\r\nX-Sum: 3\r\n\r\n`,
      'kept',
      {},
      { ...body('hi'), trailers: [['x-sum', '3']] },
    ],
    [
      'that would frame the message',
      `${OK}Trailer: content-length\r\n${TE}\r\n2\r\nhi\r\n0\r\nContent-Length: 9\r\n\r\n`,
      'cut',
    ],
    ['20000 of them', `${CHUNKED}2\r\nhi\r\n0\r\n${'X-Field: value\r\n'.repeat(20_000)}\r\n`, 'cut'],
    ['without end', endlessly(`${CHUNKED}2\r\nhi\r\n0\r\n`, 'X-Field: value\r\n'.repeat(1000)), 'cut'],
  ),
  ...cases(
    'interim responses',
    [
      'one',
      `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${HI}`,
      'kept',
      {},
      { ...body('hi'), interim: [[103, '</a>']] },
    ],
    [
      'one of the platform’s own',
      `HTTP/1.1 100 Continue\r\n\r\n${HI}`,
      'kept',
      {},
      { ...body('hi'), interim: [] },
    ],
    ['with content', `HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\nevil${HI}`, '502'],
    ['without end', endlessly('', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(10)), '502'],
    ['and nothing else', ['HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n', 'closes'], '502', POST],
    [
      '101, unasked',
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n${EVIL}`,
      '502',
    ],
    ['101 without Upgrade', `HTTP/1.1 101 Switching Protocols\r\n\r\n${EVIL}`, '502'],
  ),
  ...cases(
    'no content',
    ['to HEAD, with some', HI, 'once', HEAD, { status: 200, body: '', end: 'whole' }],
    [
      'to HEAD, with chunks',
      `${CHUNKED}2\r\nhi\r\n0\r\n\r\n`,
      'once',
      HEAD,
      { status: 200, body: '', end: 'whole' },
    ],
    [
      '204, with some',
      'HTTP/1.1 204 No Content\r\n\r\nevil',
      'once',
      {},
      { status: 204, body: '', end: 'whole' },
    ],
    [
      '204, with a length',
      `HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil`,
      'once',
      {},
      { status: 204, body: '', end: 'whole' },
    ],
    [
      '304, with a length',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n',
      'kept',
      {},
      { status: 304, body: '', end: 'whole' },
    ],
    [
      '304, with content',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil',
      'once',
      {},
      { status: 304, body: '', end: 'whole' },
    ],
    [
      '205, with some',
      'HTTP/1.1 205 Reset Content\r\nContent-Length: 4\r\n\r\nevil',
      'kept',
      {},
      { status: 205, body: '', end: 'whole' },
    ],
  ),
  ...cases(
    'the connection',
    ['HTTP/1.0, until it ends', ['HTTP/1.0 200 OK\r\n\r\nhi', 'closes'], 'once', {}, body('hi')],
    ['HTTP/1.0, with a length', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi', 'once', {}, body('hi')],
    [
      'HTTP/1.0, kept',
      'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi',
      'kept',
      {},
      body('hi'),
    ],
    [
      'HTTP/1.0, with chunks',
      `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
      '502',
    ],
    ['no length, until it ends', [`${OK}\r\nhi`, 'closes'], 'once', {}, body('hi')],
    ['no length, and a reset', [`${OK}\r\nhi`, 'resets'], 'cut'],
    ['close', `${OK}Connection: close\r\nContent-Length: 2\r\n\r\nhi`, 'once', {}, body('hi')],
    [
      'close and keep-alive',
      `${OK}Connection: keep-alive, close\r\nContent-Length: 2\r\n\r\nhi`,
      'once',
      {},
      body('hi'),
    ],
    [
      'fields of its own hop',
      `${OK}Connection: x-own\r\nX-Own: a\r\nKeep-Alive: x\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi`,
      'kept',
      {},
      { ...body('hi'), headers: [] },
    ],
    [
      'its answer before all of the request',
      HI,
      'kept',
      { method: 'POST', pieces: ['a', 'b'.repeat(200_000)] },
      body('hi'),
    ],
  ),
]

const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

/** A program that is asked for that case on its first connection, and answers as it should on all others. */
async function against(peer: Peer) {
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, socket => {
    const first = sockets.push(socket) === 1
    open.push(() => socket.destroy())
    socket.on('error', () => {})
    let asked = 0
    socket.on('data', bytes => {
      if (!/^[A-Z]+ \S+ HTTP\/1\.1\r\n/.test(bytes.toString('latin1'))) return
      if (!first || asked++ > 0) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext')
      else if (typeof peer === 'function') peer(socket)
      else if (typeof peer === 'string') socket.write(peer, 'latin1')
      else
        socket.write(peer[0], 'latin1', () =>
          setTimeout(() => (peer[1] === 'closes' ? socket.end() : socket.resetAndDestroy()), 20),
        )
    })
    socket.on('end', () => socket.end())
  }).listen(0, '127.0.0.1')
  open.push(() => server.close())
  await once(server, 'listening')
  const endpoint = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  const forwarder = new Forwarder('app', {
    ready: () => endpoint,
    refused: async () => undefined,
    lives: async () => true,
  })
  open.push(() => forwarder.reset())
  const handler: FetchHandler = { fetch: (request, _env, context) => forwarder.fetch(request, context) }
  return { handler, sockets }
}

describe('a program that says', () => {
  it.each(CASES)('$name → $fate', async ({ peer, fate, asked = {}, got: wanted }) => {
    const { handler, sockets } = await against(peer)
    const lines: unknown[] = []
    const got = await throughFunction(handler, asked, undefined, (...entry) => void lines.push(entry))
    if (fate === '502') {
      expect([got.status, got.end]).toEqual([502, 'whole'])
      expect(got.headers).toContainEqual(['x-hotpotato-error', 'program-failed'])
      expect(got.body).not.toContain('evil')
    } else if (fate === 'cut') expect([got.status, got.end]).toEqual([200, 'cut'])
    else expect(got).toMatchObject(wanted!)
    expect(got.interim.length).toBeLessThanOrEqual(32)
    expect(lines).toHaveLength(fate === '502' || fate === 'cut' ? 1 : 0)
    // What it said besides is not the answer to the next request.
    const next = await throughFunction(handler)
    expect([next.status, next.body]).toEqual([200, 'next'])
    expect(sockets).toHaveLength(fate === 'kept' ? 1 : 2)
    if (fate !== 'kept')
      await eventually(
        () => sockets[0]!.destroyed || sockets[0]!.readableEnded || undefined,
        'it is left open',
      )
  })
})
