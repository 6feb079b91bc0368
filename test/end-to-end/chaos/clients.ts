import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, Client, type ClientOptions, field } from '../../support/client.ts'
import { Http2Client } from '../../support/http2-client.ts'
import type { Platform } from '../../support/platform.ts'
import { below, type Seeded } from '../../support/random.ts'
import { type Asked, type ClientKind, type Connection, type Ledger, MODES, type Mode } from './ledger.ts'

/** Milliseconds in which every request is settled, and every connection that ends is at its end. */
export const BOUND = 180_000

/** What clients know of the world. */
export interface World {
  readonly platform: Platform
  readonly ca: string
  readonly ledger: Ledger
  /** The functions of a run, by the mode of connections that begin with them. */
  readonly functions: Readonly<Record<Mode, readonly string[]>>
  readonly over: () => boolean
}

/** A client that asks on one connection after the other until all is over. */
export type Behaviour = (world: World, random: Seeded) => Promise<void>

export function pick<T>(random: Seeded, from: readonly T[]): T {
  return from[below(random, from.length)]!
}

/** How a request may end without an answer, and without a mistake of ours. */
const THEIRS = new RegExp(
  '^(alert \\w+ from peer|E[A-Z]+|the server closed|the connection ended before the response|' +
    'stream \\d+ was reset.*)$',
)
const often = (random: Seeded, times: number, of: number): boolean => below(random, of) < times

/** Where a connection begins, and with what mode. */
export function begin(
  { ledger, functions, platform, ca }: World,
  random: Seeded,
  kind: ClientKind,
  modes: readonly Mode[] = MODES,
): { connection: Connection; home: string; options: ClientOptions } {
  const mode = pick(random, modes)
  const home = pick(random, functions[mode])
  const tls = { ca, serverName: `${home}.local` }
  const options = mode === 'plain' ? { port: platform.http } : { port: platform.https, tls }
  return { connection: ledger.connect(kind, mode, home), home, options }
}

/** What to ask next. */
export interface Question {
  readonly asked: Asked
  readonly target: string
  readonly method: string
  readonly body: Uint8Array | undefined
}

/** @param away whether it may be for another function */
export function question(
  { ledger, functions }: World,
  random: Seeded,
  connection: Connection,
  home: string,
  { away = true, methods = ['GET', 'GET', 'PUT', 'POST'], most = 200_000 } = {},
): Question {
  const all = Object.values(functions).flat()
  const functionName = away && often(random, 1, 4) ? pick(random, all) : home
  const method = pick(random, methods)
  const size = often(random, 1, 12) ? below(random, most) : below(random, 2000)
  const body = method === 'GET' ? undefined : letters(random, size)
  const asked = ledger.ask(connection, method, functionName, body ?? size)
  const slow = often(random, 1, 3) ? `&sleep=${below(random, 300)}` : ''
  const pieces = often(random, 1, 8) ? '&pieces' : ''
  const target = `/${functionName}?id=${asked.id}${body === undefined ? `&size=${size}` : ''}${slow}${pieces}`
  return { asked, target, method, body }
}

/** From a to j: `s_client` takes a k that it reads first for a command. */
export function letters(random: Seeded, size: number): Uint8Array {
  return random(size).map(byte => 97 + (byte % 10))
}

/** A pause between two requests; now and then a long one. */
export function pause(random: Seeded): Promise<void> {
  return sleep(often(random, 1, 12) ? below(random, 1500) : below(random, 40))
}

/** What the promise gives, or undefined and a violation if it hangs. */
export async function inTime<T>(
  { ledger }: Pick<World, 'ledger'>,
  what: string,
  promise: Promise<T>,
): Promise<T | 'hangs'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'hangs'>(resolve => {
    timer = setTimeout(() => resolve('hangs'), BOUND)
  })
  const first = await Promise.race([promise, late])
  clearTimeout(timer)
  if (first === 'hangs') ledger.violation(`${what} hangs`)
  return first
}

