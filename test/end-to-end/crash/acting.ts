import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Answer, Client, type ClientOptions } from '../../support/client.ts'
import { eventually, Platform } from '../../support/platform.ts'

/** A function that does what its query says, and notes that it was begun. */
const ACT = `
import { appendFileSync } from 'node:fs'
const ledger = new URL('./ledger', import.meta.url)
const forever = new Promise(() => {})
export default async request => {
  const query = new URL(request.url).searchParams
  const body = await request.text()
  if (query.has('id')) appendFileSync(ledger, query.get('id') + '\\n')
  if (query.has('loop')) for (;;);
  if (query.has('crash')) process.kill(process.pid, 'SIGKILL')
  if (query.has('wait')) await forever
  if (query.has('sleep')) await new Promise(resolve => setTimeout(resolve, Number(query.get('sleep'))))
  if (query.has('half')) {
    const start = controller => controller.enqueue(new TextEncoder().encode('half of it'))
    const body = new ReadableStream({ start, pull: () => forever })
    return new Response(body, { headers: { 'content-length': '20' } })
  }
  return new Response('x'.repeat(Number(query.get('bytes') ?? 0)) + process.pid + ' ' + body.length)
}
`

/** A platform whose containers die, and whose function `./act.mjs` keeps a ledger of what it has begun. */
export class ActingPlatform {
  readonly platform: Platform
  readonly #replicas: readonly string[]

  /** @param replicas those that have to be there, and to know each other, before anything is tried */
  static async start(
    config: string,
    replicas: readonly string[],
    files: Readonly<Record<string, string>> = {},
  ): Promise<ActingPlatform> {
    const platform = await Platform.start({
      config,
      files: { 'act.mjs': ACT, ledger: '', ...files },
      environment: { HOTPOTATO_CARRIER: '' },
    })
    return new ActingPlatform(platform, replicas)
  }

  private constructor(platform: Platform, replicas: readonly string[]) {
    this.platform = platform
    this.#replicas = replicas
  }

  /**
   * All replicas are there, and know the keys of all others of their function: none can go on from a
   * checkpoint before.
   */
  async whole(): Promise<void> {
    for (const name of this.#replicas) {
      const peers = this.#replicas.filter(one => one.startsWith(name.slice(0, -1))).length
      await this.platform.until(name, ({ ready, counters }) => ready && counters.keyRing! >= peers)
    }
    await this.platform.until('gateway', ({ ready }) => ready)
  }

  options(serverName = 'echo.local'): ClientOptions {
    return { port: this.platform.https, tls: { ca: this.platform.ca, serverName } }
  }

  /** How often a request with that `id` in its query was begun. */
  begun(id: string): number {
    return readFileSync(join(this.platform.directory, 'ledger'), 'utf8')
      .split('\n')
      .filter(one => one === id).length
  }

  async whenBegun(id: string): Promise<void> {
    await eventually(() => (this.begun(id) > 0 ? true : undefined), `${id} is not begun`)
  }

  /** A connection that has been answered once. */
  async settled(path = '/echo'): Promise<{ client: Client; first: Answer }> {
    const client = await Client.open(this.options())
    const first = await client.request(path)
    expect(first.status).toBe(200)
    return { client, first }
  }
}

/** The client is answered in the same session by another container than the one that died, and closes. */
export async function goesOn(client: Client, after: Answer, path = '/echo'): Promise<void> {
  const next = await client.request(path)
  expect(next.status).toBe(200)
  expect(next.container).not.toBe(after.container)
  expect((await client.request(path)).status).toBe(200)
  expect(client.handshakes).toBe(1)
  expect(await client.close()).toEqual({ closeNotify: true, alert: undefined, error: undefined })
}
