import { execFileSync } from 'node:child_process'
import { loadProvider } from '../../src/platform/membership.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { chooseStream } from '../../src/transfer/stream.ts'
import { Mover } from '../rig/mover.ts'
import { usableCpus } from '../rig/placement.ts'
import type { Platform } from '../rig/platform.ts'
import { WrongAnswer } from './answer.ts'
import { measureParts, measureSizes } from './in-process.ts'
import { Limit } from './limit.ts'
import { startPlatform } from './platform.ts'
import { Reconnections } from './reconnections.ts'
import { Rivals } from './rivals.ts'
import {
  type Order,
  type Report,
  type RoundSize,
  type RowName,
  rowOf,
  type Sampled,
  type SceneFacts,
  type SceneOptions,
  type Task,
} from './rows.ts'
import { StageWatch } from './stage-watch.ts'
import { Sweeps } from './sweeps.ts'
import { Http2Wanderer, type Place, tourOf, Wanderer } from './wanderer.ts'

/** Requests on a new connection before the clock starts: to either container, so that both have had it. */
const WARM_REQUESTS = 4
/** Requests that a connection makes in a row, before the other one has its turn. */
const BATCH = 25

/**
 * One combination of circumstances: a platform, its rivals, and the client that measures. A process of its
 * own, so that it can be pinned with all its children; it does one thing at a time, when its parent says so.
 */
class Scene {
  readonly #options: SceneOptions
  readonly #platform: Platform
  /** Absent where only stages are measured. */
  readonly #rivals: Rivals | undefined
  readonly #place: Place
  readonly #mover: Mover
  readonly #limit: Limit | undefined
  readonly #sweeps: Sweeps
  #reconnections: Reconnections | undefined
  #cipherSuite = ''
  #http2 = false

  private constructor(
    options: SceneOptions,
    platform: Platform,
    rivals: Rivals | undefined,
    place: Place,
    mover: Mover,
    limit: Limit | undefined,
  ) {
    this.#options = options
    this.#platform = platform
    this.#rivals = rivals
    this.#place = place
    this.#mover = mover
    this.#limit = limit
    this.#sweeps = new Sweeps(place, options.containers, rivals)
  }

  static async open(options: SceneOptions): Promise<Scene> {
    const platform = await startPlatform(options)
    const rivals = options.marks ? undefined : await Rivals.start(platform, options)
    const limit = options.marks ? undefined : await Limit.open()
    // The servers stay where they were started; the client goes elsewhere.
    if (options.placement === 'two cores') moveTo(usableCpus()[1])
    const verify = verifier({ ca: platform.authority })
    let number = 0
    const place: Place = {
      options: { port: platform.ports.https, verify, suite: options.suite },
      nextNumber: () => number++,
    }
    const provider = await loadProvider(options.provider)
    const mover = new Mover(provider, platform.certificate(), 'raw-a.local', verify)
    return new Scene(options, platform, rivals, place, mover, limit)
  }

