import { EngineRefusal, type Ready, SERVER_NAME } from '../engines/engine.ts'
import { commandOf } from '../engines/known.ts'
import { RunningEngine } from '../engines/running.ts'
import type { Skipped } from '../harness/measurement.ts'
import { Client } from './client.ts'
import type { LineOptions } from './line.ts'
import { cold, pairs, type Times, type Two, warm } from './requests.ts'
import { type EngineRowName, engineRowOf, type RoundSize, type Sampled } from './rows.ts'
import { call, type Place, Wanderer } from './wanderer.ts'

/** What an engine is given: a certificate and its key, files in PEM, and the suite. */
export interface EngineSurroundings {
  readonly certificateFiles: readonly [certificate: string, key: string]
  readonly suite: string
}

/** The engines that stand in a scene beside the platform. */
export class Engines {
  readonly #place: Place
  readonly #running: readonly RunningEngine[]
  readonly #two = new Map<RunningEngine, Two>()
  readonly skipped: Skipped[] = []

  private constructor(place: Place, running: readonly RunningEngine[]) {
    this.#place = place
    this.#running = running
  }

  /** @param names as in `--engines` @throws Error one of them fails */
  static async start(
    names: readonly string[],
    place: Place,
    { certificateFiles: [certificate, key], suite }: EngineSurroundings,
  ): Promise<Engines> {
    const running: RunningEngine[] = []
    const skipped: Skipped[] = []
    for (const name of names) {
      try {
        running.push(await RunningEngine.start(commandOf(name), { certificate, key, suite }))
      } catch (error) {
        if (!(error instanceof EngineRefusal)) throw error
        skipped.push({ name: 'engine', labels: { engine: name }, reason: error.message })
      }
    }
    const engines = new Engines(place, running)
    engines.skipped.push(...skipped)
    return engines
  }

  /** All rows of all engines, once. @throws WrongAnswer */
  async measure(size: RoundSize): Promise<Sampled[]> {
    const samples: Sampled[] = []
    for (const engine of this.#running) {
      const two = await this.#connections(engine)
      const add = (name: EngineRowName, values: readonly number[]): void => {
        if (values.length > 0) samples.push(engineRowOf(name, engine.ready, values))
      }
      const addBoth = (kind: '' | 'pair.' | 'cold.', { stays, migrated }: Times): void => {
        add(`engine.${kind}stays`, stays)
        add(`engine.${kind}migrated`, migrated)
      }
      addBoth('', await warm(two, size.requests, size.until))
      addBoth('pair.', await pairs(two, size.pairs, size.until))
      addBoth('cold.', await cold(two, size.cold, size.until))
      for (const [name, values] of await this.#reconnect(engine.ready, size)) add(name, values)
    }
    return samples
  }

  async stop(): Promise<void> {
    for (const { staying, moving } of this.#two.values()) {
      staying.close()
      moving.close()
    }
    await Promise.all(this.#running.map(engine => engine.stop()))
  }

  /** Two connections that are kept from round to round. */
  async #connections(engine: RunningEngine): Promise<Two> {
    const known = this.#two.get(engine)
    if (known !== undefined) return known
    const { owners } = engine.ready
    const visit = (): Promise<Wanderer> => Wanderer.visit(this.#place, this.#options(engine.ready), owners)
    const two: Two = { staying: await visit(), moving: await visit() }
    this.#two.set(engine, two)
    return two
  }

  async #reconnect(ready: Ready, { reconnects, until }: RoundSize): Promise<Map<EngineRowName, number[]>> {
    const times = new Map<EngineRowName, number[]>([
      ['engine.full', []],
      ['engine.resumed', []],
    ])
    const open = async (name: EngineRowName, options: LineOptions): Promise<Client> => {
      const [first] = ready.owners
      const { client, time } = await Client.open(
        options,
        call(first!.path, this.#place.nextNumber(), first!.name, 0),
      )
      times.get(name)!.push(time)
      client.close()
      return client
    }
    for (let i = 0; i < reconnects && (i === 0 || Date.now() < until); i++) {
      const { ticket } = await open('engine.full', this.#options(ready))
      if (ticket !== undefined) await open('engine.resumed', { ...this.#options(ready), resume: ticket })
      else this.#skipResumed(ready)
    }
    return times
  }

  #skipResumed({ engine }: Ready): void {
    if (this.skipped.some(({ name, labels }) => name === 'engine.resumed' && labels.engine === engine)) return
    this.skipped.push({ name: 'engine.resumed', labels: { engine }, reason: 'it has sent no ticket' })
  }

  #options({ port }: Ready): LineOptions {
    return { ...this.#place.options, port, serverName: SERVER_NAME }
  }
}
