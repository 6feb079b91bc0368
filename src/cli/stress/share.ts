import { loadProvider } from '../../platform/membership.ts'
import { connectorOf } from './connecting.ts'
import { faultOf } from './faults.ts'
import { type Interval, loadHdr, Seconds } from './hdr.ts'
import { Link, outgoingOf } from './link.ts'
import { Load } from './load.ts'
import { MOMENTS } from './moments.ts'
import { Pace } from './pace.ts'
import type { Plan } from './plan.ts'
import { Tally, type TallyState } from './tally.ts'

/** Connections that are opened at once before the load begins. */
const OPENING = 64

/** What a thread has to tell at the end. */
export interface Result {
  readonly tally: TallyState
  /** From the end of the warm-up to the last answer, or to the end of the load if that is later. */
  readonly seconds: number
  readonly log: readonly Interval[]
}

/** The part of a load that one thread makes. */
export class Share {
  readonly #plan: Plan
  readonly #links: readonly Link[]
  readonly #tally: Tally
  readonly #seconds: Seconds | undefined
  readonly #load: Load
  readonly #pace: Pace

  private constructor(plan: Plan, links: readonly Link[], tally: Tally, seconds: Seconds | undefined) {
    this.#plan = plan
    this.#links = links
    this.#tally = tally
    this.#seconds = seconds
    this.#pace = new Pace(plan)
    const places = links.flatMap(link => link.places(plan.streams))
    this.#load = new Load(places, this.#pace, tally, MOMENTS, faultOf)
  }

  /** @returns when its connections are there, or have failed @throws Error for what cannot be loaded */
  static async prepare(plan: Plan): Promise<Share> {
    const provider = await loadProvider(plan.provider)
    const seconds = plan.log ? new Seconds(await loadHdr()) : undefined
    const { rate, warmup } = plan
    const tally = new Tally((corrected, milliseconds, at) => {
      // Without a rate nothing is due before it begins.
      if (!corrected || rate !== undefined)
        seconds?.record(corrected ? 'corrected' : 'uncorrected', milliseconds, at - warmup)
    })
    const orders = plan.asked.map(one => outgoingOf(one, plan))
    const links = Array.from(
      { length: plan.connections },
      (_, turn) => new Link(plan, orders, turn, connectorOf(plan, provider), tally),
    )
    for (let i = 0; i < links.length; i += OPENING)
      await Promise.all(links.slice(i, i + OPENING).map(link => link.open()))
    return new Share(plan, links, tally, seconds)
  }

  async run(): Promise<Result> {
    const began = performance.now()
    await this.#load.run()
    const over = Math.min(performance.now() - began, this.#pace.end)
    for (const link of this.#links) link.close()
    const { counts } = this.#tally
    const seconds = Math.max(0, Math.max(counts.last, over) - this.#plan.warmup) / 1000
    return { tally: this.#tally.state, seconds, log: this.#seconds?.take() ?? [] }
  }

  /** Ends it with what there is so far. */
  stop(): void {
    this.#load.stop()
  }
}
