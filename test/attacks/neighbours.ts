import { readFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { Platform } from '../support/platform.ts'

/** The module of a function that turns against its platform. */
const TURNED = readFileSync(fileURLToPath(new URL('./turned.mjs', import.meta.url)), 'utf8')

const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
connection: { requests: 1000000, timers: { keepAlive: 600, headers: 300, container: 60 } }
liveness: { startSeconds: 300, periodSeconds: 0.5, failureSeconds: 20 }
restart: { firstSeconds: 0.02, mostSeconds: 0.1, healthySeconds: 600, crashLoop: 1000 }
functions:
  echo: {}
  hello: {}
  turned: { handler: ./turned.mjs }
`

/** A platform with a function that turns, and what its neighbours see of that. */
export class Neighbours {
  readonly platform: Platform
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  /** The processes that must not end, by name. */
  #pids: Readonly<Record<string, number | undefined>> = {}

  static async start(environment: Readonly<Record<string, string>> = {}): Promise<Neighbours> {
    const certificates = ['echo', 'hello', 'turned'].map(name => ({ name, hosts: [`${name}.local`] }))
    const files = { 'turned.mjs': TURNED }
    const platform = await Platform.start({ config: CONFIG, files, certificates, environment })
    const neighbours = new Neighbours(platform)
    await neighbours.#ask('/echo', neighbours.#agent)
    neighbours.#pids = await neighbours.#running()
    return neighbours
  }

  private constructor(platform: Platform) {
    this.platform = platform
  }

  /** Has the function turn. @returns what it says, empty if it ends over it */
  async attack(name: string): Promise<string> {
    const { body } = await this.#ask(`/turned?do=${name}`).catch(() => ({ body: '' }))
    return body
  }

  /**
   * A connection that was open before goes on, a new one is served, and none but the function's process has
   * ended.
   */
  async areServed(): Promise<void> {
    const { log } = this.platform
    expect(await this.#ask('/echo', this.#agent), log).toMatchObject({ status: 200, reused: true })
    expect(await this.#ask('/hello'), log).toMatchObject({ status: 200 })
    expect(await this.#running(), log).toEqual(this.#pids)
    expect(this.platform.child.exitCode).toBeNull()
  }

  /** The process of the function. */
  async turned(): Promise<number | undefined> {
    return (await this.platform.member('turned-1')).pid
  }

  /** An attack ends the one that makes it, and no other process notices. */
  async attackEndsAlone(name: string): Promise<void> {
    const before = await this.turned()
    await this.attack(name)
    await this.areServed()
    await this.isStartedAnew(before)
    await this.areServed()
  }

  /** Waits until the function has another process than that one, and works. */
  async isStartedAnew(than: number | undefined): Promise<void> {
    await this.platform.until('turned-1', ({ pid, ready }) => ready && pid !== than)
  }

  async stop(): Promise<void> {
    this.#agent.destroy()
    await this.platform.stop()
  }

  async #running(): Promise<Record<string, number | undefined>> {
    const members = await this.platform.status()
    return Object.fromEntries(
      members.filter(({ name }) => name !== 'turned-1').map(({ name, pid }) => [name, pid]),
    )
  }

  #ask(path: string, agent?: Agent): Promise<{ status: number | undefined; body: string; reused: boolean }> {
    return new Promise((resolve, reject) => {
      const url = `http://127.0.0.1:${this.platform.http}${path}`
      const request = get(url, { agent: agent ?? false }, response => {
        let body = ''
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text
        })
        response.once('end', () =>
          resolve({ status: response.statusCode, body, reused: request.reusedSocket }),
        )
        response.once('error', reject)
      })
      request.once('error', reject)
    })
  }
}
