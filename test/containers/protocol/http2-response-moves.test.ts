import { describe, expect, it } from 'vitest'
import { MoveOrder } from '../../../src/containers/move/move-order.ts'
import type { FetchHandler, ResumeFunction } from '../../../src/functions/contract.ts'
import { resumable } from '../../../src/functions/resumable.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { utf8 } from '../../../src/wire/index.ts'
import { FakeHost, openBody, turn } from '../../support/connection-scene.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { Talker } from '../../support/http2-scene.ts'

/** Gives a line whenever the test says so, on each of its streams. */
class Lines {
  readonly #waiting = new Set<() => void>()
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  readonly from: ResumeFunction = state => {
    let n = state as number
    return resumable({
      pull: async controller => {
        if (n === this.#most) return controller.close()
        await new Promise<void>(resolve => this.#waiting.add(resolve))
        controller.enqueue(`line ${n++}\n`)
      },
      freeze: () => n,
    })
  }

  give(): Promise<void> {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
    return turn()
  }
}

const linesOf = (most: number): string => Array.from({ length: most }, (_, n) => `line ${n}\n`).join('')
const LARGE = 'x'.repeat(400_000)

function hostOf(fetch: FetchHandler['fetch'], resume: ResumeFunction, container = 'echo-1'): FakeHost {
  const host = new FakeHost(undefined, { clock: new HandClock() })
  host.module = { kind: 'fetch', file: 'test', fetch, resume }
  host.available.add('echo')
  return Object.assign(host, { container })
}

/** Moves the connection to the other host. @returns the protocol that travelled */
async function move(client: Talker, from: FakeHost, to: FakeHost): Promise<string> {
  const reports: string[] = []
  client.connection.moveTo(new MoveOrder(2, ({ outcome }) => reports.push(outcome)))
  await turn()
  const offer = from.offers.at(-1)!
  const frozen = await offer.frozen
  client.move(to, frozen)
  offer.settle({ state: 'gone' })
  expect(reports).toEqual(['moved'])
  return decodeEnvelope(frozen).application.protocol
}

describe.each([true, false])('over HTTP/2, with TLS: %s', tls => {
  it('responses in their middle go along with their connection, each with what it has frozen', async () => {
    const lines = new Lines(4)
    const fetch: FetchHandler['fetch'] = request => {
      const { pathname } = new URL(request.url)
      if (pathname === '/echo/large') return new Response(LARGE)
      return new Response(
        lines.from(0, undefined as never, {}, undefined as never) as ReadableStream<Uint8Array>,
      )
    }
    const hosts = ['echo-1', 'echo-2'].map(name => hostOf(fetch, lines.from, name))
    const client = new Talker(tls).arrive(hosts[0]!)
    const ids = [client.request('/echo/a'), client.request('/echo/b')]
    const large = client.request('/echo/large')
    const said = client.bytes()
    client.stream.receive(said)
    await turn()
    client.hear()
    for (let at = 0; at < 4; at++) {
      await lines.give()
      client.hear()
      const [from, to] = at % 2 === 0 ? hosts : [...hosts].reverse()
      expect(await move(client, from!, to!)).toBe('http2_responses')
      await turn()
    }
    for (let i = 0; i < 8; i++) {
      client.flush()
      await lines.give()
    }
    for (const id of ids)
      expect(client.answer(id)).toMatchObject({ status: 200, body: linesOf(4), ended: true })
    expect(client.answer(large)).toMatchObject({ body: LARGE, ended: true })
    expect(hosts.flatMap(({ logged }) => logged)).toEqual([])
  })

  it('one that cannot go along keeps all of them, until it is over', async () => {
    const lines = new Lines(2)
    const { body, controller } = openBody()
    const fetch: FetchHandler['fetch'] = request =>
      new Response(
        new URL(request.url).pathname === '/echo/plain'
          ? body
          : (lines.from(0, undefined as never, {}, undefined as never) as ReadableStream<Uint8Array>),
      )
    const host = hostOf(fetch, lines.from)
    const client = new Talker(tls).arrive(host)
    const ids = [client.request('/echo/plain'), client.request('/echo/lines')]
    client.flush()
    await turn()
    client.connection.drain(true)
    await turn()
    expect(host.offers).toEqual([])
    // Meanwhile it does not stand still for the other one.
    await lines.give()
    expect(client.flush().answer(ids[1]!)).toMatchObject({ body: linesOf(1), ended: false })
    controller.enqueue(utf8('all'))
    controller.close()
    await turn()
    await turn()
    expect(host.offers).toHaveLength(1)
    client.move(hostOf(fetch, lines.from, 'echo-2'), await host.offers[0]!.frozen)
    for (let i = 0; i < 4; i++) await lines.give()
    client.flush()
    expect(ids.map(id => client.answer(id))).toMatchObject([
      { body: 'all', ended: true },
      { body: linesOf(2), ended: true },
    ])
  })

  it('go along with all that waits for their windows', async () => {
    const large = 'y'.repeat(300_000)
    const fetch: FetchHandler['fetch'] = () => new Response(large)
    const hosts = ['echo-1', 'echo-2'].map(name => hostOf(fetch, () => undefined as never, name))
    const client = new Talker(tls).arrive(hosts[0]!)
    const { consume } = client.http
    client.http.consume = () => {}
    const ids = [1, 2, 3, 4].map(() => client.request('/echo'))
    client.flush()
    await turn()
    client.flush()
    await move(client, hosts[0]!, hosts[1]!)
    client.http.consume = consume
    for (const id of ids) client.http.consume(id, client.answer(id).body.length)
    for (let turns = 0; turns < 40; turns++) {
      client.flush()
      await turn()
    }
    for (const id of ids) {
      expect(client.answer(id).ended).toBe(true)
      expect(client.answer(id).body === large).toBe(true)
    }
  })

  it('they go on where they were when no other container takes them', async () => {
    const lines = new Lines(3)
    const fetch: FetchHandler['fetch'] = () =>
      new Response(lines.from(0, undefined as never, {}, undefined as never) as ReadableStream<Uint8Array>)
    const host = hostOf(fetch, lines.from)
    host.available.delete('echo')
    const client = new Talker(tls).arrive(host)
    const id = client.request('/echo')
    client.flush()
    await turn()
    client.connection.drain(true)
    await turn()
    for (let i = 0; i < 5; i++) {
      await lines.give()
      client.flush()
    }
    expect(client.answer(id)).toMatchObject({ body: linesOf(3), ended: true })
  })
})
