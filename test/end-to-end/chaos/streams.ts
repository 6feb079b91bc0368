import { type EventEmitter, once } from 'node:events'
import { request as plainRequest } from 'node:http'
import { connect } from 'node:http2'
import { request as secureRequest } from 'node:https'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '../../../src/client/index.ts'
import { utf8 } from '../../../src/wire/index.ts'
import { below, type Seeded } from '../../support/random.ts'
import { type Behaviour, begin, inTime, letters, messageOf, pick, type World } from './clients.ts'
import type { Asked, Connection } from './ledger.ts'

/*
 * Streams of Node's own clients, over HTTP/1.1 and HTTP/2, that last while containers come and go: downloads
 * of pieces, server-sent events and uploads, each to its last byte; and WebSockets on streams of HTTP/2.
 */

const KINDS = ['download', 'events', 'upload'] as const

/** One request, and where its content is written to and read from. */
interface Exchange {
  readonly sent: Writable
  /** The status, `x-id` and container that the head says. @throws Error there is none */
  readonly head: Promise<{ status: number; id: string | undefined; container: string | undefined }>
  /** What is read of the answer, once there is a head. */
  readonly answer: () => Readable
  /** @throws Error it is cut, which reading it has not told */
  readonly check?: () => void
}

type Ask = (method: string, path: string) => Exchange

/** What one stream asks for, and all that it has to get. */
function stream({ ledger }: World, random: Seeded, connection: Connection, home: string) {
  const kind = pick(random, KINDS)
  const pause = below(random, 60)
  const size = 1 + below(random, kind === 'events' ? 60 : 100_000)
  const body = kind === 'upload' ? letters(random, size) : undefined
  const wanted = kind === 'events' ? eventsUntil(size, pause) : (body ?? size)
  const asked = ledger.ask(connection, kind === 'upload' ? 'PUT' : 'GET', home, wanted)
  const path = `/${home}?id=${asked.id}&stream=${kind}&size=${size}&pause=${pause}`
  return { asked, kind, path, pause, body }
}

/** What the function's stream of so many events is: see `STREAMS`. */
function eventsUntil(most: number, pause: number): Uint8Array {
  const all = Array.from({ length: most }, (_, n) => `id: ${n + 1}:${most}:${pause}\ndata: ${n + 1}\n\n`)
  return utf8Of(all.join(''))
}

const utf8Of = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Asks for one, and reads it to its end. @returns whether it came whole */
async function streamed(
  world: World,
  ask: Ask,
  { asked, path, pause, body }: ReturnType<typeof stream>,
): Promise<boolean> {
  const { ledger } = world
  const { connection } = asked
  const got: Uint8Array[] = []
  const whole = async (): Promise<boolean> => {
    const exchange = ask(asked.method, path)
    if (body !== undefined) void write(exchange.sent, body, pause)
    else if (!exchange.sent.writableEnded) exchange.sent.end()
    const { status, id, container } = await exchange.head
    // From here on only the end of that container, or of the next one, may be what ends it.
    connection.container = container ?? connection.container
    for await (const piece of exchange.answer()) got.push(piece)
    exchange.check?.()
    ledger.answer(asked, { status, id, container, body: new Uint8Array(Buffer.concat(got)) })
    return status === 200
  }
  try {
    return (await inTime(world, asked.id, whole())) === true
  } catch (error) {
    // What has come of a stream that was cut is its beginning.
    const come = Buffer.concat(got)
    if (!come.equals(asked.expected.subarray(0, come.length)) && connection.container !== undefined)
      ledger.violation(`${asked.id}: cut after ${come.length} bytes that are not its beginning`)
    ledger.lose(asked, messageOf(error))
    return false
  }
}

/** In eight pieces, one after the other. */
async function write(to: Writable, body: Uint8Array, pause: number): Promise<void> {
  to.on('error', () => undefined) // the answer tells of it, too
  const step = Math.ceil(body.length / 8)
  for (let at = 0; at < body.length && !to.destroyed; at += step) {
    to.write(body.subarray(at, at + step))
    await sleep(pause)
  }
  to.end()
}

/** One after the other on connections of HTTP/1.1, each on one of its own. */
export const streams1: Behaviour = async (world, random) => {
  const { connection, home, options } = begin(world, random, 'stream1', ['relay', 'kept'])
  const to = {
    host: '127.0.0.1',
    port: options.port,
    agent: false as const,
    headers: { host: `${home}.local` },
  }
  const tls = options.tls && { ca: world.ca, servername: `${home}.local` }
  const ask: Ask = (method, path) => {
    const sent = tls ? secureRequest({ ...to, ...tls, method, path }) : plainRequest({ ...to, method, path })
    let answer: Readable
    const head = once(sent, 'response').then(([response]) => {
      answer = response
      const { 'x-id': id, 'x-hotpotato-container': container } = response.headers
      return { status: response.statusCode, id, container }
    })
    return { sent, head, answer: () => answer }
  }
  await streamed(world, ask, stream(world, random, connection, home))
  connection.closed = true
}

