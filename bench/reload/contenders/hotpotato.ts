import { fileURLToPath } from 'node:url'
import type { Identity } from '../../rig/identity.ts'
import { Platform } from '../../rig/platform.ts'
import { HOST } from '../orders.ts'
import type { Contender } from './contender.ts'

const NAME = 'stream'
const HANDLER = fileURLToPath(new URL('../function.js', import.meta.url))

/** A platform with one function. Its supervisor is in the process that measures. */
export class Hotpotato implements Contender {
  readonly #platform: Platform
  readonly #pids = new Map<number, string>()

  private constructor(platform: Platform) {
    this.#platform = platform
  }

  static async start(identity: Identity): Promise<Hotpotato> {
    const platform = await Platform.start({
      certificate: identity,
      functions: { [NAME]: { handler: HANDLER, hosts: [HOST], idle: '1h' } },
      // As the platform does where nothing is configured.
      settings: { warmPool: 1, rehearsalSeconds: 10 },
    })
    const contender = new Hotpotato(platform)
    await contender.#look()
    return contender
  }

  get port(): number {
    return this.#platform.ports.https
  }

  pids(): readonly number[] {
    return [...this.#pids.keys()]
  }

  replaced(): readonly number[] {
    return [...this.#pids].filter(([, role]) => role === 'container').map(([pid]) => pid)
  }

  async deploy(): Promise<void> {
    await this.#platform.supervisor.rollOuts.deploy(NAME)
    await this.#look()
  }

  async sleep(): Promise<void> {
    await this.#platform.supervisor.rollOuts.scale(NAME, 0)
    await this.#look()
  }

  /** The first message does. */
  wake(): Promise<void> {
    return Promise.resolve()
  }

  stop(): Promise<void> {
    return this.#platform.stop()
  }

  async #look(): Promise<void> {
    this.#pids.clear()
    for (const { pid, role } of await this.#platform.status())
      if (pid !== undefined) this.#pids.set(pid, role)
  }
}
