import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { loadProvider } from '../../src/containers/membership.ts'
import type { CertificateVerifier, ResumptionTicket } from '../../src/tls13/index.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { chooseChannel } from '../../src/transfer/channel.ts'
import { chooseStream } from '../../src/transfer/stream.ts'
import { Mover } from '../lib/mover.ts'
import { answerOf, type Expectation, WrongAnswer } from './answer.ts'
import { type Call, Client } from './client.ts'
import { measureParts, measureSizes } from './in-process.ts'
import { Limit } from './limit.ts'
import { KINDS, type Kind, Platform } from './platform.ts'
import type { Order, Report, RoundSize, RowName, SceneFacts, SceneOptions } from './rows.ts'

/** Requests on a new connection before the clock starts: to either container, so that both have had it. */
const WARM_REQUESTS = 4

type Samples = Partial<Record<RowName, number[]>>

/**
 * One combination of placement and provider: a platform, a node:tls server and the client that measures. A process of its own, so
 * that it can be pinned with all its children; it does one round at a time, when its parent says so.
 */
class Scene {
  readonly #platform: Platform
  readonly #reference: ChildProcess
  readonly #referencePort: number
  readonly #verify: CertificateVerifier
  readonly #mover: Mover
  readonly #limit: Limit | undefined
  readonly #tickets = new Map<number, ResumptionTicket>()
  #number = 0
  #cipherSuite = ''

  private constructor(
    platform: Platform,
    reference: { readonly child: ChildProcess; readonly port: number },
    verify: CertificateVerifier,
    mover: Mover,
    limit: Limit | undefined,
  ) {
    this.#platform = platform
    this.#reference = reference.child
    this.#referencePort = reference.port
    this.#verify = verify
    this.#mover = mover
    this.#limit = limit
  }

  static async open(options: SceneOptions): Promise<Scene> {
    const platform = await Platform.start(options)
    const reference = await startReference(platform)
    const verify = verifier({ ca: platform.authority })
    const provider = await loadProvider(options.provider)
    const mover = new Mover(provider, platform.certificate(), 'raw-a.local', verify)
    return new Scene(platform, reference, verify, mover, await Limit.open())
  }

