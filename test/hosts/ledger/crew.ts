import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { utf8 } from '../../../src/wire/index.ts'
import { Client, textOf } from '../../support/client.ts'
import type { Platform } from '../../support/platform.ts'
import type { Entry } from './check.ts'

/** Milliseconds that a client waits for one answer, faults and all; and between two requests, at most. */
const PATIENCE = 120_000
const PAUSE = 60

/** A function that writes down which requests it begins. Its host's name is in its environment. */
export const functionIn = (directory: string): string => `
import { appendFileSync } from 'node:fs'
export default async request => {
  const url = new URL(request.url)
  const [connection, number] = [url.searchParams.get('connection'), Number(url.searchParams.get('request'))]
  const name = process.env.HOST + '/' + process.pid
  const line = { kind: 'begun', connection, request: number, process: name }
  appendFileSync(${JSON.stringify(directory)} + '/begun', JSON.stringify(line) + '\\n')
  await request.text()
  await new Promise(go => setTimeout(go, Number(url.searchParams.get('wait'))))
  return Response.json({ connection, request: number, process: name })
}
`

/** What the functions have written. */
export function begunIn(directory: string): Entry[] {
  const file = join(directory, 'begun')
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line) as Entry)
}

/** A client that asks until it is told to end; one whose connection has ended opens another one. */
export class Asker {
  readonly entries: Entry[] = []
  readonly #name: string
  readonly #platform: Platform
  readonly #random: () => number
  #over = false

  /** @param random from 0 up to 1 */
  constructor(name: string, platform: Platform, random: () => number) {
    this.#name = name
    this.#platform = platform
    this.#random = random
  }

  /** Asks no more after the answer that it waits for. */
  end(): void {
    this.#over = true
  }

  /** Until {@link end}. */
  async run(): Promise<void> {
    for (let round = 1; !this.#over; round++) {
      const { https: port, ca } = this.#platform
      const client = await Client.open({ port, tls: { ca, serverName: 'echo.local' } }).catch(() => undefined)
      if (client === undefined) await pause(PAUSE)
      else await this.#ask(client, `${this.#name}.${round}`)
    }
  }

  async #ask(client: Client, connection: string): Promise<void> {
    let broken = false
    for (let request = 1; !this.#over && !broken; request++) {
      const idempotent = this.#random() < 0.5
      const wait = this.#random() < 0.1 ? 200 : 0
      const target = `/?connection=${connection}&request=${request}&wait=${wait}`
      this.entries.push({ kind: 'asked', connection, request, idempotent })
      const asked = client.request(target, idempotent ? {} : { body: utf8('effects') })
      const answer = await Promise.race([asked.catch(() => 'broken' as const), pause(PATIENCE)])
      if (answer === undefined) break
      if (answer === 'broken') broken = true
      else {
        const { status, container = '', hops } = answer
        const says = status === 200 ? JSON.parse(textOf(answer)) : undefined
        this.entries.push({ kind: 'answered', connection, request, status, says, container, hops })
        await pause(this.#random() * PAUSE)
      }
    }
    const { closeNotify } = broken ? await client.ended : { closeNotify: false }
    const how = broken ? (closeNotify ? 'in-order' : 'broken') : 'by-us'
    this.entries.push({ kind: 'ended', connection, how })
    client.reset()
  }
}

/** Resolves later, with nothing. */
export function pause(milliseconds: number): Promise<undefined> {
  return new Promise(resolve => setTimeout(resolve, milliseconds, undefined))
}
