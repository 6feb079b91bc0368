import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { goal, goalLines } from '../harness/goal.ts'
import { figuresOf } from '../harness/measurement.ts'
import { BenchError, runBench } from '../harness/run.ts'
import { median } from '../harness/stats.ts'
import { figure, table } from '../harness/table.ts'
import { Child } from '../rig/child.ts'
import { cpuTime } from '../rig/cpu.ts'
import { KeepAlive } from '../rig/keep-alive.ts'
import { FIRST, Pool } from '../rig/pool.ts'
import { KINDS, type Kind } from './kinds.ts'
import type { Order, Report } from './peer.ts'

const PEER = fileURLToPath(new URL('./peer.js', import.meta.url))
const HANDLER = fileURLToPath(new URL('../rig/functions/echo-socket.js', import.meta.url))
const MEGABYTE = 1_000_000
/** Milliseconds in which no client sends anything else: how long answers take here anyway. */
const QUIET = 1000
/** Milliseconds between two questions of the neighbour. */
const PAUSE = 2
const POTATO = Buffer.from('potato')
const QUESTION = { path: '/', content: POTATO, expected: POTATO }
const COMMON = { warmUp: 1, least: 6, precision: 0.05, megabytes: 10 }

interface Row {
  readonly kind: Kind | 'nothing'
  /** Milliseconds of CPU time of the container. */
  readonly cpu: number[]
  /** Milliseconds of the neighbour's longest wait. */
  readonly delay: number[]
}

/**
 * `npm run bench:pieces`: what does a client cost that sends in tiny pieces, and how long do others wait
 * meanwhile?
 */
await runBench(
  {
    name: 'pieces',
    question:
      'What does a client cost that sends 10 MB in tiny pieces, and how long do others wait meanwhile?',
    options: {},
    plans: {
      quick: { ...COMMON, least: 2, rounds: 2, seconds: 10, megabytes: 2 },
      default: { ...COMMON, rounds: 12, seconds: 75 },
      full: { ...COMMON, rounds: 200, seconds: 3600, precision: 0.01 },
    },
  },
  async run => {
    const { megabytes } = run.plan
    const rows: Row[] = (['nothing', ...KINDS] as const).map(kind => ({ kind, cpu: [], delay: [] }))
    const pool = await Pool.start({
      handler: HANDLER,
      settings: {
        rehearsals: 0,
        connection: { bodyBytes: 10 ** 8 },
      },
    })
    const peer = new Child<Order, Report>(PEER, pool.destination)
    try {
      await peer.listening()
      const neighbour = await KeepAlive.open(pool.destination)
      await run.rounds(
        async counts => {
          for (const { kind, cpu, delay } of rows) {
            if (run.interrupted) return
            const { pid, restarts } = (await pool.containers()).find(({ name }) => name === FIRST)!
            const before = cpuTime(pid!) ?? 0
            const bytes = megabytes * MEGABYTE
            const sent = kind === 'nothing' ? setTimeout(QUIET) : peer.ask({ do: 'send', kind, bytes })
            const waits = await ask(neighbour, sent)
            const used = (cpuTime(pid!) ?? 0) - before
            const after = (await pool.containers()).find(({ name }) => name === FIRST)!
            if (after.pid !== pid || after.restarts !== restarts)
              throw new BenchError(`${kind}: the container ended`)
            if (!counts) continue
            cpu.push(used / 1000)
            delay.push(Math.max(...waits))
          }
        },
        () => rows.map(({ cpu }) => cpu),
      )
      neighbour.close()
    } finally {
      peer.stop()
      await pool.stop()
    }
    const measured = rows.filter(({ cpu }) => cpu.length > 0)
    const floods = measured.filter(({ kind }) => kind !== 'nothing')
    const goals = floods.flatMap(({ kind, cpu, delay }) => [
      goal(`${kind}: CPU time for ${megabytes} MB`, '≤', 3000, median(cpu), 'ms'),
      goal(`${kind}: the longest wait of another client`, '≤', 50, median(delay), 'ms'),
    ])
    return {
      parameters: { megabytes },
      measurements: measured.flatMap(({ kind, cpu, delay }) => [
        figuresOf(
          { name: 'pieces.cpu', title: `${megabytes} MB of ${kind}`, labels: { kind }, unit: 'ms' },
          cpu,
        ),
        figuresOf(
          { name: 'pieces.delay', title: `longest wait beside ${kind}`, labels: { kind }, unit: 'ms' },
          delay,
        ),
      ]),
      goals,
      details: {},
      print: result =>
        [
          table(
            [`${megabytes} MB on the wire`, 'CPU ms', 'longest wait of another client, ms'],
            measured.map(({ kind, cpu, delay }) => [kind, figure(median(cpu)), figure(median(delay))]),
          ),
          goalLines(result.goals),
        ].join('\n'),
    }
  },
)

/** Asks again and again until something is over. @returns milliseconds that each answer took */
async function ask(client: KeepAlive, over: Promise<unknown>): Promise<number[]> {
  let done = false
  const ended = over.finally(() => {
    done = true
  })
  const waits: number[] = []
  do {
    const start = performance.now()
    await client.ask(QUESTION)
    waits.push(performance.now() - start)
    await setTimeout(PAUSE)
  } while (!done)
  await ended
  return waits
}
