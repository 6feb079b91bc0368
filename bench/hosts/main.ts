import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { front } from '../../test/support/front-scene.ts'
import { goal, goalLines } from '../harness/goal.ts'
import { figuresOf } from '../harness/measurement.ts'
import { BenchError, runBench } from '../harness/run.ts'
import { figure } from '../harness/table.ts'
import { Between, CARRIERS, type Carrier, KINDS, type Kind } from './between.ts'

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url))
const COMMON = { warmUp: 1, precision: 0.02 }
const STEPS = ['take', 'make', 'classicTake', 'classicMake', 'wake', 'filter', 'program'] as const
type Step = (typeof STEPS)[number]

/** What a step is, and what is wanted of it in µs. */
const SAID: Readonly<Record<Step, { readonly title: string; readonly most?: number }>> = {
  take: { title: 'a connection is taken out of the kernel', most: 20 },
  make: { title: 'a connection is made in the kernel', most: 35 },
  classicTake: { title: 'taken with a classic filter, as where no eBPF program may be loaded' },
  classicMake: { title: 'made with a classic filter' },
  wake: { title: 'it is woken' },
  filter: { title: 'the classic filter alone, which makes it deaf' },
  program: { title: 'the eBPF program alone, which does the same' },
}

/** What a request between two hosts is. */
const ASKED: Readonly<Record<Kind, string>> = {
  there: 'a request with which its connection moves to the other host',
  back: 'one with which it moves back',
  far: 'a later one at the other host',
  near: 'a later one at the first host',
}
const WANTED = { title: 'a request that moves to the other host by repair', most: 250 } as const
const keyOf = (kind: Kind, carrier: Carrier): string => `${kind} ${carrier}`

/** `npm run bench:hosts`: what does it cost to give a TCP connection to another kernel? */
await runBench(
  {
    name: 'hosts',
    question: 'What does it cost to take a TCP connection out of a kernel, and to make it in one?',
    options: {},
    plans: {
      quick: { ...COMMON, least: 2, rounds: 2, seconds: 10, moves: 200, turns: 5 },
      default: { ...COMMON, least: 5, rounds: 20, seconds: 60, moves: 1000, turns: 30 },
      full: { ...COMMON, least: 20, rounds: 200, seconds: 1800, moves: 2000, turns: 100 },
    },
  },
  async run => {
    const medians = new Map<Step, number[]>(STEPS.map(step => [step, []]))
    const asked = new Map<string, number[]>()
    const between = front.available ? await Between.start() : undefined
    try {
      await run.rounds(
        async counts => {
          for (const [step, value] of Object.entries(measure(run.plan.moves)))
            if (counts) medians.get(step as Step)!.push(value)
          if (between === undefined) return
          for (const carrier of CARRIERS) {
            const found = await between.measure(carrier, run.plan.turns)
            if (!counts) continue
            for (const kind of KINDS) {
              const key = keyOf(kind, carrier)
              asked.set(key, [...(asked.get(key) ?? []), found[kind]])
            }
          }
        },
        () => [...medians.values(), ...asked.values()],
      )
    } finally {
      await between?.stop()
    }
    const measurements = STEPS.filter(step => medians.get(step)!.length > 0).map(step =>
      figuresOf(
        { name: `hosts.${step}`, title: SAID[step].title, labels: {}, unit: 'µs' },
        medians.get(step)!,
      ),
    )
    for (const kind of KINDS)
      for (const carrier of CARRIERS) {
        const rounds = asked.get(keyOf(kind, carrier))
        if (rounds === undefined) continue
        const named = { name: `hosts.${kind}`, title: ASKED[kind], labels: { carrier }, unit: 'µs' } as const
        measurements.push(figuresOf(named, rounds))
      }
    const reached = (step: Step) => measurements.find(({ name }) => name === `hosts.${step}`)?.value
    const goals = STEPS.flatMap(step => {
      const { title, most } = SAID[step]
      return most === undefined ? [] : [goal(title, '≤', most, reached(step), 'µs')]
    })
    const moved = measurements.find(
      ({ name, labels }) => name === 'hosts.there' && labels.carrier === 'repair',
    )?.value
    goals.push(goal(WANTED.title, '≤', WANTED.most, moved, 'µs'))
    return {
      parameters: { moves: run.plan.moves, turns: run.plan.turns },
      skipped: front.available ? [] : [{ name: 'hosts.there', labels: {}, reason: front.note }],
      measurements,
      goals,
      details: {},
      print: result =>
        [
          ...result.measurements.map(({ title, labels, value }) => {
            const how = labels.carrier === undefined ? '' : `, by ${labels.carrier}`
            return `${figure(value).padStart(8)} µs  ${title}${how}`
          }),
          goalLines(result.goals),
        ].join('\n'),
    }
  },
)

/** In a network namespace: there no other process has a connection, and only there may this one. */
function measure(moves: number): Record<Step, number> {
  const root = process.geteuid?.() === 0
  const words = [root ? '-n' : '-rn', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh']
  const child = spawnSync('unshare', [...words, process.execPath, CHILD, String(moves)], { encoding: 'utf8' })
  if (child.status === 0) return JSON.parse(child.stdout) as Record<Step, number>
  const why = child.error?.message ?? child.stderr.trim().split('\n').at(-1)
  throw new BenchError(
    `no network namespace: ${why}; needs util-linux, iproute2, and root or user namespaces`,
  )
}
