import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Identity } from '../../rig/identity.ts'
import { Application } from './application.ts'
import type { Contender } from './contender.ts'
import { type ProxyName, ReverseProxy } from './proxies.ts'

/** A server of Node behind a proxy. What is deployed is the proxy's file alone, or the server. */
export class Proxied implements Contender {
  readonly #proxy: ReverseProxy
  readonly #application: Application
  readonly #directory: string
  readonly #deploysServer: boolean
  #port: number

  private constructor(
    proxy: ReverseProxy,
    application: Application,
    directory: string,
    port: number,
    deploysServer: boolean,
  ) {
    this.#proxy = proxy
    this.#application = application
    this.#directory = directory
    this.#port = port
    this.#deploysServer = deploysServer
  }

  /** @throws BenchError the proxy does not start */
  static async start(name: ProxyName, deploysServer: boolean, identity: Identity): Promise<Proxied> {
    const directory = mkdtempSync(join(tmpdir(), 'hotpotato-bench-'))
    const application = new Application()
    try {
      const port = await application.start()
      const proxy = await ReverseProxy.start(name, directory, identity, port)
      return new Proxied(proxy, application, directory, port, deploysServer)
    } catch (error) {
      application.stop()
      rmSync(directory, { recursive: true, force: true })
      throw error
    }
  }

  get port(): number {
    return this.#proxy.port
  }

  pids(): readonly number[] {
    return [...this.#proxy.pids(), ...this.#application.pids()]
  }

  replaced(): readonly number[] {
    return [...this.#proxy.workers(), ...(this.#deploysServer ? this.#application.pids() : [])]
  }

  async deploy(): Promise<void> {
    if (!this.#deploysServer) return this.#proxy.reload(this.#port)
    const retire = this.#application.retire()
    await this.wake()
    await retire?.()
  }

  async sleep(): Promise<void> {
    await this.#application.retire()?.()
    await this.#application.ended()
  }

  async wake(): Promise<void> {
    this.#port = await this.#application.start()
    await this.#proxy.reload(this.#port)
  }

  async stop(): Promise<void> {
    await this.#proxy.stop()
    this.#application.stop()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