  /** @throws WrongAnswer */
  async measure(tasks: readonly Task[]): Promise<Sampled[]> {
    const samples: Sampled[] = []
    for (const task of tasks) {
      if (task.task === 'rows') samples.push(...(await this.#rows(task.size)))
      else if (task.task === 'stages') samples.push(...(await this.#stages(task.requests)))
      else samples.push(...(await this.#sweeps.measure(task)))
    }
    return samples
  }

  facts(): SceneFacts {
    return {
      channel: this.#options.channel,
      stream: chooseStream().kind,
      cipherSuite: this.#cipherSuite,
      http2: this.#http2,
      state: measureSizes(this.#mover),
    }
  }

  async close(): Promise<void> {
    this.#limit?.close()
    this.#sweeps.close()
    this.#rivals?.close()
    await this.#platform.stop()
  }

  async #rows({ requests, fetches, reconnects, parts }: RoundSize): Promise<Sampled[]> {
    const times = new Map<RowName, readonly number[]>()
    for (const kind of ['raw', 'fetch'] as const) {
      const { stays, migrated } = await this.#requests(kind, kind === 'raw' ? requests : fetches)
      times.set(`${kind}.stays`, stays).set(`${kind}.migrated`, migrated)
    }
    const second = await this.#second(requests)
    if (second !== undefined) times.set('h2.stays', second.stays).set('h2.migrated', second.migrated)
    if (this.#rivals !== undefined) {
      times.set('node.stays', await this.#rivals.referenceRequests(this.#place, requests))
      const { stays, forwarded } = await this.#rivals.proxied(this.#place).requests(fetches)
      times.set('proxy.stays', stays).set('proxy.forwarded', forwarded)
      this.#reconnections ??= new Reconnections(this.#place, {
        raw: this.#platform.ports.https,
        stack: this.#rivals.stack,
        node: this.#rivals.reference,
      })
      for (const [name, found] of await this.#reconnections.round(reconnects)) times.set(name, found)
    }
    for (const [name, found] of Object.entries(measureParts(this.#mover, parts)))
      times.set(`part.${name}` as RowName, found)
    if (this.#limit !== undefined) times.set('limit', await this.#limit.measure(parts))
    return [...times].map(([name, values]) => rowOf(name, values))
  }

  /**
   * On two connections, a batch of each in turn: one stays where it is, the other moves with every request.
   */
  async #requests(kind: 'raw' | 'fetch', count: number): Promise<{ stays: number[]; migrated: number[] }> {
    const [staying, moving] = [await this.#connect(kind), await this.#connect(kind)]
    const [stays, migrated]: [number[], number[]] = [[], []]
    for (let left = count; left > 0; left -= BATCH) {
      const size = Math.min(BATCH, left)
      stays.push(...(await staying.measure(size, () => staying.stay())))
      migrated.push(...(await moving.measure(size, () => moving.move())))
    }
    staying.close()
    moving.close()
    return { stays, migrated }
  }

  /** The same over HTTP/2. @returns undefined if containers do not speak it */
  async #second(count: number): Promise<{ stays: number[]; migrated: number[] } | undefined> {
    const [staying, moving] = [
      await Http2Wanderer.open(this.#place, tourOf('raw')),
      await Http2Wanderer.open(this.#place, tourOf('raw')),
    ]
    this.#http2 = staying !== undefined
    if (staying === undefined || moving === undefined) return undefined
    await staying.measure(WARM_REQUESTS, 'stay')
    await moving.measure(WARM_REQUESTS, 'move')
    const [stays, migrated]: [number[], number[]] = [[], []]
    for (let left = count; left > 0; left -= BATCH) {
      const size = Math.min(BATCH, left)
      stays.push(...(await staying.measure(size, 'stay')))
      migrated.push(...(await moving.measure(size, 'move')))
    }
    staying.close()
    moving.close()
    return { stays, migrated }
  }

  async #connect(kind: 'raw' | 'fetch'): Promise<Wanderer> {
    const wanderer = await Wanderer.open(this.#place, tourOf(kind))
    this.#cipherSuite = wanderer.cipherSuite
    await wanderer.measure(WARM_REQUESTS, () => wanderer.move())
    await wanderer.measure(WARM_REQUESTS, () => wanderer.stay())
    return wanderer
  }

  async #stages(count: number): Promise<Sampled[]> {
    const watch = new StageWatch(
      this.#platform,
      tourOf('raw').map(name => `${name}-1`),
    )
    const samples: Sampled[] = []
    for (const kind of ['stays', 'migrated'] as const) {
      const wanderer = await this.#connect('raw')
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

/** Moves this process with all its threads to another core. */
function moveTo(cpu: number | undefined): void {
  if (cpu === undefined) throw new Error('there is only one core')
  execFileSync('taskset', ['-a', '-cp', String(cpu), String(process.pid)], { stdio: 'ignore' })
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
    const work =
      order.do === 'stop'
        ? stop()
        : scene.measure(order.tasks).then(samples => tell({ say: 'measured', samples }))
    work.catch(failed)
  })
  // Once before the count begins, so that the cipher suite is known.
  await scene.measure([{ task: 'rows', size: { requests: 2, fetches: 2, reconnects: 1, parts: 2 } }])
  await tell({ say: 'ready', facts: scene.facts() })
}

async function failed(error: unknown): Promise<void> {
  const reason = error instanceof Error ? error.message : String(error)
  await tell({ say: 'failed', wrong: error instanceof WrongAnswer, reason })
}

main().catch(failed)
