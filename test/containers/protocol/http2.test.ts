import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../src/http/h2/index.ts'
import type { RequestView } from '../../../src/http/message.ts'
import { utf8 } from '../../../src/wire/index.ts'
import { FakeHost, turn } from '../../support/connection-scene.ts'
import { Talker, waitingFunction } from '../../support/http2-scene.ts'

describe.each([true, false])('HTTP/2 (over TLS: %s)', tls => {
  const arrive = (host: FakeHost) => new Talker(tls).arrive(host)

  it('serves streams side by side, each as it is answered', async () => {
    const { waiting, handle } = waitingFunction()
    const client = arrive(new FakeHost(handle))
    const [a, b] = [client.request('/a'), client.request('/b', { body: 'content' })]
    client.flush()
    expect(waiting.map(({ request }) => [request.path, new TextDecoder().decode(request.body)])).toEqual([
      ['/a', ''],
      ['/b', 'content'],
    ])
    waiting[1]!.answer({ status: 201, body: 'second' })
    await turn()
    client.hear()
    expect(client.answer(b)).toMatchObject({ status: 201, body: 'second', ended: true })
    expect(client.answers.has(a)).toBe(false)
    waiting[0]!.answer({ status: 200, headers: [['Connection', 'close']], body: 'first' })
    await turn()
    client.hear()
    expect(client.answer(a)).toMatchObject({
      body: 'first',
      headers: { 'x-hotpotato-container': 'echo-1', 'x-hotpotato-hops': '0' },
    })
    expect(client.answer(a).headers).not.toHaveProperty('connection')
  })

  it('gives functions the same head as HTTP/1.1 does', () => {
    const seen: RequestView[] = []
    const client = arrive(
      new FakeHost(request => {
        seen.push(request)
        return { status: 204 }
      }),
    )
    client.request('/echo/x?y=z', { authority: 'A.example:8443', headers: [['accept', '*/*']] })
    client.flush()
    expect(seen[0]).toMatchObject({
      method: 'GET',
      target: '/echo/x?y=z',
      version: '2',
      host: 'a.example',
      path: '/echo/x',
      query: 'y=z',
      headers: [
        ['host', 'A.example:8443'],
        ['accept', '*/*'],
      ],
    })
  })

  it('refuses what HTTP/1.1 refuses, too', () => {
    const client = arrive(new FakeHost())
    const ids = [
      client.request('/back\\slash'),
      client.request('/', { authority: 'a:b:c' }),
      client.http.request({ method: 'CONNECT', authority: 'a:80' }, false),
      client.request('/x', { body: 'x', headers: [['content-length', '99999999999']] }),
    ]
    client.flush()
    expect(ids.map(id => client.answer(id).status)).toEqual([400, 400, 501, 413])
    const next = client.request('/')
    client.flush()
    expect(client.answer(next).status).toBe(200)
  })

  it('answers content beyond the limit with 413, announced or not', () => {
    const client = arrive(new FakeHost(undefined, { http: { bodyBytes: 10 } }))
    const id = client.request('/', { body: 'eleven byte' })
    client.flush()
    expect(client.answer(id)).toMatchObject({ status: 413, reset: undefined })
    expect(JSON.parse(client.answer(id).body).detail).toContain('10 bytes')
  })

  it('answers HEAD without content, and says 100 to who waits for it', () => {
    const client = arrive(new FakeHost(() => ({ status: 200, body: 'content' })))
    const head = client.request('/', { method: 'HEAD' })
    const patient = client.request('/', { open: true, headers: [['expect', '100-continue']] })
    client.flush()
    expect(client.answer(head)).toMatchObject({ status: 200, body: '', ended: true })
    expect(client.answer(head).headers['content-length']).toBe('7')
    expect(client.events).toContainEqual(
      expect.objectContaining({ type: 'informational', streamId: patient, status: 100 }),
    )
    client.http.write(patient, utf8('now'))
    client.http.end(patient)
    client.flush()
    expect(client.answer(patient)).toMatchObject({ status: 200, body: 'content' })
  })

  it('streams both ways, as fast as the other side takes it', async () => {
    const host = new FakeHost()
    host.module = { kind: 'fetch', file: 'test', fetch: request => new Response(request.body) }
    const client = arrive(host)
    const id = client.request('/', { open: true })
    client.flush()
    for (let i = 0; i < 30; i++) {
      // 1.2 MB, more than all windows together.
      const piece = new Uint8Array(40_000).fill(65 + i)
      for (let at = 0; at < piece.length; ) {
        at += client.http.write(id, piece.subarray(at))
        client.flush()
        await turn()
        client.hear()
      }
    }
    client.http.end(id)
    for (let i = 0; i < 20; i++) {
      client.flush()
      await turn()
      client.hear()
    }
    const { body, ended } = client.answer(id)
    expect([body.length, ended]).toEqual([1_200_000, true])
    expect(body.at(-1)).toBe(String.fromCharCode(94))
  })

  it('tells the function when its client is gone away', async () => {
    let signal!: AbortSignal
    const host = new FakeHost()
    host.module = {
      kind: 'fetch',
      file: 'test',
      fetch: (_, __, context) => {
        signal = context.signal
        return new Promise(() => {})
      },
    }
    const client = arrive(host)
    const id = client.request('/')
    client.flush()
    client.http.reset(id)
    client.flush()
    expect(signal.aborted).toBe(true)
  })

  it('ends a stream whose response breaks off, and no other', async () => {
    const host = new FakeHost()
    host.module = {
      kind: 'fetch',
      file: 'test',
      fetch: ({ url }) => {
        if (!url.endsWith('/broken')) return new Response('whole')
        let count = 0
        const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
          await new Promise(resolve => setImmediate(resolve))
          if (count++ === 0) controller.enqueue(utf8('begun'))
          else controller.error(new Error('no more'))
        }
        return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }))
      },
    }
    const client = arrive(host)
    const [broken, whole] = [client.request('/broken'), client.request('/')]
    client.flush()
    for (let i = 0; i < 10; i++) await turn()
    client.hear()
    expect(client.answer(broken)).toMatchObject({ body: 'begun', reset: ErrorCode.INTERNAL_ERROR })
    expect(client.answer(whole)).toMatchObject({ body: 'whole', ended: true })
    expect(host.ends).toEqual([])
  })

  it('ends with GOAWAY when the client breaks a rule', () => {
    const host = new FakeHost()
    const client = arrive(host)
    client.request('/')
    client.flush()
    // A WINDOW_UPDATE by nothing.
    const wrong = Uint8Array.of(0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    if (tls) {
      client.session.send(wrong)
      client.stream.receive(client.bytes())
    } else client.stream.receive(wrong)
    client.hear()
    expect(client.events.at(-1)).toMatchObject({ type: 'goaway', code: ErrorCode.PROTOCOL_ERROR })
    expect(client.closed).toBe(tls)
    expect(client.stream.finished).toBe(true)
  })

  it('says goodbye in two steps, after what is underway', async () => {
    const { waiting, handle } = waitingFunction()
    const client = arrive(new FakeHost(handle))
    const id = client.request('/')
    client.flush()
    client.connection.drain()
    client.hear()
    expect(client.events.at(-1)).toMatchObject({ type: 'goaway', lastStreamId: 2 ** 31 - 1 })
    client.flush()
    expect(client.events.at(-1)).toMatchObject({ type: 'goaway', lastStreamId: id })
    expect(client.stream.finished).toBe(false)
    waiting[0]!.answer({ status: 200, body: 'last' })
    await turn()
    client.hear()
    expect(client.answer(id)).toMatchObject({ body: 'last', ended: true })
    expect([client.stream.finished, client.closed]).toEqual([true, tls])
  })
})
