import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import type { ResumeFunction } from '../../../src/functions/contract.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { Passenger, PassingHost, pass } from '../../support/passing-scene.ts'

/** Upstreams that do what they like while a response of theirs is on its way, and functions that do. */

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n'
const closing: (() => unknown)[] = []
afterAll(() => {
  for (const close of closing) close()
})
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await setTimeout(1)
}

/** An upstream of which the test says what it says. */
async function rawUpstream(said: string) {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket.on('error', () => {}))
    socket.once('data', () => socket.write(said))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { sockets, url: `http://localhost:${(server.address() as AddressInfo).port}/` }
}

/** A client that has got the beginning of a response. */
async function scene(said = `${HEAD}ten bytes.`, resume?: ResumeFunction, ask?: never) {
  const upstream = await rawUpstream(said)
  const hosts = await Promise.all(
    ['echo-1', 'echo-2'].map(name => PassingHost.of(name, upstream.url, undefined, resume, ask)),
  )
  const client = new Passenger(hosts[0]!)
  await until(() => client.answer.body === 'ten bytes.')
  return { ...upstream, socket: upstream.sockets[0]!, hosts, client }
}

describe('while a response is on its way', () => {
  it.each<[string, (socket: Socket) => void, string]>([
    ['says the rest and closes', socket => void socket.end('twenty bytes more...'), 'whole'],
    ['closes before the end', socket => void socket.end('five.'), 'cut'],
    ['resets', socket => void socket.resetAndDestroy(), 'cut'],
    ['says more than it promised', socket => void socket.write('x'.repeat(100)), 'too much'],
  ])('its upstream %s: the client sees that, and nothing else', async (_, act, outcome) => {
    const { socket, hosts, client } = await scene()
    const { offer, frozen } = await client.leave()
    act(socket)
    await setTimeout(20)
    client.arrive(hosts[1]!, frozen, offer.companions)
    offer.settle({ state: 'gone' })
    if (outcome === 'cut') {
      await until(() => client.stream.closedBy !== undefined)
      expect(client.answer.ended).toBe(false)
      expect('ten bytes.five.'.startsWith(client.answer.body)).toBe(true)
      return
    }
    await until(() => client.answer.ended)
    const rest = outcome === 'whole' ? 'twenty bytes more...' : 'x'.repeat(20)
    expect(client.answer.body).toBe(`ten bytes.${rest}`)
  })

  it('its upstream breaks before it has left: it breaks off here, or where it arrives', async () => {
    const { socket, hosts, client } = await scene()
    const left = client.leave().catch(() => undefined)
    socket.resetAndDestroy()
    const gone = await left
    if (gone !== undefined) {
      client.arrive(hosts[1]!, gone.frozen, gone.offer.companions)
      gone.offer.settle({ state: 'gone' })
    }
    await until(() => client.stream.closedBy !== undefined)
    expect(client.answer).toEqual({ body: 'ten bytes.', ended: false })
  })

  it('a refusal gives both back', async () => {
    const { socket, hosts, client } = await scene()
    const { offer } = await client.leave()
    offer.settle({ state: 'owned', verdict: { outcome: 'refused', reason: 'policy', detail: 'no' } })
    socket.end('twenty bytes more...')
    await until(() => client.answer.ended)
    expect(client.answer.body).toBe('ten bytes.twenty bytes more...')
    expect(hosts[0]!.logged).toEqual([])
  })

  it.each(['lost', 'expired'] as const)('a target that is %s ends both', async reason => {
    const { socket, client } = await scene()
    const { offer } = await client.leave()
    offer.settle({ state: 'ended', reason })
    await once(socket, 'close')
    expect(client.stream.closedBy).toBeDefined()
  })

  it('its client goes: so does the upstream', async () => {
    const { socket, hosts, client } = await scene()
    await client.move(hosts[1]!)
    client.connection.destroy(new Error('the client is gone'))
    await once(socket, 'close')
  })
})

