import type { Skipped } from '../harness/measurement.ts'
import type { Mover as SessionMover } from '../rig/mover.ts'
import type { Mover, OneProcess } from '../rig/one-process.ts'
import type { Platform } from '../rig/platform.ts'
import type { Company } from './company.ts'
import { measureParts } from './in-process.ts'
import { Reconnections } from './reconnections.ts'
import { cold, inTurns, pairs, type Times, type Two, warm } from './requests.ts'
import { type Part, processRowOf, type RoundSize, type RowName, rowOf, type Sampled } from './rows.ts'
import { Http2Wanderer, type Place, tourOf, Wanderer } from './wanderer.ts'

/** Moves of the floor for one of the platform: the kernel tells user from system time by the clock tick. */
const FLOOR_MOVES = 4
/** Requests on a new connection before the clock starts: to either container, so that both have had it. */
const WARM_REQUESTS = 4

/** The rows that a scene measures in every round, part by part. */
export class Round {
  readonly #platform: Platform
  readonly #place: Place
  readonly #mover: SessionMover
  readonly #company: Company
  #reconnections: Reconnections | undefined
  cipherSuite = ''
  http2 = false
  /** What turned out not to be measurable. */
  skipped: readonly Skipped[] = []

  constructor(platform: Platform, place: Place, mover: SessionMover, company: Company) {
    this.#platform = platform
    this.#place = place
    this.#mover = mover
    this.#company = company
  }

  /** @throws WrongAnswer */
  async measure(part: Part, size: RoundSize): Promise<Sampled[]> {
    switch (part) {
      case 'raw':
      case 'fetch':
        return this.#requests(part, size)
      case 'h2':
        return this.#second(size)
      case 'engines': {
        const engines = await this.#company.engines()
        const samples = await engines.measure(size)
        this.skipped = engines.skipped
        return samples
      }
      case 'one process':
        return this.#inOneProcess(size)
      case 'rivals':
        return this.#rivals(size)
      case 'reconnections':
        return this.#reconnect(size)
      case 'in process':
        return this.#inProcess(size)
    }
  }

  /** A connection that either container has had. */
  async connect(kind: 'raw' | 'fetch'): Promise<Wanderer> {
    const wanderer = await Wanderer.open(this.#place, tourOf(kind))
    this.cipherSuite = wanderer.cipherSuite
    await wanderer.measure(WARM_REQUESTS, () => wanderer.move())
    await wanderer.measure(WARM_REQUESTS, () => wanderer.stay())
    return wanderer
  }

  async #requests(kind: 'raw' | 'fetch', size: RoundSize): Promise<Sampled[]> {
    const two: Two = { staying: await this.connect(kind), moving: await this.connect(kind) }
    const samples: Sampled[] = []
    const add = (name: 'raw' | 'raw.pair' | 'raw.cold' | 'fetch', { stays, migrated }: Times): void => {
      samples.push(...rowsOf([`${name}.stays`, stays], [`${name}.migrated`, migrated]))
    }
    const { requests, fetches, until } = size
    add(kind, await warm(two, kind === 'raw' ? requests : fetches, until))
    if (kind === 'raw') {
      add('raw.pair', await pairs(two, size.pairs, until))
      add('raw.cold', await cold(two, size.cold, until))
    }
    two.staying.close()
    two.moving.close()
    return samples
  }

  /** Requests over HTTP/2; none if containers do not speak it. */
  async #second({ requests, until }: RoundSize): Promise<Sampled[]> {
    const [staying, moving] = [
      await Http2Wanderer.open(this.#place, tourOf('raw')),
      await Http2Wanderer.open(this.#place, tourOf('raw')),
    ]
    this.http2 = staying !== undefined
    if (staying === undefined || moving === undefined) return []
    await staying.measure(WARM_REQUESTS, 'stay')
    await moving.measure(WARM_REQUESTS, 'move')
    const times = await inTurns(
      requests,
      until,
      size => staying.measure(size, 'stay'),
      size => moving.measure(size, 'move'),
    )
    staying.close()
    moving.close()
    return rowsOf(['h2.stays', times.stays], ['h2.migrated', times.migrated])
  }

  async #rivals({ requests, fetches }: RoundSize): Promise<Sampled[]> {
    const rivals = await this.#company.rivals()
    const node = await rivals.referenceRequests(this.#place, requests)
    const { stays, forwarded } = await rivals.proxied(this.#place).requests(fetches)
    return rowsOf(['node.stays', node], ['proxy.stays', stays], ['proxy.forwarded', forwarded])
  }

  async #reconnect({ reconnects, until }: RoundSize): Promise<Sampled[]> {
    const { stack, reference } = await this.#company.rivals()
    this.#reconnections ??= new Reconnections(this.#place, {
      raw: this.#platform.ports.https,
      stack,
      node: reference,
    })
    return rowsOf(...(await this.#reconnections.round(reconnects, until)))
  }

  async #inProcess({ parts }: RoundSize): Promise<Sampled[]> {
    const { export: out, seal, open, import: into } = measureParts(this.#mover, parts)
    const limit = await this.#company.limit()
    return rowsOf(
      ['part.export', out],
      ['part.seal', seal],
      ['part.open', open],
      ['part.import', into],
      ['limit', (await limit?.measure(parts)) ?? []],
    )
  }

  async #inOneProcess({ moves }: RoundSize): Promise<Sampled[]> {
    const samples: Sampled[] = []
    for (const [mover, process] of Object.entries(this.#company.inOneProcess()) as [Mover, OneProcess][]) {
      const { user, system } = await process.move(mover === 'floor' ? moves * FLOOR_MOVES : moves)
      samples.push(processRowOf('process.user', mover, user), processRowOf('process.system', mover, system))
    }
    return samples
  }
}

function rowsOf(...rows: readonly (readonly [RowName, readonly number[]])[]): Sampled[] {
  return rows.filter(([, values]) => values.length > 0).map(([name, values]) => rowOf(name, values))
}
