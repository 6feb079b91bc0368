import { pinnable } from '../harness/environment.ts'
import { goalLines } from '../harness/goal.ts'
import type { Skipped } from '../harness/measurement.ts'
import { names, type Values, wholes } from '../harness/options.ts'
import { runBench } from '../harness/run.ts'
import { Series } from '../harness/stats.ts'
import { COVERS, Cover, type CoverName } from './cover.ts'
import { Cell, coverOf, goalsOf, limitOf, tables } from './result.ts'
import { Rounds } from './rounds.ts'
import { ROADS, type RoadName } from './rows.ts'
import { Scene } from './scene.ts'

const OPTIONS = {
  road: { value: 'A,B', help: `of ${Object.keys(ROADS).join(', ')}` },
  connections: {
    value: 'N,N',
    help: 'connections that a container has when it is killed, besides one; up to 10000',
  },
  handler: {
    value: 'FILE',
    place: 'module',
    help: 'measure this raw handler instead; it must answer with the path, and know /crash/PID',
  },
} as const

/**
 * `npm run bench:failover`: a container is killed; how long does it take until its connections are answered
 * again?
 */
await runBench(
  {
    name: 'failover',
    question:
      'A container is killed: how long does it take until its connections are answered again, ' +
      'and what does it cost to be able to?',
    options: OPTIONS,
    plans: {
      quick: {
        warmUp: 0,
        least: 1,
        rounds: 1,
        seconds: 8,
        precision: 0.02,
        kills: 2,
        connections: [20],
        crowds: 1,
        rehearsals: 300,
        requests: 200,
        warmUpRequests: 500,
      },
      default: {
        warmUp: 0,
        least: 6,
        rounds: 60,
        seconds: 45,
        precision: 0.02,
        kills: 4,
        connections: [100, 1000],
        crowds: 1,
        requests: 500,
        warmUpRequests: 5000,
      },
      full: {
        warmUp: 0,
        least: 50,
        rounds: 1000,
        seconds: 7200,
        precision: 0.005,
        kills: 10,
        connections: [10, 100, 1000, 5000],
        crowds: 20,
        requests: 2000,
        warmUpRequests: 20_000,
      },
    },
  },
  async run => {
    const { roads, skipped } = roadsOf(run.values)
    const counts =
      run.values.connections === undefined
        ? run.plan.connections
        : wholes('connections', run.values.connections, 2, 10_000)
    const cells = roads.flatMap(road => [
      ...ROADS[road].moments.map(moment => new Cell(road, moment, 1)),
      ...counts.map(count => new Cell(road, 'idle', count)),
    ])
    const covers: Cover[] = []
    const scenes = new Map<RoadName, Scene>()
    const floor = new Series()
    const rounds = new Rounds(run, cells, scenes, floor, covers)
    try {
      run.progress.say('starting platforms')
      for (const name of coversOf(roads)) covers.push(await Cover.open(name, pinnable()))
      for (const road of roads)
        scenes.set(road, await Scene.open(road, run.values.handler, run.plan.rehearsals))
      await rounds.run()
    } finally {
      for (const one of [...scenes.values(), ...covers]) await one.stop()
    }
    return {
      parameters: { road: roads, connections: [1, ...counts] },
      measurements: [
        ...cells.flatMap(({ measurements }) => measurements),
        ...limitOf(floor),
        ...covers.flatMap(coverOf),
      ],
      skipped,
      goals: goalsOf(cells, covers),
      details: {},
      print: ({ goals }) => `${tables(cells, floor, covers)}\n\n${goalLines(goals)}`,
    }
  },
)

/** The roads that are asked for, and why others cannot be taken. */
function roadsOf(values: Values<typeof OPTIONS>): { roads: RoadName[]; skipped: Skipped[] } {
  const all = Object.keys(ROADS) as RoadName[]
  const asked = values.road === undefined ? all : names('road', values.road, all)
  const roads: RoadName[] = []
  const skipped: Skipped[] = []
  for (const road of new Set(asked)) {
    const reason = Scene.refuses(road)
    if (reason === undefined) roads.push(road)
    else skipped.push({ name: 'failover.answered', labels: { road }, reason })
  }
  return { roads, skipped }
}

/** What a response costs is measured of the roads that are there. */
function coversOf(roads: readonly RoadName[]): CoverName[] {
  return (Object.keys(COVERS) as CoverName[]).filter(name => roads.includes(COVERS[name].road))
}
