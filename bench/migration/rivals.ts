import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Platform } from '../rig/platform.ts'
import { BODY } from './answer.ts'
import { type Call, Client } from './client.ts'
import type { SceneOptions } from './rows.ts'
import { call, type Place } from './wanderer.ts'

/** Requests on a new connection before the clock starts. */
const WARM_REQUESTS = 4

/**
 * What there is instead of moving a connection, each in processes of its own: `node:tls`, our stack alone,
 * and a proxy.
 */
export class Rivals {
  /** Ports. */
  readonly reference: number
  readonly stack: number
  readonly #proxy: number
  readonly #children: readonly ChildProcess[]
  #proxied: Proxied | undefined

  private constructor(
    children: readonly ChildProcess[],
    [reference, stack, proxy]: readonly [number, number, number],
  ) {
    this.#children = children
    this.reference = reference
    this.stack = stack
    this.#proxy = proxy
  }

  static async start(platform: Platform, { provider, suite }: SceneOptions): Promise<Rivals> {
    const children: ChildProcess[] = []
    const start = async (script: string, ...words: string[]): Promise<number> => {
      const child = fork(fileURLToPath(new URL(`./${script}.js`, import.meta.url)), words, {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      children.push(child)
      return new Promise<number>((resolve, reject) => {
        child.once('message', message => resolve(message as number))
        child.once('exit', code => reject(new Error(`${script} ended (${code})`)))
      })
    }
    const certificate = platform.certificateFiles
    const target = await start('proxy', 'function')
    const ports = await Promise.all([
      start('reference', ...certificate, suite),
      start('stack', ...certificate, provider),
      start('proxy', 'proxy', ...certificate, suite, String(target)),
    ])
    return new Rivals(children, ports)
  }

  /** Requests to node:tls on one connection. @returns µs of each @throws WrongAnswer */
  async referenceRequests(place: Place, count: number): Promise<number[]> {
    const options = { ...place.options, port: this.reference, serverName: 'raw-a.local' }
    const next = (): Call => call('/', place.nextNumber(), 'node-tls', 0)
    const { client } = await Client.open(options, next())
    await client.measure(Array.from({ length: WARM_REQUESTS }, next))
    const times = await client.measure(Array.from({ length: count }, next))
    client.close()
    return times
  }

  /** The way through the proxy. */
  proxied(place: Place): Proxied {
    this.#proxied ??= new Proxied(place, this.#proxy)
    return this.#proxied
  }

  close(): void {
    this.#proxied?.close()
    for (const child of this.#children) if (child.connected) child.disconnect()
  }
}

/** Requests through the proxy, on one connection that stays open. */
export class Proxied {
  readonly #place: Place
  readonly #port: number
  #client: Client | undefined

  constructor(place: Place, port: number) {
    this.#place = place
    this.#port = port
  }

  /** @returns µs of requests that the proxy answers, and of as many that it forwards @throws WrongAnswer */
  async requests(count: number): Promise<{ stays: number[]; forwarded: number[] }> {
    const client = await this.#connection()
    const stays = await client.measure(Array.from({ length: count }, () => this.#call('/here', BODY)))
    return { stays, forwarded: await this.forward(count, BODY) }
  }

  /** @param length bytes of content @returns µs of each @throws WrongAnswer */
  async forward(count: number, length: number): Promise<number[]> {
    const client = await this.#connection()
    return client.measure(Array.from({ length: count }, () => this.#call('/there', length)))
  }

  async #connection(): Promise<Client> {
    if (this.#client !== undefined) return this.#client
    const options = { ...this.#place.options, port: this.#port, serverName: 'raw-a.local' }
    this.#client = (await Client.open(options, this.#call('/here', BODY))).client
    for (const path of ['/here', '/there'])
      await this.#client.measure(Array.from({ length: WARM_REQUESTS }, () => this.#call(path, BODY)))
    return this.#client
  }

  #call(path: '/here' | '/there' | string, length: number): Call {
    return call(path, this.#place.nextNumber(), path === '/here' ? 'proxy' : 'function', 0, length)
  }

  close(): void {
    this.#client?.close()
  }
}
