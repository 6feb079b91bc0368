import type { Options } from '../harness/options.ts'
import type { Plan, Run } from '../harness/run.ts'
import type { Series } from '../harness/stats.ts'
import type { Cover } from './cover.ts'
import { limit } from './limit.ts'
import type { Cell } from './result.ts'
import { ROADS, type Road, type RoadName } from './rows.ts'
import type { Scene } from './scene.ts'

/** It takes seconds to open so many. */
const CROWD = 200

/** What a run consists of. */
export interface FailoverPlan extends Plan {
  /** Kills of containers with one connection in a round, at each moment. */
  readonly kills: number
  /** How many connections a container has that is killed, besides one. */
  readonly connections: readonly number[]
  /** Times that one is killed with more than {@link CROWD} of them: in rounds of their own. */
  readonly crowds: number
  /** Moves that a container rehearses; undefined: as many as by default. */
  readonly rehearsals?: number
  /** Requests of a round, for what checkpoints cost; and of the first one, which warms up. */
  readonly requests: number
  readonly warmUpRequests: number
}

/** Everything in turn, round by round; then the crowds. */
export class Rounds {
  readonly #run: Run<FailoverPlan, Options>
  readonly #cells: readonly Cell[]
  readonly #scenes: ReadonlyMap<RoadName, Scene>
  readonly #floor: Series
  readonly #covers: readonly Cover[]

  constructor(
    run: Run<FailoverPlan, Options>,
    cells: readonly Cell[],
    scenes: ReadonlyMap<RoadName, Scene>,
    floor: Series,
    covers: readonly Cover[],
  ) {
    this.#run = run
    this.#cells = cells
    this.#scenes = scenes
    this.#floor = floor
    this.#covers = covers
  }

  async run(): Promise<void> {
    const { plan, progress } = this.#run
    progress.say('warming up')
    for (const cover of this.#covers) await cover.round(plan.warmUpRequests, false)
    await this.#run.rounds(() => this.#round())
    const crowds = this.#cells.filter(({ connections }) => connections > CROWD)
    for (let time = 0; time < plan.crowds; time++) {
      for (const cell of crowds) {
        if (this.#run.interrupted) return
        progress.say(cell.title, time > 0)
        await this.#kill(cell)
      }
    }
  }

  async #round(): Promise<void> {
    const { kills, requests } = this.#run.plan
    for (const cover of this.#covers) await cover.round(requests, true)
    this.#floor.add([await limit()])
    for (const cell of this.#cells) {
      const road: Road = ROADS[cell.road]
      // What is not ours needs no tails.
      const times = cell.connections > CROWD ? 0 : cell.connections > 1 || !road.survives ? 1 : kills
      for (let time = 0; time < times; time++) {
        if (this.#run.interrupted) return
        await this.#kill(cell)
      }
    }
  }

  async #kill(cell: Cell): Promise<void> {
    const scene = this.#scenes.get(cell.road)!
    cell.add(await scene.crash(cell.moment, cell.connections))
  }
}