  /** @throws WrongAnswer */
  async round({ requests, fetches, reconnects, parts }: RoundSize): Promise<Samples> {
    const samples: Samples = {}
    for (const kind of KINDS) {
      const count = kind === 'raw' ? requests : fetches
      const { stays, migrated } = await this.#requests(kind, count)
      samples[`${kind}.stays`] = stays
      samples[`${kind}.migrated`] = migrated
    }
    samples['node.stays'] = await this.#referenceRequests(requests)
    const full: Record<'raw' | 'node', number[]> = { raw: [], node: [] }
    const resumed: Record<'raw' | 'node', number[]> = { raw: [], node: [] }
    for (let i = 0; i < reconnects; i++) {
      for (const server of ['raw', 'node'] as const) {
        full[server].push(await this.#reconnect(server, false))
        resumed[server].push(await this.#reconnect(server, true))
      }
    }
    Object.assign(samples, { 'raw.full': full.raw, 'raw.resumed': resumed.raw })
    Object.assign(samples, { 'node.full': full.node, 'node.resumed': resumed.node })
    for (const [name, times] of Object.entries(measureParts(this.#mover, parts)))
      samples[`part.${name}` as RowName] = times
    if (this.#limit !== undefined) samples.limit = await this.#limit.measure(parts)
    return samples
  }

  facts(): SceneFacts {
    return {
      channel: chooseChannel().kind,
      stream: chooseStream().kind,
      cipherSuite: this.#cipherSuite,
      state: measureSizes(this.#mover),
    }
  }

  async close(): Promise<void> {
    this.#limit?.close()
    if (this.#reference.connected) this.#reference.disconnect()
    await this.#platform.stop()
  }

  /** On two connections, a batch of each in turn: one stays where it is, the other moves with every request. */
  async #requests(kind: Kind, count: number): Promise<{ stays: number[]; migrated: number[] }> {
    const [staying, moving] = [await this.#connect(kind), await this.#connect(kind)]
    const stays: number[] = []
    const migrated: number[] = []
    const batch = 25
    for (let left = count; left > 0; left -= batch) {
      const size = Math.min(batch, left)
      stays.push(...(await staying.measure(Array.from({ length: size }, () => staying.stay()))))
      migrated.push(...(await moving.measure(Array.from({ length: size }, () => moving.move()))))
    }
    staying.close()
    moving.close()
    return { stays, migrated }
  }

  async #connect(kind: Kind): Promise<Wanderer> {
    const wanderer = new Wanderer(kind, () => this.#number++)
    await wanderer.open(this.#platform.ports.https, this.#verify)
    this.#cipherSuite = wanderer.cipherSuite
    await wanderer.measure(Array.from({ length: WARM_REQUESTS }, () => wanderer.move()))
    await wanderer.measure(Array.from({ length: WARM_REQUESTS }, () => wanderer.stay()))
    return wanderer
  }

  async #referenceRequests(count: number): Promise<number[]> {
    const options = { port: this.#referencePort, serverName: 'raw-a.local', verify: this.#verify }
    const { client } = await Client.open(options, this.#referenceCall())
    await client.measure(Array.from({ length: WARM_REQUESTS }, () => this.#referenceCall()))
    const times = await client.measure(Array.from({ length: count }, () => this.#referenceCall()))
    client.close()
    return times
  }

  #referenceCall(): Call {
    return call('/raw-a', this.#number++, 'node-tls', 0)
  }

  /** A connection that is made for one request. */
  async #reconnect(server: 'raw' | 'node', resume: boolean): Promise<number> {
    const port = server === 'raw' ? this.#platform.ports.https : this.#referencePort
    const ticket = resume ? this.#tickets.get(port) : undefined
    const { client, time } = await Client.open(
      {
        port,
        serverName: 'raw-a.local',
        verify: this.#verify,
        ...(ticket === undefined ? {} : { resume: ticket }),
      },
      server === 'raw' ? call('/raw-a', this.#number++, 'raw-a-1', 0) : this.#referenceCall(),
    )
    // A server need not give another ticket to who has come with one.
    if (!resume) this.#tickets.set(port, await client.awaitTicket())
    client.close()
    return time
  }
}

/** A connection and where it is. */
class Wanderer {
  readonly #kind: Kind
  readonly #nextNumber: () => number
  #client: Client | undefined
  #at: 'a' | 'b' = 'a'
  #hops = 0

  constructor(kind: Kind, nextNumber: () => number) {
    this.#kind = kind
    this.#nextNumber = nextNumber
  }

  async open(port: number, verify: CertificateVerifier): Promise<void> {
    const { client } = await Client.open({ port, serverName: `${this.#kind}-a.local`, verify }, this.stay())
    this.#client = client
  }

  get cipherSuite(): string {
    return this.#client?.cipherSuite ?? ''
  }

  /** A request for the function at hand. */
  stay(): Call {
    const name = `${this.#kind}-${this.#at}`
    return call(`/${name}`, this.#nextNumber(), `${name}-1`, this.#hops)
  }

  /** A request for the other function: the connection has to move for it. */
  move(): Call {
    this.#at = this.#at === 'a' ? 'b' : 'a'
    this.#hops++
    return this.stay()
  }

  measure(calls: readonly Call[]): Promise<number[]> {
    return this.#client!.measure(calls)
  }

  close(): void {
    this.#client?.close()
  }
}

function call(path: string, number: number, container: string, hops: number): Call {
  const expected: Expectation = { body: answerOf(number), container, hops }
  return { path, number, expected }
}

async function startReference(platform: Platform): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(
    fileURLToPath(new URL('./reference.js', import.meta.url)),
    [...platform.certificateFiles],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  )
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', message => resolve(message as number))
    child.once('exit', code => reject(new Error(`the node:tls server ended (${code})`)))
  })
  return { child, port }
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
      order.do === 'stop' ? stop() : scene.round(order.size).then(samples => tell({ say: 'round', samples }))
    work.catch(failed)
  })
  // Once before anybody counts, so that the cipher suite is known.
  await scene.round({ requests: 2, fetches: 2, reconnects: 1, parts: 2 })
  await tell({ say: 'ready', facts: scene.facts() })
}

async function failed(error: unknown): Promise<void> {
  const reason = error instanceof Error ? error.message : String(error)
  await tell({ say: 'failed', wrong: error instanceof WrongAnswer, reason })
}

main().catch(failed)
