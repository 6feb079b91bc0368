import { concat } from '../../src/wire/index.ts'
import { goal, goalLines } from '../harness/goal.ts'
import { figuresOf } from '../harness/measurement.ts'
import { whole } from '../harness/options.ts'
import { BenchError, runBench } from '../harness/run.ts'
import { acrossRounds, median } from '../harness/stats.ts'
import { figure, table } from '../harness/table.ts'
import { KeepAlive, type Question } from '../rig/keep-alive.ts'
import { Platform } from '../rig/platform.ts'

/** The function that stays, and the one whose container is fresh in every round. */
const OLD = 'old'
const FRESH = 'fresh'
const HOST = `${OLD}.local`
/** Requests that stay, before the first one that moves: neither client nor server is cold then. */
const SETTLING = 200
/** Moves around the thousandth whose median counts as its time. */
const AROUND = 100
const THOUSANDTH = 1000
/** Without those after the rest. */
const MOVES = THOUSANDTH + AROUND / 2
const CONTENT = new Uint8Array(100).fill(7)
const COMMON = { warmUp: 1, least: 6, precision: 0.05, rehearsals: 6000 }

/** What is told apart: [name, title, moves: the first and the one after the last]. */
const ROWS = [
  ['first', 'the first move into a fresh container', 0, 1],
  ['second', 'the first move out of it', 1, 2],
  ['ten', 'the ten after those', 2, 12],
  ['hundred', 'those around the hundredth', 90, 110],
  ['thousandth', 'those around the thousandth', THOUSANDTH - AROUND / 2, THOUSANDTH + AROUND / 2],
  ['rested', 'one after that, after as long a rest as before the first', MOVES, MOVES + 1],
] as const
const THOUSANDTH_ROW = 4

/**
 * `npm run bench:first`: how much slower is the first move of a container that was just started than its
 * thousandth? Every round starts a container, which rehearses before it is ready, and throws one connection
 * between it and one that is there from the beginning.
 */
async function main(): Promise<void> {
  await runBench(
    {
      name: 'first',
      question: 'How much slower is the first move of a fresh container than its thousandth?',
      options: {
        rehearsals: { value: 'N', help: 'how many moves the container rehearses before' },
        handler: {
          value: 'FILE',
          place: 'module',
          help: 'measure this handler instead; it must give back what it gets',
        },
      },
      plans: {
        quick: { ...COMMON, warmUp: 0, least: 1, rounds: 1, seconds: 10, rehearsals: 300 },
        default: { ...COMMON, rounds: 15, seconds: 75 },
        full: { ...COMMON, rounds: 200, seconds: 3600, precision: 0.01 },
      },
    },
    async run => {
      const { rehearsals = run.plan.rehearsals } =
        run.values.rehearsals === undefined
          ? {}
          : { rehearsals: whole('rehearsals', run.values.rehearsals, 0, 1_000_000) }
      const handler = run.values.handler ?? 'echo-raw'
      const rows: number[][] = ROWS.map(() => [])
      const platform = await Platform.start({
        certificate: [HOST],
        functions: { [OLD]: { handler }, [FRESH]: { handler } },
        settings: { rehearsals },
      })
      try {
        let counted = 0
        await run.rounds(
          async counts => {
            await replace(platform)
            const times = await thrown(platform)
            if (counts)
              for (const [i, [, , from, to]] of ROWS.entries()) rows[i]!.push(median(times.slice(from, to)))
            counted++
          },
          () => [rows[0]!, rows[THOUSANDTH_ROW]!],
        )
        run.progress.say(`${counted} containers were started`)
      } finally {
        await platform.stop()
      }
      const measured = rows[0]!.length > 0
      const measurements = measured
        ? ROWS.map(([name, title], i) =>
            figuresOf({ name: `first.${name}`, title, labels: { rehearsals }, unit: 'µs' }, rows[i]!),
          )
        : []
      const ratio = measured
        ? acrossRounds(rows[0]!, rows[THOUSANDTH_ROW]!, (one, other) => one / other)
        : undefined
      const goals = [goal('the first move, the thousandth = 1', '≤', 3, ratio)]
      return {
        parameters: { rehearsals },
        measurements,
        goals,
        details: {},
        print: result =>
          [
            table(
              ['a request that moves', 'µs'],
              measurements.map(({ title, value }) => [title, figure(value)]),
            ),
            `the first one in each round: ${rows[0]!.map(figure).join(', ')} µs`,
            goalLines(result.goals),
          ].join('\n'),
      }
    },
  )
}

/** Has a new container take the place of the one that there is of {@link FRESH}. */
async function replace({ supervisor }: Platform): Promise<void> {
  const before = (await supervisor.status()).find(({ name }) => name.startsWith(`${FRESH}-`))
  await supervisor.rollOuts.scale(FRESH, 2)
  await supervisor.rollOuts.drain([before!.name])
}

/** Throws one connection between the two. @returns µs for each move */
async function thrown({ ports, authority }: Platform): Promise<number[]> {
  const client = await KeepAlive.open({ port: ports.https, serverName: HOST, authority })
  try {
    const questions = [FRESH, OLD].map(
      (name): Question => ({ path: `/${name}`, content: CONTENT, expected: concat(CONTENT) }),
    )
    const times: number[] = []
    for (let move = 0; move <= MOVES; move++) {
      // The container rests meanwhile.
      if (move === 0 || move === MOVES) for (let i = 0; i < SETTLING; i++) await client.ask(questions[1]!)
      const begun = performance.now()
      const { hops, at } = await client.ask(questions[move % 2]!)
      if (hops !== move + 1) throw new BenchError(`${hops} moves instead of ${move + 1}`)
      times.push((at - begun) * 1000)
    }
    return times
  } finally {
    client.close()
  }
}

await main()
