import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { finished, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { fromNode } from '../../src/functions/adapters/node-http.ts'
import type { Context } from '../../src/functions/contract.ts'
import {
  type Asked,
  type Calling,
  type Listener,
  throughFunction,
  throughNode,
} from '../support/application.ts'

/** A listener that keeps a diary, and what it is asked. */
type Case = readonly [name: string, make: (diary: unknown[]) => Listener, asked?: Asked]

const LARGE = 300_000
const post = (...pieces: string[]): Asked => ({ method: 'POST', target: '/x?y=z', pieces })

/** Which of these events come, and in which order. */
function note(diary: unknown[], what: string, from: NodeJS.EventEmitter, ...events: string[]): void {
  for (const event of events) from.on(event, () => diary.push(`${what} ${event}`))
}

const ANSWERS: readonly Case[] = [
  ['a text', () => (_, response) => response.end('text')],
  ['nothing', () => (_, response) => response.end()],
  ['bytes', () => (_, response) => response.end(Buffer.from([0, 128, 255]))],
  ['text in UTF-8', () => (_, response) => response.end('ä€😀')],
  ['text in latin1', () => (_, response) => response.end('äöü', 'latin1')],
  ['text in hexadecimal', () => (_, response) => response.end('00ff10', 'hex')],
  [
    'text of several encodings',
    () => (_, response) => {
      response.write('ä', 'utf16le')
      response.write('YQ==', 'base64')
      response.end('z')
    },
  ],
  ['a status of its own', () => (_, response) => response.writeHead(418, 'No coffee').end('pot')],
  ['204', () => (_, response) => response.writeHead(204).end()],
  ['304', () => (_, response) => response.writeHead(304, { etag: '"a"', 'content-length': 9 }).end()],
  ['205', () => (_, response) => response.writeHead(205, { 'content-length': 0 }).end()],
  [
    'HEAD',
    () => (_, response) => response.writeHead(200, { 'content-length': 9 }).end('not sent!'),
    { method: 'HEAD' },
  ],
  [
    'fields, one by one and several of a name',
    () => (_, response) => {
      response.setHeader('Vary', ['a', 'b']).setHeader('Set-Cookie', ['a=1', 'b=2']).setHeader('X-A', 'é  ')
      response.appendHeader('x-a', 'two')
      response.end(Buffer.from('x'))
    },
  ],
  [
    'fields in a list',
    () => (_, response) => response.writeHead(200, ['X-A', '1', 'Set-Cookie', 'a', 'Set-Cookie', 'b']).end(),
  ],
  [
    'a Date of its own',
    () => (_, response) => response.setHeader('x', '1').setHeader('date', 'now').end('x'),
  ],
  [
    'pieces with a length, at once',
    () => (_, response) => {
      response.setHeader('content-length', 6)
      response.write('abc')
      response.write(Buffer.from('de'))
      response.end('f')
    },
  ],
  [
    'pieces with a length, over time',
    () => async (_, response) => {
      response.setHeader('content-length', 6)
      for (const piece of ['abc', Buffer.from('de'), 'f']) {
        response.write(piece)
        await turn()
      }
      response.end()
    },
  ],
  [
    'pieces in chunks, over time',
    () => async (_, response) => {
      for (const piece of ['abc', Buffer.from('de'), 'f']) {
        response.write(piece)
        await turn()
      }
      response.end('last')
    },
  ],
  [
    'a head, and much later the rest',
    () => async (_, response) => {
      response.flushHeaders()
      await turn()
      response.end('late')
    },
  ],
  [
    'pieces that end with the connection',
    () => async (_, response) => {
      response.removeHeader('transfer-encoding')
      response.write('abc')
      await turn()
      response.end('def')
    },
  ],
  [
    'trailers',
    () => (_, response) => {
      response.setHeader('trailer', 'x-sum')
      response.write('abc')
      response.addTrailers({ 'x-sum': '3' })
      response.end()
    },
  ],
  [
    'interim responses',
    () => (_, response) => {
      response.writeProcessing()
      response.writeEarlyHints({ link: '</a.css>; rel=preload' })
      response.end('after')
    },
  ],
  [
    'interim responses, and the final one later',
    () => async (_, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' })
      await turn()
      response.writeHead(200, { 'content-length': 5 }).end('after')
    },
  ],
  [
    'more than its length',
    () => (_, response) => response.writeHead(200, { 'content-length': 3 }).end('abcdef'),
  ],
  [
    'an end in the middle',
    () => (_, response) => {
      response.writeHead(200, { 'content-length': 9 })
      response.write('abc')
      setTimeout(() => response.destroy(), 20)
    },
  ],
  ['a stream', () => (_, response) => pipeline(Readable.from(['a', 'b', 'c']), response)],
  [
    'a large stream',
    () => (_, response) =>
      pipeline(
        Readable.from(
          (function* () {
            for (let i = 0; i < 30; i++) yield Buffer.alloc(LARGE / 30, String(i % 10))
          })(),
        ),
        response.setHeader('content-length', LARGE),
      ),
  ],
  ['a large text', () => (_, response) => response.end('x'.repeat(LARGE))],
]

const REQUESTS: readonly Case[] = [
  [
    'what it is',
    diary => (request, response) => {
      const { method, url, httpVersion, headers, rawHeaders, headersDistinct } = request
      const { host, connection, ...others } = headers
      diary.push(method, url, httpVersion, others, headersDistinct['x-a'], rawHeaders.includes('X-A'))
      diary.push(host !== undefined, request.socket === response.socket, response.req === request)
      response.end()
    },
    {
      target: '/x?y=z',
      headers: [
        ['X-A', '1'],
        ['x-a', '2'],
        ['Cookie', 'a=1'],
        ['Cookie', 'b=2'],
        ['User-Agent', 'one'],
      ],
    },
  ],
  [
    'content by iteration',
    diary => async (request, response) => {
      for await (const piece of request) diary.push(Buffer.isBuffer(piece))
      diary.length = Math.min(diary.length, 1)
      diary.push(request.complete, request.readableEnded, request.headers['transfer-encoding'])
      response.end()
    },
    post('abc', 'def'),
  ],
  [
    'content by events, as text',
    diary => async (request, response) => {
      let text = ''
      note(diary, 'request', request, 'aborted', 'end', 'close')
      request.setEncoding('utf8').on('data', piece => {
        text += piece
      })
      await once(request, 'end')
      diary.push(text)
      response.end(text)
    },
    post('abc', 'ä'),
  ],
  [
    'content that is read late',
    () => async (request, response) => {
      await turn()
      request.pause()
      await turn()
      response.end(await text(request))
    },
    post('abc', 'def'),
  ],
  [
    'content by pipe, while it comes',
    () => (request, response) => request.pipe(response),
    post(...Array.from({ length: 20 }, (_, i) => String(i).repeat(9000))),
  ],
  [
    'no content, waited for',
    diary => async (request, response) => {
      note(diary, 'request', request, 'aborted', 'end', 'close')
      diary.push(await text(request))
      response.end('x')
    },
  ],
  [
    'content that is not read',
    diary => (request, response) => {
      note(diary, 'request', request, 'aborted', 'data', 'end', 'close')
      response.end('unread')
    },
    post('abc'),
  ],
]

const LIVES: readonly Case[] = [
  [
    'of a response at once',
    diary => (_, response) => {
      note(diary, 'response', response, 'prefinish', 'finish', 'close', 'error')
      response.on('finish', () => diary.push(response.writableFinished, response.writableEnded))
      response.on('close', () => diary.push(response.destroyed, response.closed, response.headersSent))
      response.end('x', () => diary.push('callback'))
    },
  ],
  [
    'of a response in pieces',
    diary => async (_, response) => {
      note(diary, 'response', response, 'finish', 'close', 'error')
      response.write('a', () => diary.push('a'))
      await turn()
      await new Promise<void>(resolve => response.write('b', () => resolve()))
      diary.push('b')
      response.end('c', () => diary.push('c'))
    },
  ],
  [
    'of a response that has a watcher',
    diary => (_, response) => {
      finished(response, error => diary.push(`over ${error?.message}`))
      response.end('x')
    },
  ],
  [
    'of a response that was ended twice',
    diary => (_, response) => {
      response.on('error', error => diary.push((error as NodeJS.ErrnoException).code))
      response.end('x')
      response.write('y', error => diary.push((error as NodeJS.ErrnoException).code))
      try {
        response.setHeader('x', 'y')
      } catch (error) {
        diary.push((error as NodeJS.ErrnoException).code)
      }
    },
  ],
  [
    'of a response that the application breaks off',
    diary => (_, response) => {
      note(diary, 'response', response, 'finish', 'close', 'error')
      response.write('x')
      setTimeout(() => response.destroy(), 20)
    },
  ],
  [
    'of a writer that waits for room',
    diary => async (_, response) => {
      const piece = Buffer.alloc(100_000)
      let waits = 0
      for (let i = 0; i < 10; i++) {
        if (response.write(piece)) continue
        waits++
        await once(response, 'drain')
        if (response.writableNeedDrain) diary.push('still')
      }
      diary.push(waits > 0)
      response.end()
    },
  ],
]

async function text(request: IncomingMessage): Promise<string> {
  return Buffer.concat(await request.toArray()).toString()
}

const named = (all: readonly Case[]): [string, Case][] => all.map(one => [one[0], one])

/** What both ends see of a case. The diary may go on for a while. */
async function seen(
  through: (listener: Listener, asked: Asked) => Promise<unknown>,
  [, make, asked = {}]: Case,
): Promise<unknown> {
  const diary: unknown[] = []
  const listener = make(diary)
  const got = await through((request, response) => {
    // A server of Node's would let this end the process.
    Promise.resolve(listener(request, response)).catch(() => {})
  }, asked)
  return { got, diary }
}

async function expectTheSame(one: Case): Promise<void> {
  const [ours, nodes] = [await seen(throughFunction, one), await seen(throughNode, one)]
  await vi.waitFor(() => expect(ours).toEqual(nodes), { timeout: 5000 })
  await wait(20)
  expect(ours).toEqual(nodes)
}

describe('an application gets and gives as in a server of Node’s', () => {
  it.each(named(ANSWERS))('answer: %s', async (_, one) => {
    await expectTheSame(one)
  })

  it.each(named(REQUESTS))('request: %s', async (_, one) => {
    await expectTheSame(one)
  })

  it.each(named(LIVES))('life: %s', async (_, one) => {
    await expectTheSame(one)
  })
})

describe('a request that is broken off', () => {
  const reason = new Error('the client is gone')

  it('ends what the application reads and writes, as in a server of Node’s', async () => {
    const diary: unknown[] = []
    const listener: Listener = (request, response) => {
      note(diary, 'request', request, 'aborted', 'end', 'close')
      note(diary, 'response', response, 'finish', 'close')
      request.on('error', error => diary.push((error as NodeJS.ErrnoException).code)).resume()
      response.write('begun')
    }
    let cancel: Calling['cancel'] = () => {}
    await throughFunction(
      (request, response) => {
        listener(request, response)
        request.on('close', () => cancel(reason))
      },
      post('a', 'b'),
      call => {
        cancel = call.cancel
      },
    )
    // It had come whole: its reader is told nothing more.
    await vi.waitFor(() => expect(diary).toEqual(['request end', 'request close', 'response close']))
  })

  it('tells a reader that waits for content', async () => {
    const diary: unknown[] = []
    let got: IncomingMessage | undefined
    const app = fromNode((request: IncomingMessage, response: ServerResponse) => {
      got = request
      note(diary, 'request', request, 'aborted', 'end', 'close')
      note(diary, 'response', response, 'finish', 'close')
      request.on('error', error => diary.push((error as NodeJS.ErrnoException).code)).resume()
    })
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const controller = new AbortController()
    const request = new Request('http://app.local/', {
      method: 'POST',
      body: readable,
      duplex: 'half',
    } as never)
    const context = { connection: {}, functionPath: '/', signal: controller.signal } as unknown as Context
    const answer = app.fetch(request, {}, context) as Promise<Response>
    await writable.getWriter().write(new Uint8Array(3))
    controller.abort(reason)
    await expect(answer).rejects.toThrow('the client is gone')
    const all = ['request aborted', 'response close', 'ECONNRESET', 'request close']
    await vi.waitFor(() => expect(diary).toEqual(all))
    expect([got?.aborted, got?.destroyed, got?.complete]).toEqual([true, true, false])
  })

  it('is no error of the process if nothing listens, and is heard by what waits', async () => {
    const heard = vi.fn()
    const listener: Listener = (request, response) => {
      finished(response, heard)
      request.socket.on('close', heard)
    }
    await throughFunction(listener, {}, ({ cancel }) => setTimeout(() => cancel(reason), 10))
    await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(2))
    expect(heard.mock.calls.map(([error]) => error?.code ?? error)).toEqual(
      expect.arrayContaining(['ERR_STREAM_PREMATURE_CLOSE', true]),
    )
  })

  it('makes no signal, which would take longer than the answer', async () => {
    const made = vi.spyOn(globalThis, 'AbortController')
    expect(await throughFunction((_, response) => response.end('x'))).toMatchObject({ body: 'x' })
    expect(made).not.toHaveBeenCalled()
    made.mockRestore()
  })
})