describe('a function', () => {
  it('freezes an upstream that it has read to its end: it goes without a connection', async () => {
    const read: ResumeFunction = async (state, ctx) => {
      const { upstream, text } = state as { upstream: Response; text?: string }
      const said = text ?? (await upstream.text())
      const rest = await (text === undefined ? '' : upstream.text())
      let at = 0
      return ctx.resumable({
        pull: async controller => {
          if (at++ === 0 && text === undefined) controller.enqueue(said)
          else if (text === undefined) await new Promise(() => {})
          else {
            controller.enqueue(`and "${rest}"`)
            controller.close()
          }
        },
        freeze: () => ({ upstream, text: said }),
      })
    }
    const { url, sockets } = await rawUpstream('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nten bytes.')
    const ask = async (to: string, ctx: Parameters<ResumeFunction>[1]) => {
      const upstream = await ctx.fetch(to)
      return new Response(
        (await read({ upstream }, ctx, {}, undefined as never)) as ReadableStream<Uint8Array>,
      )
    }
    const hosts = await Promise.all(
      ['echo-1', 'echo-2'].map(name => PassingHost.of(name, url, undefined, read, ask)),
    )
    const client = new Passenger(hosts[0]!)
    await until(() => client.answer.body === 'ten bytes.')
    const { offer, frozen } = await client.leave()
    expect(decodeEnvelope(frozen).upstreams).toMatchObject([{ live: false }])
    client.arrive(hosts[1]!, frozen, offer.companions)
    offer.settle({ state: 'gone' })
    await until(() => client.answer.ended)
    expect(client.answer.body).toBe('ten bytes.and ""')
    expect(sockets).toHaveLength(1)
  })

  it('freezes the same twice: it is one, in both places', async () => {
    const both: ResumeFunction = (state, ctx) => {
      const { one, other } = state as { one: Response; other: Response }
      const upstream = one === other ? one : new Response('they are two')
      const stream = pass({ upstream }, ctx, {}, undefined as never) as ReturnType<typeof ctx.resumable>
      return Object.assign(stream, { freeze: () => ({ one, other }) })
    }
    const { url, sockets } = await rawUpstream(`${HEAD}ten bytes.`)
    const ask = async (to: string, ctx: Parameters<ResumeFunction>[1]) => {
      const one = await ctx.fetch(to)
      return new Response(
        (await both({ one, other: one }, ctx, {}, undefined as never)) as ReadableStream<Uint8Array>,
      )
    }
    const hosts = await Promise.all(
      ['echo-1', 'echo-2'].map(name => PassingHost.of(name, url, undefined, both, ask)),
    )
    const client = new Passenger(hosts[0]!)
    await until(() => client.answer.body === 'ten bytes.')
    await client.move(hosts[1]!)
    sockets[0]!.end('twenty bytes more...')
    await until(() => client.answer.ended)
    expect(client.answer.body).toBe('ten bytes.twenty bytes more...')
  })

  it.each<[string, (state: unknown) => unknown]>([
    ['a Response of its own', () => ({ upstream: new Response('own') })],
    ['nothing', () => undefined],
  ])('freezes %s: the response stays where it is, and its log says why', async (_, freeze) => {
    const stays: ResumeFunction = (state, ctx) =>
      Object.assign(pass(state, ctx, {}, undefined as never) as ReturnType<typeof ctx.resumable>, {
        freeze: () => freeze(state),
      })
    const { url, sockets } = await rawUpstream(`${HEAD}ten bytes.`)
    const ask = async (to: string, ctx: Parameters<ResumeFunction>[1]) => {
      const upstream = await ctx.fetch(to)
      return new Response(
        (await stays({ upstream }, ctx, {}, undefined as never)) as ReadableStream<Uint8Array>,
      )
    }
    const host = await PassingHost.of('echo-1', url, undefined, stays, ask)
    const client = new Passenger(host)
    await until(() => client.answer.body === 'ten bytes.')
    await expect(client.leave()).rejects.toThrow('it is not offered')
    expect(host.logged.flat()).toContain('a response cannot move: its function does not freeze')
    sockets[0]!.end('twenty bytes more...')
    await until(() => client.answer.ended)
    expect(client.answer.body).toBe('ten bytes.twenty bytes more...')
  })
})

describe('what comes with an upstream', () => {
  it('is refused where it contradicts itself', async () => {
    const { hosts, client } = await scene()
    const { offer, frozen } = await client.leave()
    const { upstreams } = decodeEnvelope(frozen)
    const [one] = upstreams
    const read = (list: typeof upstreams, companions = offer.companions) =>
      hosts[1]!.upstreams.read(list, companions)
    expect(() => read([{ ...one!, live: false }])).toThrow(/has a connection, or has none/)
    expect(() => read(upstreams, [])).toThrow(/has a connection, or has none/)
    for (let at = 0; at < one!.state.length; at += 7)
      expect(() => read([{ ...one!, state: one!.state.slice(0, at) }])).toThrow()
    offer.settle({ state: 'ended', reason: 'lost' })
  })

  it('counts as memory of the connection, and is not read without end', async () => {
    const { sockets, hosts, client } = await scene(
      `HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nten bytes.`,
    )
    client.stream.blocked = true
    sockets[0]!.write('x'.repeat(400_000))
    await until(() => client.connection.protocol.held > 60_000)
    // It is not read without end.
    await setTimeout(50)
    expect(client.connection.protocol.held).toBeLessThan(600_000)
    expect(hosts[0]!.memory.held).toBeGreaterThan(60_000)
  })
})
