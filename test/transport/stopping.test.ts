import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { HttpResponse } from '../../src/http/serving.ts'
import { nodeTlsServer } from '../../src/transport/kinds/node-tls.ts'
import type { Server } from '../../src/transport/server.ts'
import { alpn, http } from '../../src/transport/services.ts'
import { utf8 } from '../../src/wire/index.ts'
import { type Credentials, credentials } from '../support/credentials.ts'

/** Requests that are underway when the signal comes. */
const OPEN = 3

let files: Credentials
beforeAll(async () => {
  files = await credentials()
})

const own = () => ({ cert: files.pem('localhost.crt'), key: files.pem('localhost.key') })
const LAYERS = {
  'without TLS': undefined,
  'our TLS': () => own(),
  'node:tls': () => nodeTlsServer(own()),
}

const ends: (() => unknown)[] = []
afterAll(async () => {
  for (const end of ends) await end()
})

interface Open {
  readonly answer: Promise<string>
}

/** One request over a connection of its own. */
function overHttp1(url: string): Open {
  const ask = url.startsWith('https') ? httpsRequest : httpRequest
  const outgoing = ask(url, { method: 'POST', ca: files.pem('ca.crt'), agent: false })
  outgoing.on('error', () => {}).write('begun')
  const answer = once(outgoing, 'response').then(async ([incoming]) => {
    let text = ''
    for await (const piece of incoming as IncomingMessage) text += piece
    return text
  })
  return { answer: answer.catch(() => 'cut') }
}

/** One of several over a connection. */
function overHttp2(session: ClientHttp2Session): Open {
  const stream: ClientHttp2Stream = session.request({ ':method': 'POST', ':path': '/' }, { endStream: false })
  stream.on('error', () => {}).write('begun')
  const answer = (async () => {
    let text = ''
    for await (const piece of stream) text += piece
    return stream.rstCode === 0 && text !== '' ? text : 'cut'
  })()
  return { answer: answer.catch(() => 'cut') }
}

describe.each(Object.keys(LAYERS) as (keyof typeof LAYERS)[])(
  'a server %s whose signal is aborted',
  layer => {
    describe.each(['1.1', '2'])('while HTTP/%s has requests underway', version => {
      async function scene(graceMs?: number) {
        const control = new AbortController()
        const responses: HttpResponse[] = []
        let all = (): void => {}
        const underway = new Promise<void>(resolve => {
          all = resolve
        })
        const tls = LAYERS[layer]?.()
        const options = {
          port: 0,
          signal: control.signal,
          ...(graceMs === undefined ? {} : { graceMs }),
          request(_: unknown, response: HttpResponse) {
            response.begin({ status: 200, headers: [], length: undefined })
            response.write(utf8('first '))
            if (responses.push(response) === OPEN) all()
          },
        }
        const server: Server = await (tls === undefined ? http(options) : alpn({ ...options, tls }))
        ends.push(() => server.stop(0))
        const url = `${tls === undefined ? 'http' : 'https'}://localhost:${server.address.port}`
        const session = version === '2' ? connectHttp2(url, { ca: files.pem('ca.crt') }) : undefined
        session?.on('error', () => {})
        ends.push(() => session?.destroy())
        const open = Array.from({ length: OPEN }, () =>
          session === undefined ? overHttp1(url) : overHttp2(session),
        )
        await underway
        return {
          server,
          session,
          responses,
          stop: () => control.abort(),
          answers: open.map(({ answer }) => answer),
        }
      }

      it('they are answered whole, a client of HTTP/2 hears GOAWAY, and then it is over', async () => {
        const { server, session, responses, stop, answers } = await scene()
        const goaway = session === undefined ? undefined : once(session, 'goaway')
        stop()
        if (goaway !== undefined) expect((await goaway)[0]).toBe(0)
        expect(server.connections).toBe(version === '2' ? 1 : OPEN)
        for (const response of responses) {
          response.write(utf8('second '))
          response.end()
        }
        expect(await Promise.all(answers)).toEqual(Array(OPEN).fill('first second '))
        await server.closed
        expect(server.connections).toBe(0)
      })

      it('what is not answered within the grace is cut, and the client sees that', async () => {
        const { server, stop, answers } = await scene(20)
        stop()
        expect(await Promise.all(answers)).toEqual(Array(OPEN).fill('cut'))
        await server.closed
        expect(server.connections).toBe(0)
      })
    })
  },
)