describe('the socket of an application', () => {
  it('ends a call by itself when time is up and nothing listens', async () => {
    const got = await throughFunction(request => void request.socket.setTimeout(10))
    expect(got.status).toBe(500)
  })

  it('tells request and response of the time that is up', async () => {
    const diary: unknown[] = []
    await throughFunction((request, response) => {
      note(diary, 'socket', request.socket, 'timeout')
      response.setTimeout(10, () => {
        diary.push('response timeout')
        response.end()
      })
    })
    expect(diary).toEqual(['socket timeout', 'response timeout'])
  })

  it('may be ended, which ends an answer that has no length', async () => {
    const got = await throughFunction((request, response) => {
      response.removeHeader('transfer-encoding')
      response.write('all')
      setImmediate(() => request.socket.end())
    })
    expect(got).toMatchObject({ status: 200, body: 'all', end: 'whole' })
  })

  it('says what is known of the client', async () => {
    const got = await throughFunction(({ socket }, response) => {
      const { remoteAddress, remoteFamily, remotePort, destroyed, readable, writable } = socket
      const { encrypted } = socket as unknown as { encrypted: boolean }
      const methods = socket.setNoDelay().setKeepAlive().ref().unref() === socket
      response.end(
        JSON.stringify({
          remoteAddress,
          remoteFamily,
          remotePort,
          destroyed,
          readable,
          writable,
          encrypted,
          methods,
        }),
      )
    })
    expect(JSON.parse(got.body)).toEqual({
      ...{ remoteAddress: '192.0.2.7', remoteFamily: 'IPv4', remotePort: 0, encrypted: true },
      ...{ destroyed: false, readable: true, writable: true, methods: true },
    })
  })
})

describe('memory and watchers', () => {
  it('takes bytes before it says so: the application may use their memory again', async () => {
    for (const size of [100, 5000, 100_000]) {
      const bytes = Buffer.alloc(size, 'a')
      const { body } = await throughFunction((_, response) =>
        response.end(bytes, () => {
          bytes.fill('b')
        }),
      )
      expect(body).toBe('a'.repeat(size))
    }
  })

  it('is seen by those who watch the servers of a process', async () => {
    // Those of earlier tests are over then.
    await turn()
    const seen: string[] = []
    const started = (): void => void seen.push('started')
    const done = (): void => void seen.push('finished')
    subscribe('http.server.request.start', started)
    subscribe('http.server.response.finish', done)
    await throughFunction((_, response) => response.end('x'))
    await turn()
    unsubscribe('http.server.request.start', started)
    unsubscribe('http.server.response.finish', done)
    expect(seen).toEqual(['started', 'finished'])
  })
})
