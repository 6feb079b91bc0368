import { loadProvider } from '../../platform/membership.ts'
import { connectorOf } from './connecting.ts'
import { faultOf } from './faults.ts'
import { type Interval, loadHdr, Seconds } from './hdr.ts'
import { Link, outgoingOf } from './link.ts'
import { type Fault, Load } from './load.ts'
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

/** What came of connections before the load: how many are there, and what the first other failed with. */
export interface Opened {
  readonly opened: number
  readonly fault: Pick<Fault, 'kind' | 'reason'> | undefined
}

class Opening {
  opened = 0
  #failure: unknown

  /** @param failures of each, what it failed with; undefined: it is there */
  take(failures: readonly unknown[]): void {
    this.opened += failures.filter(one => one === undefined).length
    this.#failure ??= failures.find(one => one !== undefined)
  }

  get outcome(): Opened {
    const fault = this.#failure === undefined ? undefined : faultOf(this.#failure)
    return { opened: this.opened, fault }
  }
}

/** The part of a load that one thread makes. */
export class Share {
  readonly #plan: Plan
  readonly #links: readonly Link[]
  readonly #tally: Tally
  readonly #seconds: Seconds | undefined
  readonly #load: Load
  readonly #pace: Pace
  /** What came of opening its connections. */
  readonly opening: Opened

  private constructor(
    plan: Plan,
    links: readonly Link[],
    tally: Tally,
    seconds: Seconds | undefined,
    opening: Opened,
  ) {
    this.opening = opening
    this.#plan = plan
    this.#links = links
    this.#tally = tally
    this.#seconds = seconds
    this.#pace = new Pace(plan)
    const places = links.flatMap(link => link.places(plan.streams))
    this.#load = new Load(places, this.#pace, tally, MOMENTS, faultOf)
  }

  /**
   * @returns when its connections are there, or have failed; with a connection for each request, when one has
   * been tried @throws Error for what cannot be loaded
   */
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
    const opening = new Opening()
    if (plan.reconnect) {
      const trial = new Link(plan, orders, 0, connectorOf(plan, provider), new Tally())
      opening.take([await trial.open()])
      trial.close()
    }
    // Where none of the first comes about, none of the rest is waited for.
    else
      for (let i = 0; i < links.length && (i === 0 || opening.opened > 0); i += OPENING)
        opening.take(await Promise.all(links.slice(i, i + OPENING).map(link => link.open())))
    return new Share(plan, links, tally, seconds, opening.outcome)
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