/**
 * What is waited for, unless its stream or session is closed first: Node closes those of a connection that
 * ended without a word of error.
 * @throws Error it was closed
 */
function before<T>(awaited: Promise<T>, source: EventEmitter): Promise<T> {
  const closed = new Promise<never>((_, reject) =>
    source.once('close', () => reject(new Error('closed before an answer'))),
  )
  return Promise.race([awaited, closed])
}

/** Three at once on one connection of HTTP/2. */
export const streams2: Behaviour = async (world, random) => {
  const { connection, home, options } = begin(world, random, 'stream2', ['relay', 'kept'])
  const { ledger } = world
  const session = connect(`https://127.0.0.1:${options.port}`, { ca: world.ca, servername: `${home}.local` })
  let trouble: string | undefined
  session.on('error', error => {
    trouble = messageOf(error)
  })
  const opened = before(once(session, 'connect'), session).catch(error => {
    trouble ??= messageOf(error)
  })
  await inTime(world, `${connection.id}: its beginning`, opened)
  const ask: Ask = (method, path) => {
    const head = { ':method': method, ':path': path, ':authority': `${home}.local` }
    const sent = session.request(head, { endStream: method === 'GET' })
    const response = before(once(sent, 'response'), sent).then(([fields]) => ({
      status: Number(fields[':status']),
      id: fields['x-id'] as string | undefined,
      container: fields['x-hotpotato-container'] as string | undefined,
    }))
    const check = (): void => {
      if (sent.aborted || sent.rstCode !== 0) throw new Error(`stream was reset with ${sent.rstCode}`)
    }
    return { sent, head: response, answer: () => sent, check }
  }
  if (trouble !== undefined) {
    ledger.notOpened++
    ledger.end(connection, `not opened, ${trouble}`)
    return
  }
  for (let left = 1 + below(random, 4), goesOn = true; goesOn && left > 0 && !world.over(); left--) {
    const all = Array.from({ length: 3 }, () => stream(world, random, connection, home))
    const came = await Promise.all(all.map(one => streamed(world, ask, one)))
    goesOn = came.every(one => one) && !session.closed && !session.destroyed
  }
  connection.closed = true
  session.destroy()
}

/** WebSockets on streams of one connection of HTTP/2, by our own client; messages are counted. */
export const webSockets2: Behaviour = async (world, random) => {
  const { ledger, ca } = world
  const { connection, home, options } = begin(world, random, 'ws2', ['relay', 'kept'])
  const client = new Client({ tls: { ca } })
  const url = `wss://${home}.localhost:${options.port}/${home}`
  const one = async (): Promise<void> => {
    const socket = await client.webSocket(url, { version: 'h2' })
    const replies = socket[Symbol.asyncIterator]()
    for (let count = 1, left = 1 + below(random, 30); left > 0 && !world.over(); left--, count++) {
      const body = letters(random, below(random, 2000))
      const asked = ledger.ask(connection, 'MESSAGE', home, body)
      const answered = await inTime(world, asked.id, said(socket, replies, asked, body, below(random, 100)))
      if (answered === 'hangs' || answered === undefined) return
      if (answered !== count) ledger.violation(`${asked.id}: counted as ${answered}, not ${count}`)
      await sleep(below(random, 40))
    }
    socket.close()
  }
  /** Says one message. @returns the count of its answer; undefined: the socket has ended */
  const said = async (
    socket: { send(text: string): void },
    replies: AsyncIterator<unknown>,
    asked: Asked,
    body: Uint8Array,
    pause: number,
  ): Promise<number | undefined> => {
    try {
      socket.send(JSON.stringify({ id: asked.id, sleep: pause, body: new TextDecoder().decode(body) }))
      const { value, done } = await replies.next()
      if (done) throw new Error('the socket was closed')
      const { id, count, container, body: back } = JSON.parse(String(value))
      ledger.answer(asked, { status: 200, id, container, body: utf8(back) })
      return count
    } catch (error) {
      ledger.lose(asked, messageOf(error))
      return undefined
    }
  }
  const opened = await inTime(world, `${connection.id}: its sockets`, Promise.allSettled([one(), one()]))
  if (opened !== 'hangs') {
    for (const outcome of opened) {
      if (outcome.status === 'fulfilled') continue
      ledger.notOpened++
      ledger.end(connection, `not opened, ${messageOf(outcome.reason)}`)
    }
  }
  connection.closed = true
  await client.close()
}
