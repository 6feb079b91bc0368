import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { FrontScene, PORTS, SERVICE } from '../../test/support/front-scene.ts'
import { BenchError } from '../harness/run.ts'

const ASKER = fileURLToPath(new URL('./asker.js', import.meta.url))
/** Each function works on one of both hosts alone, so a request for it moves the connection there. */
const FUNCTIONS = {
  a: '  echo: { hosts: [echo.local] }\n  hello: { handler: ./broken.mjs }\n  echo-raw: {}\n',
  b: '  echo: { hosts: [echo.local] }\n  hello: {}\n  echo-raw: { handler: ./broken.mjs }\n',
}
const FILES = { 'broken.mjs': "throw new Error('not on this host')" }

export const CARRIERS = ['repair', 'relay'] as const
export type Carrier = (typeof CARRIERS)[number]
/** Kinds of requests: it moves to the other host, stays there, moves back, and stays at the first one. */
export const KINDS = ['there', 'far', 'back', 'near'] as const
export type Kind = (typeof KINDS)[number]

/** Two hosts and a client in network namespaces for each carrier. */
export class Between {
  readonly #scenes: ReadonlyMap<Carrier, FrontScene>

  static async start(): Promise<Between> {
    const scenes = new Map<Carrier, FrontScene>()
    try {
      for (const carrier of CARRIERS)
        scenes.set(carrier, await FrontScene.start({ functions: FUNCTIONS, files: FILES, carrier }))
    } catch (error) {
      for (const scene of scenes.values()) await scene.stop()
      throw error
    }
    return new Between(scenes)
  }

  private constructor(scenes: ReadonlyMap<Carrier, FrontScene>) {
    this.#scenes = scenes
  }

  /** @returns of each kind the median in µs @throws BenchError a request failed, or nothing was carried so */
  async measure(carrier: Carrier, turns: number): Promise<Record<Kind, number>> {
    const scene = this.#scenes.get(carrier)!
    const before = await liftedAt(scene)
    const words = [process.execPath, ASKER, String(turns), SERVICE, String(PORTS.https)]
    const child = scene.spawn('client', [...words, scene.platform('a').caFile])
    let said = ''
    child.stdout!.setEncoding('utf8').on('data', text => (said += text))
    const [code] = await once(child, 'close')
    if (code !== 0) throw new BenchError(`a request between hosts failed, by ${carrier}`)
    const lifted = (await liftedAt(scene)) - before
    const least = carrier === 'repair' ? 2 * turns : 0
    if (carrier === 'repair' ? lifted < least : lifted > 0)
      throw new BenchError(`${lifted} moves by repair, where carrier is ${carrier}`)
    return JSON.parse(said) as Record<Kind, number>
  }

  async stop(): Promise<void> {
    for (const scene of this.#scenes.values()) await scene.stop()
  }
}

/** How often connections have gone themselves. */
async function liftedAt(scene: FrontScene): Promise<number> {
  const links = await Promise.all((['a', 'b'] as const).map(host => scene.platform(host).member('link')))
  return links.reduce((sum, { counters }) => sum + (counters.lifted ?? 0), 0)
}
