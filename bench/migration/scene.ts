import { execFileSync } from 'node:child_process'
import { loadProvider } from '../../src/platform/membership.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { chooseStream } from '../../src/transfer/stream.ts'
import type { Skipped } from '../harness/measurement.ts'
import { Mover as SessionMover } from '../rig/mover.ts'
import { usableCpus } from '../rig/placement.ts'
import type { Platform } from '../rig/platform.ts'
import { WrongAnswer } from './answer.ts'
import { Engines } from './engines.ts'
import { measureParts, measureSizes } from './in-process.ts'
import { Limit } from './limit.ts'
import { OneProcess } from './one-process.ts'
import { startPlatform } from './platform.ts'
import { Reconnections } from './reconnections.ts'
import { cold, inTurns, pairs, type Times, type Two, warm } from './requests.ts'
import { Rivals } from './rivals.ts'
import {
  type Mover,
  type Order,
  processRowOf,
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

/** Of the round before the first. */
const SMALLEST: RoundSize = {
  requests: 2,
  fetches: 2,
  reconnects: 1,
  parts: 2,
  pairs: 1,
  cold: 1,
  moves: 2,
}
/** Requests on a new connection before the clock starts: to either container, so that both have had it. */
const WARM_REQUESTS = 4

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
  readonly #mover: SessionMover
  readonly #limit: Limit | undefined
  readonly #engines: Engines
  readonly #inOneProcess: Readonly<Partial<Record<Mover, OneProcess>>>
  readonly #sweeps: Sweeps
  #reconnections: Reconnections | undefined
  #cipherSuite = ''
  #http2 = false

  private constructor(
    options: SceneOptions,
    platform: Platform,
    rivals: Rivals | undefined,
    place: Place,
    mover: SessionMover,
    limit: Limit | undefined,
    engines: Engines,
    inOneProcess: Partial<Record<Mover, OneProcess>>,
  ) {
    this.#options = options
    this.#platform = platform
    this.#rivals = rivals
    this.#place = place
    this.#mover = mover
    this.#limit = limit
    this.#engines = engines
    this.#inOneProcess = inOneProcess
    this.#sweeps = new Sweeps(place, options.containers, rivals)
  }

  static async open(options: SceneOptions): Promise<Scene> {
    const platform = await startPlatform(options)
    const rivals = options.marks ? undefined : await Rivals.start(platform, options)
    const limit = options.marks ? undefined : await Limit.open()
    const inOneProcess = options.inOneProcess
      ? { platform: new OneProcess('platform'), floor: new OneProcess('floor') }
      : {}
    const verify = verifier({ ca: platform.authority })
    let number = 0
    const place: Place = {
      options: { port: platform.ports.https, verify, suite: options.suite },
      nextNumber: () => number++,
    }
    const { certificateFiles } = platform
    const engines = await Engines.start(options.engines, place, { certificateFiles, suite: options.suite })
    // The servers stay where they were started; the client goes elsewhere.
    if (options.placement === 'two cores') moveTo(usableCpus()[1])
    const provider = await loadProvider(options.provider)
    const mover = new SessionMover(provider, platform.certificate(), 'raw-a.local', verify)
    return new Scene(options, platform, rivals, place, mover, limit, engines, inOneProcess)
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

  /** What could not be measured here so far. */
  get skipped(): readonly Skipped[] {
    return this.#engines.skipped
  }

  async close(): Promise<void> {
    this.#limit?.close()
    for (const one of Object.values(this.#inOneProcess)) one.close()
    await this.#engines.stop()
    this.#sweeps.close()
    this.#rivals?.close()
    await this.#platform.stop()
  }

  async #rows(size: RoundSize): Promise<Sampled[]> {
    const { requests, fetches, reconnects, parts } = size
    const times = new Map<RowName, readonly number[]>()
    const raw = await this.#two('raw')
    const add = (kind: 'raw' | 'raw.pair' | 'raw.cold' | 'fetch', { stays, migrated }: Times): void =>
      void times.set(`${kind}.stays`, stays).set(`${kind}.migrated`, migrated)
    add('raw', await warm(raw, requests))
    add('raw.pair', await pairs(raw, size.pairs))
    add('raw.cold', await cold(raw, size.cold))
    close(raw)
    const fetch = await this.#two('fetch')
    add('fetch', await warm(fetch, fetches))
    close(fetch)
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
    return [
      ...[...times].map(([name, values]) => rowOf(name, values)),
      ...(await this.#engines.measure(size)),
      ...(await this.#movesInOneProcess(size.moves)),
    ]
  }

  async #movesInOneProcess(moves: number): Promise<Sampled[]> {
    const samples: Sampled[] = []
    for (const [mover, process] of Object.entries(this.#inOneProcess) as [Mover, OneProcess][]) {
      const { user, system } = await process.move(moves)
      samples.push(processRowOf('process.user', mover, user), processRowOf('process.system', mover, system))
    }
    return samples
  }

  async #two(kind: 'raw' | 'fetch'): Promise<Two> {
    return { staying: await this.#connect(kind), moving: await this.#connect(kind) }
  }

  /** The same over HTTP/2. @returns undefined if containers do not speak it */
  async #second(count: number): Promise<Times | undefined> {
    const [staying, moving] = [
      await Http2Wanderer.open(this.#place, tourOf('raw')),
      await Http2Wanderer.open(this.#place, tourOf('raw')),
    ]
    this.#http2 = staying !== undefined
    if (staying === undefined || moving === undefined) return undefined
    await staying.measure(WARM_REQUESTS, 'stay')
    await moving.measure(WARM_REQUESTS, 'move')
    const times = await inTurns(
      count,
      size => staying.measure(size, 'stay'),
      size => moving.measure(size, 'move'),
    )
    staying.close()
    moving.close()
    return times
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

function close({ staying, moving }: Two): void {
  staying.close()
  moving.close()
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
  await scene.measure([{ task: 'rows', size: SMALLEST }])
  await tell({ say: 'ready', facts: scene.facts(), skipped: scene.skipped })
}

async function failed(error: unknown): Promise<void> {
  const reason = error instanceof Error ? error.message : String(error)
  await tell({ say: 'failed', wrong: error instanceof WrongAnswer, reason })
}

main().catch(failed)
