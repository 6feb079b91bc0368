import { loadProvider } from '../../src/platform/membership.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { chooseStream } from '../../src/transfer/stream.ts'
import { Mover } from '../rig/mover.ts'
import type { Platform } from '../rig/platform.ts'
import { WrongAnswer } from './answer.ts'
import { Company, type Cores, pinSelf, twoCores } from './company.ts'
import { measureSizes } from './in-process.ts'
import { startPlatform } from './platform.ts'
import { Round } from './round.ts'
import type { Order, Report, RoundSize, Sampled, SceneFacts, SceneOptions, Task } from './rows.ts'
import { StageWatch } from './stage-watch.ts'
import { Sweeps } from './sweeps.ts'
import { type Place, tourOf } from './wanderer.ts'

/** Of the round before the first. */
const SMALLEST: RoundSize = {
  requests: 2,
  fetches: 2,
  reconnects: 1,
  parts: 2,
  pairs: 1,
  cold: 1,
  moves: 2,
  until: Number.MAX_SAFE_INTEGER,
}

/**
 * One combination of circumstances: a platform, what runs beside it, and the client that measures. A process
 * of its own, so that it can be pinned with all its children; it does one thing at a time, when its parent
 * says so.
 */
class Scene {
  readonly #options: SceneOptions
  readonly #platform: Platform
  readonly #mover: Mover
  readonly #company: Company
  readonly #round: Round
  readonly #sweeps: Sweeps

  private constructor(
    options: SceneOptions,
    platform: Platform,
    place: Place,
    mover: Mover,
    cores: Cores | undefined,
  ) {
    this.#options = options
    this.#platform = platform
    this.#mover = mover
    this.#company = new Company(options, platform, place, cores)
    this.#round = new Round(platform, place, mover, this.#company)
    this.#sweeps = new Sweeps(place, options.containers, this.#company)
  }

  static async open(options: SceneOptions): Promise<Scene> {
    const platform = await startPlatform(options)
    // The servers stay where they were started; the client goes elsewhere.
    const cores = options.placement === 'two cores' ? twoCores() : undefined
    if (cores !== undefined) pinSelf(cores.client)
    const verify = verifier({ ca: platform.authority })
    let number = 0
    const place: Place = {
      options: { port: platform.ports.https, verify, suite: options.suite },
      nextNumber: () => number++,
    }
    const provider = await loadProvider(options.provider)
    const mover = new Mover(provider, platform.certificate(), 'raw-a.local', verify)
    return new Scene(options, platform, place, mover, cores)
  }

  /** @throws WrongAnswer */
  async measure(tasks: readonly Task[]): Promise<Extract<Report, { say: 'measured' }>> {
    const samples: Sampled[] = []
    for (const task of tasks) {
      if (task.task === 'rows') samples.push(...(await this.#round.measure(task.part, task.size)))
      else if (task.task === 'stages') samples.push(...(await this.#stages(task.requests)))
      else samples.push(...(await this.#sweeps.measure(task)))
    }
    return { say: 'measured', samples, skipped: this.#round.skipped }
  }

  facts(): SceneFacts {
    return {
      channel: this.#options.channel,
      stream: chooseStream().kind,
      cipherSuite: this.#round.cipherSuite,
      http2: this.#round.http2,
      state: measureSizes(this.#mover),
    }
  }

  async close(): Promise<void> {
    this.#sweeps.close()
    await this.#company.stop()
    await this.#platform.stop()
  }

  async #stages(count: number): Promise<Sampled[]> {
    const watch = new StageWatch(
      this.#platform,
      tourOf('raw').map(name => `${name}-1`),
    )
    const samples: Sampled[] = []
    for (const kind of ['stays', 'migrated'] as const) {
      const wanderer = await this.#round.connect('raw')
      samples.push(
        ...(await watch.watch(kind, noted =>
          wanderer.client.measure(
            Array.from({ length: count }, () => (kind === 'stays' ? wanderer.stay() : wanderer.move())),
            noted,
          ),
        )),
      )
      wanderer.close()
    }
    return samples
  }
}

function tell(report: Report): Promise<void> {
  return new Promise(resolve => process.send!(report, () => resolve()))
}

async function main(): Promise<void> {
  const options = JSON.parse(process.argv[2]!) as SceneOptions
  // In a terminal Ctrl-C comes to all of us; the parent decides.
  process.on('SIGINT', () => {})
  const scene = await Scene.open(options)
  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> => {
    stopping ??= scene.close().finally(() => process.exit())
    return stopping
  }
  process.once('disconnect', () => void stop())
  process.on('message', (order: Order) => {
    const work = order.do === 'stop' ? stop() : scene.measure(order.tasks).then(tell)
    work.catch(failed)
  })
  // Once before the count begins, so that suite and versions are known.
  await scene.measure([
    { task: 'rows', part: 'raw', size: SMALLEST },
    { task: 'rows', part: 'h2', size: SMALLEST },
  ])
  await tell({ say: 'ready', facts: scene.facts() })
}

async function failed(error: unknown): Promise<void> {
  const reason = error instanceof Error ? error.message : String(error)
  await tell({ say: 'failed', wrong: error instanceof WrongAnswer, reason })
}

main().catch(failed)
