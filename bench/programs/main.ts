import { spawnSync } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { figuresOf } from '../harness/measurement.ts'
import { BenchError, runBench } from '../harness/run.ts'
import { acrossRounds, median } from '../harness/stats.ts'
import { figure, table } from '../harness/table.ts'
import { KeepAlive } from '../rig/keep-alive.ts'
import { Platform } from '../rig/platform.ts'
import { Vaults } from './vaults.ts'

const HOST = 'plain.local'
const CONTENT = new Uint8Array(100).fill(120)
const SERVER = ['node', fileURLToPath(new URL('./echo-server.js', import.meta.url))]
/** An interpreter that takes a while to start. */
const PYTHON = ['python3', '-c', 'import json, sys; sys.stdout.write(sys.stdin.read())']
/** Milliseconds between two requests: what is started ahead has to be there again. */
const PAUSE = 60

/** The same for a sealed function, which has a process of Node. */
const LONG_PAUSE = 500

/** What is asked. */
interface Row {
  readonly name: string
  readonly title: string
  /** As the stack file has it. */
  readonly one: object
  /** As above. */
  readonly pause: number
}

const vaults = new Vaults()
const ROWS: readonly Row[] = [
  { name: 'plain', title: 'a module of the platform', one: { handler: 'echo-raw' }, pause: 0 },
  {
    name: 'socket',
    title: 'a program over a Unix socket',
    one: { command: SERVER, mode: 'socket' },
    pause: 0,
  },
  { name: 'http', title: 'a program over a port', one: { command: SERVER, mode: 'http' }, pause: 0 },
  { name: 'fork', title: 'a process a request: cat', one: { command: ['cat'], mode: 'fork' }, pause: PAUSE },
  {
    name: 'python',
    title: 'a process a request: Python',
    one: { command: PYTHON, mode: 'fork' },
    pause: PAUSE,
  },
  {
    name: 'pool',
    title: 'the same, started ahead',
    one: { command: PYTHON, mode: 'fork', pool: 2 },
    pause: PAUSE,
  },
  ...sealed('javascript', 'a sealed function'),
  ...sealed('python', 'a sealed function in Python'),
]

function sealed(lang: 'javascript' | 'python', title: string): Row[] {
  return [
    { name: `sealed-${lang}`, title, one: vaults.entry(lang, 0), pause: LONG_PAUSE },
    { name: `warm-${lang}`, title: 'the same, started ahead', one: vaults.entry(lang, 1), pause: LONG_PAUSE },
  ]
}

/** `npm run bench:programs`: what does a request to a program cost, beside one to a module? */
async function main(): Promise<void> {
  await runBench(
    {
      name: 'programs',
      question: 'What does a request to a program in another language cost, beside one to a module?',
      options: {},
      plans: {
        quick: { warmUp: 1, least: 1, rounds: 2, seconds: 10, precision: 0.05, requests: 5 },
        default: { warmUp: 2, least: 6, rounds: 15, seconds: 75, precision: 0.05, requests: 10 },
        full: { warmUp: 2, least: 6, rounds: 200, seconds: 3600, precision: 0.01, requests: 20 },
      },
    },
    async run => {
      const { requests } = run.plan
      const python = spawnSync('python3', ['--version']).error === undefined
      const asked = ROWS.filter(({ name }) => python || !/python|pool/.test(name))
      if (!python) run.progress.say('without python3 four rows are left out')
      const rows: number[][] = asked.map(() => [])
      const platform = await Platform.start({
        certificate: [HOST],
        functions: Object.fromEntries(asked.map(({ name, one }) => [name, one])),
        settings: { rehearsals: 0 },
      })
      try {
        await run.rounds(
          async counts => {
            for (const [i, { name, pause }] of asked.entries()) {
              // One that takes so long is asked less often.
              const times = pause === LONG_PAUSE ? Math.ceil(requests / 5) : requests
              const time = await answered(platform, name, times, pause)
              if (counts) rows[i]!.push(time)
            }
          },
          () => [rows[0]!, rows.at(-1)!],
        )
      } finally {
        await platform.stop()
        vaults.remove()
      }
      const measured = rows[0]!.length > 0
      const measurements = measured
        ? asked.map(({ name, title }, i) =>
            figuresOf({ name: `programs.${name}`, title, labels: { requests }, unit: 'µs' }, rows[i]!),
          )
        : []
      const ratios = measured ? rows.map(row => acrossRounds(row, rows[0]!, (one, plain) => one / plain)) : []
      return {
        parameters: { requests },
        measurements,
        goals: [],
        details: {},
        print: () =>
          table(
            ['a request', 'µs', 'a module = 1'],
            measurements.map(({ title, value }, i) => [title, figure(value), figure(ratios[i] ?? 0)]),
          ),
      }
    },
  )
}

/** @returns µs of a request on a connection that is there, the median */
async function answered(
  { ports, authority }: Platform,
  name: string,
  requests: number,
  pause: number,
): Promise<number> {
  const client = await KeepAlive.open({ port: ports.https, serverName: HOST, authority })
  try {
    const fields = pause === LONG_PAUSE ? vaults.field : ''
    const question = { path: `/${name}`, content: CONTENT, fields, expected: CONTENT }
    const times: number[] = []
    for (let i = 0; i <= requests; i++) {
      await wait(pause)
      const begun = performance.now()
      const { at } = await client.ask(question)
      // The first one moves the connection.
      if (i > 0) times.push((at - begun) * 1000)
    }
    return median(times)
  } catch (error) {
    throw new BenchError(`${name}: ${(error as Error).message}`)
  } finally {
    client.close()
  }
}

await main()