/** Our own client, HTTP/1.1, sometimes pipelining, with bodies that trickle, and keys that change. */
export const http1: Behaviour = async (world, random) => {
  const { ledger } = world
  const { connection, home, options } = begin(world, random, 'h1')
  const client = await opened(world, connection, Client.open(options))
  if (client === undefined) return
  /** Sends a request, perhaps in two pieces. */
  const send = async (bytes: Uint8Array): Promise<void> => {
    const cut = often(random, 1, 6) ? below(random, bytes.length) : bytes.length
    client.write(bytes.subarray(0, cut))
    if (cut === bytes.length) return
    await sleep(below(random, 100))
    client.write(bytes.subarray(cut))
  }
  let over = false
  void client.ended.then(() => {
    over = true
  })
  let goesOn = true
  for (let left = 1 + below(random, 80); goesOn && left > 0 && !world.over(); left--) {
    if (over) {
      ledger.end(connection, endOf(client) ?? 'while it was idle')
      break
    }
    if (options.tls !== undefined && often(random, 1, 25)) client.updateKeys()
    const all: Promise<boolean>[] = []
    for (let pipelined = often(random, 1, 10) ? 3 : 1; !over && pipelined > 0; pipelined--) {
      const { asked, target, method, body } = question(world, random, connection, home)
      const headers = [['host', `${home}.local`]] as const
      const bytes = client.requestBytes(target, { method, headers, ...(body && { body }) })
      all.push(settle(world, asked, client.answer(), () => endOf(client)))
      await send(bytes)
    }
    goesOn = (await Promise.all(all)).every(one => one)
    await pause(random)
  }
  connection.closed = true
  if (goesOn && !over) {
    const ending = await inTime(world, `${connection.id}: its end`, client.close())
    if (ending !== 'hangs' && ending.alert !== undefined)
      ledger.end(connection, endOf(client) ?? ending.alert)
  } else await inTime(world, `${connection.id}: its end`, client.ended)
  client.socket.destroy()
}

function endOf({ events }: Client): string | undefined {
  for (const event of events) if (event.type === 'alert') return `alert ${event.alert} from ${event.from}`
  return undefined
}

/** Our own client, HTTP/2, with several requests at once. */
export const http2: Behaviour = async (world, random) => {
  const { ledger } = world
  const { connection, home, options } = begin(world, random, 'h2')
  const client = await opened(world, connection, Http2Client.open(options))
  if (client === undefined) return
  let over = false
  void client.ended.then(() => {
    over = true
  })
  for (let left = 1 + below(random, 50); !over && left > 0 && !world.over(); left--) {
    const all = Array.from({ length: often(random, 1, 3) ? 4 : 1 }, () => {
      const { asked, target, method, body } = question(world, random, connection, home)
      const answer = client.request(target, { method, authority: `${home}.local`, ...(body && { body }) })
      return settle(world, asked, answer, () => undefined)
    })
    const goesOn = (await Promise.all(all)).every(one => one)
    // One stream that was reset says nothing of the others; a server that says goodbye takes no more.
    if (!goesOn || client.goaway !== undefined) break
    await pause(random)
    if (over) ledger.end(connection, 'while it was idle')
  }
  connection.closed = true
  await inTime(world, `${connection.id}: its end`, client.close())
  client.socket.destroy()
}

async function opened<C>(world: World, connection: Connection, opening: Promise<C>): Promise<C | undefined> {
  const { ledger } = world
  try {
    const client = await inTime(world, `${connection.id}: its beginning`, opening)
    return client === 'hangs' ? undefined : client
  } catch (error) {
    ledger.notOpened++
    ledger.end(connection, `not opened, ${messageOf(error)}`)
    return undefined
  }
}

/** @returns whether there was an answer */
async function settle(
  world: World,
  asked: Asked,
  answer: Promise<Answer>,
  why: () => string | undefined,
): Promise<boolean> {
  const { ledger } = world
  try {
    const got = await inTime(world, asked.id, answer)
    if (got === 'hangs') return false
    // A request that was lent does not tell where its connection is.
    const container = field(got, 'x-hotpotato-lent-by') ?? got.container
    ledger.answer(asked, { ...got, container, id: field(got, 'x-id') })
    return true
  } catch (error) {
    const how = why() ?? messageOf(error)
    ledger.lose(asked, how)
    // What the client does not accept is the platform's mistake; an end without an answer may be a death's.
    if (!THEIRS.test(how)) ledger.violation(`${asked.id}: ${how}`)
    return false
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
