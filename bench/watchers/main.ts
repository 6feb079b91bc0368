import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { verifier } from '../../src/tls13/io/verify.ts'
import { goal, goalLines } from '../harness/goal.ts'
import { figuresOf } from '../harness/measurement.ts'
import { whole } from '../harness/options.ts'
import { BenchError, runBench } from '../harness/run.ts'
import { acrossRounds } from '../harness/stats.ts'
import { figure } from '../harness/table.ts'
import { sustained } from '../migration/load.ts'
import { type Place, tourOf, Wanderer } from '../migration/wanderer.ts'
import { cpuTime } from '../rig/cpu.ts'
import { Platform } from '../rig/platform.ts'
import { Pages } from './pages.ts'

const TOUR = tourOf('raw')
const HANDLER = fileURLToPath(new URL('../rig/functions/twice-raw.js', import.meta.url))
/** Pages that are open: none, one, and as many as a platform takes. */
const PAGES = [0, 1, 8] as const
/** Connections that ask, one request after the other, each of which moves its connection. */
const ASKING = 32
/** Connections that are opened at a time: handshakes are not what is measured. */
const AT_ONCE = 16
/** Milliseconds until a page has what there is, and until containers have stopped telling. */
const SETTLED = 1500
const COMMON = { warmUp: 1, precision: 0.01 }

/** `npm run bench:watchers`: what does it cost the platform that its page is open? */
await runBench(
  {
    name: 'watchers',
    question: 'What does it cost a platform that its page is open, while all its requests move?',
    options: { connections: { value: 'N', help: 'idle connections besides; up to 15000' } },
    plans: {
      quick: { ...COMMON, warmUp: 0, least: 2, rounds: 2, seconds: 10, idle: 50, requests: 1000 },
      default: { ...COMMON, least: 8, rounds: 40, seconds: 70, idle: 2500, requests: 8000 },
      full: { ...COMMON, least: 30, rounds: 300, seconds: 3600, idle: 10_000, requests: 20_000 },
    },
  },
  async run => {
    const { values, plan } = run
    const idle =
      values.connections === undefined ? plan.idle : whole('connections', values.connections, 0, 15_000)
    const rates = new Map<number, number[]>(PAGES.map(count => [count, []]))
    const costs = new Map<number, number[]>(PAGES.map(count => [count, []]))
    const platform = await Platform.start({
      certificate: TOUR.map(name => `${name}.local`),
      functions: Object.fromEntries(TOUR.map(name => [name, { handler: HANDLER }])),
    })
    let told = 0
    try {
      const pages = await Pages.of(platform.supervisor)
      const place = placeOf(platform)
      const pids = [process.pid, ...(await platform.pids())]
      run.progress.say(`opening ${idle} idle connections`)
      const resting = await open(place, idle)
      const asking = await open(place, ASKING)
      await run.rounds(
        async counts => {
          for (const count of PAGES) {
            const before = pages.told
            await pages.open(count)
            await setTimeout(SETTLED)
            const cpu = cpuTime(...pids)
            const rate = await sustained(asking, plan.requests, one => one.move())
            const cost = (cpuTime(...pids)! - cpu!) / plan.requests
            if (count > 0 && pages.told === before) throw new BenchError('no page was told anything')
            told += pages.told - before
            pages.close()
            await setTimeout(SETTLED)
            if (!counts) continue
            rates.get(count)!.push(rate)
            costs.get(count)!.push(cost)
          }
        },
        () => [...costs.values()],
      )
      for (const one of [...resting, ...asking]) one.close()
      pages.stop()
    } finally {
      await platform.stop()
    }
    const [none, one, all] = PAGES.map(count => costs.get(count)!)
    const share = (open: readonly number[]) => acrossRounds(open, none!, (a, b) => a / b)
    return {
      parameters: { connections: idle, asking: ASKING },
      measurements: PAGES.filter(count => rates.get(count)!.length > 0).flatMap(count => {
        const labels = { pages: count, connections: idle }
        const title = `with ${count} pages open`
        return [
          figuresOf(
            { name: 'watchers.moves', title: `requests that move, ${title}`, labels, unit: '1/s' },
            rates.get(count)!,
          ),
          figuresOf(
            { name: 'watchers.cpu', title: `one of them, ${title}`, labels, unit: 'µs CPU' },
            costs.get(count)!,
          ),
        ]
      }),
      goals: [
        goal('CPU time of a move with one page, none = 1', '≤', 1.02, share(one!)),
        goal('CPU time of a move with eight pages, none = 1', '≤', 1.02, share(all!)),
      ],
      details: { told },
      print: ({ goals }) =>
        [
          `${ASKING} connections ask, and each request moves its own; ${idle} others are idle`,
          ...PAGES.flatMap(count => [
            `${count} pages: ${rates.get(count)!.map(figure).join(', ')} moves a second,`,
            `         ${costs.get(count)!.map(figure).join(', ')} µs of CPU for each, with the client's`,
          ]),
          goalLines(goals),
        ].join('\n'),
    }
  },
)

function placeOf(platform: Platform): Place {
  let number = 0
  return {
    options: {
      port: platform.ports.https,
      verify: verifier({ ca: platform.authority }),
      suite: 'TLS_AES_128_GCM_SHA256',
    },
    nextNumber: () => number++,
  }
}

async function open(place: Place, count: number): Promise<Wanderer[]> {
  const wanderers: Wanderer[] = []
  while (wanderers.length < count) {
    const some = Math.min(AT_ONCE, count - wanderers.length)
    wanderers.push(...(await Promise.all(Array.from({ length: some }, () => Wanderer.open(place, TOUR)))))
  }
  return wanderers
}
