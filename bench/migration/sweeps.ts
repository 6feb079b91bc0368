import type { Company } from './company.ts'
import { openLoop, sustained } from './load.ts'
import { type Sampled, sweepOf, type Task } from './rows.ts'
import { type Place, tourOf, Wanderer } from './wanderer.ts'

type SweepTask = Exclude<Task, { readonly task: 'rows' | 'stages' }>
type TaskOf<N extends SweepTask['task']> = Extract<SweepTask, { readonly task: N }>

/** Connections that are opened at a time: handshakes are not what is measured. */
const AT_ONCE = 16
/** Requests of each size of content, at least and at most. */
const REQUESTS = { least: 2, most: 50 } as const

/** What is measured under several circumstances, on connections that are kept from round to round. */
export class Sweeps {
  readonly #place: Place
  readonly #containers: number
  readonly #company: Company
  /** By what they are for. */
  readonly #kept = new Map<string, Wanderer>()
  readonly #crowd: Wanderer[] = []

  /** @param containers of the longest tour */
  constructor(place: Place, containers: number, company: Company) {
    this.#place = place
    this.#containers = containers
    this.#company = company
  }

  /** @throws WrongAnswer */
  async measure(task: SweepTask): Promise<Sampled[]> {
    switch (task.task) {
      case 'alpha':
        return this.#alpha(task)
      case 'payload':
        return this.#payload(task)
      case 'chain':
        return this.#chain(task)
      case 'connections':
        return this.#connections(task)
      case 'open':
        return this.#open(task)
      case 'sustained':
        return this.#sustained(task)
    }
  }

  close(): void {
    for (const wanderer of [...this.#kept.values(), ...this.#crowd]) wanderer.close()
  }

  async #alpha({ values, requests }: TaskOf<'alpha'>): Promise<Sampled[]> {
    const samples: Sampled[] = []
    for (const alpha of values) {
      const wanderer = await this.#keep(`alpha ${alpha}`)
      const times = await wanderer.measure(requests, () => wanderer.moveAt(alpha))
      samples.push(sweepOf('alpha', { alpha }, times, { statistic: 'mean' }))
    }
    return samples
  }

  async #payload({ values, bytes }: TaskOf<'payload'>): Promise<Sampled[]> {
    const samples: Sampled[] = []
    const [staying, moving] = [await this.#keep('staying'), await this.#keep('moving')]
    for (const payload of values) {
      const count = Math.min(REQUESTS.most, Math.max(REQUESTS.least, Math.floor(bytes / payload)))
      const labels = { payload }
      const stays = await staying.measure(count, () => staying.stay(payload))
      const migrated = await moving.measure(count, () => moving.move(payload))
      const rivals = await this.#company.rivals()
      const forwarded = await rivals.proxied(this.#place).forward(count, payload)
      samples.push(sweepOf('payload.stays', labels, stays))
      samples.push(sweepOf('payload.migrated', labels, migrated))
      samples.push(sweepOf('payload.forwarded', labels, forwarded))
    }
    return samples
  }

  async #chain({ values, requests }: TaskOf<'chain'>): Promise<Sampled[]> {
    const samples: Sampled[] = []
    for (const chain of values) {
      if (chain > this.#containers)
        throw new RangeError(`a tour of ${chain} of ${this.#containers} containers`)
      const wanderer = await this.#keep(`chain ${chain}`, chain)
      samples.push(sweepOf('chain', { chain }, await wanderer.measure(requests, () => wanderer.move())))
    }
    return samples
  }

  /** Requests on one connection after the other, while all the others are open. */
  async #connections({ value, requests, until }: TaskOf<'connections'>): Promise<Sampled[]> {
    if (!(await this.#gather(value, until))) return []
    const times: Record<'stays' | 'migrated', number[]> = { stays: [], migrated: [] }
    for (let i = 0; i < requests; i++) {
      const [one, other] = [this.#crowd[(2 * i) % value]!, this.#crowd[(2 * i + 1) % value]!]
      times.stays.push(...(await one.measure(1, () => one.stay())))
      times.migrated.push(...(await other.measure(1, () => other.move())))
    }
    const labels = { connections: value }
    return [
      sweepOf('connections.stays', labels, times.stays),
      sweepOf('connections.migrated', labels, times.migrated),
    ]
  }

  async #open({ values, seconds, connections }: TaskOf<'open'>): Promise<Sampled[]> {
    const samples: Sampled[] = []
    const wanderers = await this.#keepMany('open', connections)
    for (const rate of values) {
      const labels = { rate }
      const stays = await openLoop(wanderers, rate, seconds, one => one.stay())
      const migrated = await openLoop(wanderers, rate, seconds, one => one.move())
      samples.push(sweepOf('open.stays', labels, stays), sweepOf('open.migrated', labels, migrated))
    }
    return samples
  }

  async #sustained({ requests, connections }: TaskOf<'sustained'>): Promise<Sampled[]> {
    const wanderers = await this.#keepMany('sustained', connections)
    const labels = { connections }
    const rates = {
      stays: await sustained(wanderers, requests, one => one.stay()),
      migrated: await sustained(wanderers, requests, one => one.move()),
    }
    return (['stays', 'migrated'] as const).map(kind =>
      sweepOf(`sustained.${kind}`, labels, [rates[kind]], { unit: '1/s' }),
    )
  }

  /** A connection for this, kept from round to round; it has been everywhere once. */
  async #keep(what: string, chain = 2): Promise<Wanderer> {
    const known = this.#kept.get(what)
    if (known !== undefined) return known
    const wanderer = await Wanderer.open(this.#place, tourOf('raw', chain))
    await wanderer.measure(2 * chain, () => wanderer.move())
    this.#kept.set(what, wanderer)
    return wanderer
  }

  async #keepMany(what: string, count: number): Promise<Wanderer[]> {
    const wanderers: Wanderer[] = []
    for (let i = 0; i < count; i++) wanderers.push(await this.#keep(`${what} ${i}`))
    return wanderers
  }

  /** Opens connections until there are so many. @returns whether that was done in time */
  async #gather(count: number, until: number): Promise<boolean> {
    while (this.#crowd.length < count) {
      if (Date.now() > until) return false
      const some = Math.min(AT_ONCE, count - this.#crowd.length)
      const opened = Array.from({ length: some }, () => Wanderer.open(this.#place, tourOf('raw')))
      this.#crowd.push(...(await Promise.all(opened)))
    }
    return true
  }
}
