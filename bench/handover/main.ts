import { setTimeout } from 'node:timers/promises'
import { goal, goalLines } from '../harness/goal.ts'
import { figuresOf } from '../harness/measurement.ts'
import { whole } from '../harness/options.ts'
import { BenchError, runBench } from '../harness/run.ts'
import { figure } from '../harness/table.ts'
import { type Destination, KeepAlive } from '../rig/keep-alive.ts'
import { Pool } from '../rig/pool.ts'

/** Milliseconds between two looks at how many have arrived: that much a round may be too long. */
const LOOK = 5
/** Milliseconds for all to arrive, on a machine that has other work, too. */
const PATIENCE = 120_000
const POTATO = Buffer.from('potato')
const QUESTION = { path: '/', content: POTATO, expected: POTATO }
const COMMON = { warmUp: 0, least: 6, precision: 0.02, connections: 1000, rehearsals: 6000 }

/**
 * `npm run bench:handover`: how long does it take to hand all idle TLS connections of a container to a new
 * one? Every round starts a container, drains the old one, and then asks for an answer on every connection:
 * none may be lost.
 */
async function main(): Promise<void> {
  await runBench(
    {
      name: 'handover',
      question: 'How long does it take to hand all idle TLS connections of a container to a new one?',
      options: {
        connections: { value: 'N', help: 'how many idle connections' },
        handler: {
          value: 'FILE',
          place: 'module',
          help: 'measure this handler instead; it must give back what it gets',
        },
      },
      plans: {
        quick: { ...COMMON, least: 2, rounds: 2, seconds: 10, connections: 300, rehearsals: 300 },
        default: { ...COMMON, rounds: 7, seconds: 60 },
        full: { ...COMMON, rounds: 100, seconds: 3600, precision: 0.005 },
      },
    },
    async run => {
      const count =
        run.values.connections === undefined
          ? run.plan.connections
          : whole('connections', run.values.connections, 1, 15_000)
      const times: number[] = []
      const pool = await Pool.start({
        handler: run.values.handler ?? 'echo-raw',
        settings: { rehearsals: run.plan.rehearsals },
      })
      try {
        run.progress.say(`opening ${count} connections`)
        const clients = await open(pool.destination, count)
        await run.rounds(
          async () => {
            times.push((await handOver(pool, count)) / count)
            await askAll(clients, times.length)
          },
          () => [times],
        )
        for (const client of clients) client.close()
      } finally {
        await pool.stop()
      }
      const title = `one of ${count} idle connections handed over`
      const measurements =
        times.length === 0
          ? []
          : [figuresOf({ name: 'handover', title, labels: { connections: count }, unit: 'µs' }, times)]
      const goals = [
        goal(`to hand over one of ${count} idle connections`, '≤', 40, measurements[0]?.value, 'µs'),
      ]
      return {
        parameters: { connections: count },
        measurements,
        goals,
        details: {},
        print: result =>
          [
            `${count} idle connections handed to a new container, ${times.length} times, none lost`,
            `µs for each: ${times.map(figure).join(', ')}`,
            goalLines(result.goals),
          ].join('\n'),
      }
    },
  )
}

/** Opens so many connections, and uses each once. */
async function open(destination: Destination, count: number): Promise<KeepAlive[]> {
  const clients: KeepAlive[] = []
  // A few at a time: handshakes are not what is measured.
  while (clients.length < count) {
    const some = Array.from({ length: Math.min(50, count - clients.length) }, () =>
      KeepAlive.open(destination),
    )
    clients.push(...(await Promise.all(some)))
  }
  await askAll(clients, 0)
  return clients
}

/** @throws BenchError a connection is lost, answers wrongly, or has not moved as often as it should have */
async function askAll(clients: readonly KeepAlive[], moves: number): Promise<void> {
  for (const client of clients) {
    const { hops } = await client.ask(QUESTION).catch((error: Error) => {
      throw new BenchError(`after ${moves} moves: ${error.message}`)
    })
    if (hops !== moves) throw new BenchError(`${hops} moves instead of ${moves}`)
  }
}

/** Hands all connections over. @returns µs until the new container had all of them */
async function handOver(pool: Pool, count: number): Promise<number> {
  const [current] = await pool.containers()
  const next = await pool.extend()
  const start = performance.now()
  const drained = pool.drain(current!.name)
  for (;;) {
    const member = (await pool.containers()).find(({ name }) => name === next)
    if ((member?.counters.connections ?? 0) >= count) break
    if (performance.now() - start > PATIENCE) throw new BenchError('not every connection has arrived')
    await setTimeout(LOOK)
  }
  const time = (performance.now() - start) * 1000
  const moved = await drained
  if (moved !== count) throw new BenchError(`${moved} of ${count} connections have moved`)
  return time
}

await main()
