import { ISOLATIONS, type IsolationName } from '../../src/stack/isolation.ts'
import { LEVELS } from '../../src/supervisor/isolation/levels.ts'
import { chooseChannel } from '../../src/transfer/channel.ts'
import { goal, goalLines } from '../harness/goal.ts'
import { figuresOf } from '../harness/measurement.ts'
import { BenchError, runBench } from '../harness/run.ts'
import { acrossRounds, median } from '../harness/stats.ts'
import { figure, table } from '../harness/table.ts'
import { KeepAlive, type Question } from '../rig/keep-alive.ts'
import { Platform } from '../rig/platform.ts'

/** The function that connections come from, and go back to. */
const HOME = 'home'
const HOST = `${HOME}.local`
const CONTENT = new Uint8Array(100).fill(7)
/** A filter of system calls costs a move something, and not much. */
const MOST = 1.25
const UIDS = { first: 58_000, last: 58_999 }

const TITLES: Readonly<Record<IsolationName, string>> = {
  process: 'a process',
  user: 'with a user id of its own',
  sandbox: 'in a sandbox (bubblewrap)',
  oci: 'in an OCI container (crun, runc)',
}

/**
 * `npm run bench:isolation`: what does each level of isolation cost at the start of a container, when a
 * connection moves there and back, and when a function that sleeps is woken? In every round each level has
 * its turn.
 */
async function main(): Promise<void> {
  await runBench(
    {
      name: 'isolation',
      question: 'What does each level of isolation cost: a start, a move, a wake?',
      options: {},
      plans: {
        quick: { warmUp: 1, least: 1, rounds: 1, seconds: 15, precision: 0.1, moves: 100 },
        default: { warmUp: 1, least: 6, rounds: 12, seconds: 90, precision: 0.05, moves: 400 },
        full: { warmUp: 2, least: 10, rounds: 200, seconds: 3600, precision: 0.01, moves: 1000 },
      },
    },
    async run => {
      const { moves } = run.plan
      const native = chooseChannel().kind === 'native'
      const levels = ISOLATIONS.filter(level => {
        const problem = LEVELS[level].check({ uids: UIDS, native })
        if (problem !== undefined) run.progress.say(`without ${level}: ${problem.what}; ${problem.remedy}`)
        return problem === undefined
      })
      const starts: number[][] = levels.map(() => [])
      const times: number[][] = levels.map(() => [])
      const wakes: number[][] = levels.map(() => [])
      const functions = levels.map(level => [level, { handler: 'echo-raw', isolation: level }] as const)
      const platform = await Platform.start({
        certificate: [HOST],
        functions: { [HOME]: { handler: 'echo-raw' }, ...Object.fromEntries(functions) },
        settings: {
          rehearsals: 0,
          isolationUids: `${UIDS.first}-${UIDS.last}`,
          // A wake on a machine that has other work, too.
          connection: { timers: { container: 60 } },
        },
      })
      try {
        await run.rounds(
          async counts => {
            for (const [i, level] of levels.entries()) {
              const start = await started(platform, level)
              const move = await moved(platform, level, moves)
              const wake = await woken(platform, level)
              if (!counts) continue
              starts[i]!.push(start)
              times[i]!.push(move)
              wakes[i]!.push(wake)
            }
          },
          () => [...starts, ...times, ...wakes],
        )
      } finally {
        await platform.stop()
      }
      const measured = starts[0]!.length > 0
      const rows = measured
        ? levels.map((level, i) => ({
            title: TITLES[level],
            start: figuresOf(
              { name: `isolation.start.${level}`, title: `start: ${TITLES[level]}`, labels: {}, unit: 'ms' },
              starts[i]!,
            ),
            move: figuresOf(
              {
                name: `isolation.move.${level}`,
                title: `a move: ${TITLES[level]}`,
                labels: { moves },
                unit: 'µs',
              },
              times[i]!,
            ),
            wake: figuresOf(
              {
                name: `isolation.wake.${level}`,
                title: `a cold wake: ${TITLES[level]}`,
                labels: {},
                unit: 'ms',
              },
              wakes[i]!,
            ),
            startRatio: acrossRounds(starts[i]!, starts[0]!, (one, plain) => one / plain),
            moveRatio: acrossRounds(times[i]!, times[0]!, (one, plain) => one / plain),
            wakeRatio: acrossRounds(wakes[i]!, wakes[0]!, (one, plain) => one / plain),
          }))
        : []
      return {
        parameters: { moves },
        measurements: rows.flatMap(({ start, move, wake }) => [start, move, wake]),
        goals: rows
          .slice(1)
          .map(({ title, moveRatio }) => goal(`a move ${title}, a process = 1`, '≤', MOST, moveRatio)),
        details: {},
        print: result =>
          [
            table(
              ['a container', 'start, ms', '= 1', 'a move, µs', '= 1', 'a cold wake, ms', '= 1'],
              rows.map(({ title, start, move, wake, startRatio, moveRatio, wakeRatio }) => [
                title,
                ...[start.value, startRatio, move.value, moveRatio, wake.value, wakeRatio].map(figure),
              ]),
            ),
            goalLines(result.goals),
          ].join('\n'),
      }
    },
  )
}

/** @returns ms until one more container of a function is ready, which the one before makes room for */
async function started({ supervisor }: Platform, name: string): Promise<number> {
  const before = (await supervisor.status()).find(one => one.functionName === name)
  const begun = performance.now()
  await supervisor.rollOuts.scale(name, 2)
  const time = performance.now() - begun
  await supervisor.rollOuts.drain([before!.name])
  return time
}

/** @returns ms until a request is answered whose function had no container, on a connection that is open */
async function woken({ ports, authority, supervisor }: Platform, name: string): Promise<number> {
  const client = await KeepAlive.open({ port: ports.https, serverName: HOST, authority })
  try {
    const question = (path: string): Question => ({ path: `/${path}`, content: CONTENT, expected: CONTENT })
    await client.ask(question(HOME))
    await supervisor.rollOuts.scale(name, 0)
    const begun = performance.now()
    const { at } = await client.ask(question(name))
    return at - begun
  } finally {
    client.close()
  }
}

/** @returns µs of a request on a connection that moves there, and back for the next one; the median */
async function moved({ ports, authority }: Platform, name: string, moves: number): Promise<number> {
  const client = await KeepAlive.open({ port: ports.https, serverName: HOST, authority })
  try {
    const [there, back] = [name, HOME].map(
      (one): Question => ({ path: `/${one}`, content: CONTENT, expected: CONTENT }),
    )
    const times: number[] = []
    for (let i = 0; i < moves; i++) {
      const begun = performance.now()
      const { at, hops } = await client.ask(i % 2 === 0 ? there! : back!)
      if (hops !== i + 1) throw new BenchError(`${name}: ${hops} moves instead of ${i + 1}`)
      // The first half warms a container that has just been started.
      if (i >= moves / 2) times.push((at - begun) * 1000)
    }
    return median(times)
  } finally {
    client.close()
  }
}

await main()
