import { goal, goalLines } from '../harness/goal.ts'
import { figuresOf, type Measurement, timesOf } from '../harness/measurement.ts'
import { whole } from '../harness/options.ts'
import { runBench } from '../harness/run.ts'
import { acrossRounds, Series } from '../harness/stats.ts'
import { figure, table } from '../harness/table.ts'
import { emptyNode, Scene } from './scene.ts'

const MIB = 2 ** 20
const COMMON = { warmUp: 0, precision: 0.05, connections: 10_000, others: 50 }

/** What was measured of wakes; milliseconds. */
const wakes = {
  warm: new Series(),
  cold: new Series(),
  handover: new Series(),
  live: new Series(),
  node: new Series(),
}
const TITLES: Readonly<Record<keyof typeof wakes, string>> = {
  warm: 'a message wakes the function, from the warm pool',
  cold: 'a message wakes the function, cold',
  handover: 'a message on a connection that hibernates, of a function that is awake',
  live: 'the same connection again',
  node: 'an empty Node: node -e 0',
}

/** `npm run bench:hibernation`: what does a connection cost whose function sleeps, and how long is a wake? */
await runBench(
  {
    name: 'hibernation',
    question: 'What does a connection cost whose function sleeps, and how long does it take to wake it?',
    options: { connections: { value: 'N', help: 'WebSockets that hibernate' } },
    plans: {
      quick: { ...COMMON, least: 1, rounds: 1, seconds: 8, connections: 100, others: 10 },
      default: { ...COMMON, least: 6, rounds: 12, seconds: 75 },
      full: { ...COMMON, least: 50, rounds: 500, seconds: 3600, precision: 0.01 },
    },
  },
  async run => {
    const connections =
      run.values.connections === undefined
        ? run.plan.connections
        : whole('connections', run.values.connections, run.plan.others + 1, 16_000)
    run.progress.say(`opening ${connections} WebSockets`)
    // The crowd is with a platform of its own: what a wake takes is the same for fewer.
    const scenes = { warm: await Scene.open(2), cold: await Scene.open(0) }
    try {
      await scenes.warm.sleep(0)
      const fresh = await scenes.warm.memory()
      await scenes.warm.crowd(connections)
      await scenes.cold.crowd(run.plan.others + 1)
      const before = await scenes.warm.memory()
      await scenes.warm.sleep(connections)
      const after = await scenes.warm.memory()
      const processes = await scenes.warm.processes()
      await scenes.cold.sleep(run.plan.others + 1)
      const others = Array.from({ length: run.plan.others }, (_, index) => index + 1)
      await run.rounds(
        async () => {
          wakes.node.add([await emptyNode()])
          wakes.cold.add(await scenes.cold.ask([0]))
          await scenes.cold.sleep(run.plan.others + 1)
          wakes.warm.add(await scenes.warm.ask([0]))
          wakes.handover.add(await scenes.warm.ask(others))
          wakes.live.add(await scenes.warm.ask(others))
          await scenes.warm.sleep(connections)
        },
        () => [wakes.warm.medians, wakes.cold.medians],
      )
      const sealed = after.sealed / connections
      const each = (after.gateway - before.gateway) / connections
      const all = after.anonymous - fresh.anonymous
      const resident = after.resident - fresh.resident
      const bytes = (name: string, title: string, value: number): Measurement =>
        figuresOf({ name: `hibernation.${name}`, title, unit: 'B' }, [Math.max(0, Math.round(value))])
      const ratio = (one: number, other: number): number => one / other
      const difference = (one: number, other: number): number => one - other
      return {
        parameters: { connections },
        measurements: [
          ...Object.entries(wakes).map(([name, series]) =>
            timesOf(
              { name: `hibernation.${name}`, title: TITLES[name as keyof typeof wakes], unit: 'ms' },
              series,
            ),
          ),
          bytes('sealed', 'what the gateway keeps sealed of a connection', sealed),
          bytes('connection', 'memory of the gateway for a connection, when it comes to rest', each),
          bytes('gateway', 'memory of the gateway, since it was fresh', after.gateway - fresh.gateway),
          bytes('platform', 'memory of all processes, since they were fresh', all),
          bytes('resident', 'the same, with what they share and what is on the disk', resident),
        ],
        goals: [
          goal('a wake from the warm pool, p50', '≤', 5, wakes.warm.summary.p50, 'ms'),
          goal(
            'the hand-over itself',
            '≤',
            2,
            acrossRounds(wakes.handover.medians, wakes.live.medians, difference),
            'ms',
          ),
          goal(
            'a cold wake, an empty Node = 1',
            '≤',
            1.3,
            acrossRounds(wakes.cold.medians, wakes.node.medians, ratio),
          ),
          goal('memory of the gateway for a connection', '≤', 1024, Math.max(0, Math.round(each)), 'B'),
          goal('memory of all processes, since they were fresh', '≤', 30 * MIB, Math.max(0, all), 'B'),
          goal('processes of the function', '≤', 0, processes),
        ],
        details: { connections },
        print: ({ goals }) => {
          const rows = Object.entries(wakes).map(([name, { summary, medians }]) => [
            TITLES[name as keyof typeof wakes],
            String(medians.length),
            ...[summary.p50, summary.p99, summary.max].map(figure),
          ])
          return [
            table(['ms', 'rounds', 'p50', 'p99', 'max'], rows),
            `${connections} connections: ${figure(sealed)} B sealed each, ${figure(each)} B of memory, ` +
              `${figure(all / MIB)} MiB of all processes since they were fresh ` +
              `(${figure(resident / MIB)} MiB resident), with what their opening left behind; ` +
              'the supervisor is left out',
            goalLines(goals),
          ].join('\n\n')
        },
      }
    } finally {
      for (const scene of Object.values(scenes)) await scene.stop()
    }
  },
)
