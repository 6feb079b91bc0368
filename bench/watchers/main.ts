import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Admin } from '../../src/supervisor/admin/admin.ts'
import { goal, goalLines } from '../harness/goal.ts'
import { figuresOf } from '../harness/measurement.ts'
import { whole } from '../harness/options.ts'
import { BenchError, runBench } from '../harness/run.ts'
import { acrossRounds } from '../harness/stats.ts'
import { figure } from '../harness/table.ts'
import { tourOf } from '../migration/wanderer.ts'
import { cpuTime } from '../rig/cpu.ts'
import { Platform } from '../rig/platform.ts'
import { Guest } from './guests.ts'

const TOUR = tourOf('raw')
const HANDLER = fileURLToPath(new URL('../rig/functions/twice-raw.js', import.meta.url))
/** Pages that are open: none, one, and as many as a platform takes. */
const PAGES = [0, 1, 8] as const
/** Connections that ask, one request after the other, each of which moves its connection. */
const ASKING = 32
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
      default: { ...COMMON, least: 8, rounds: 40, seconds: 100, idle: 2500, requests: 40_000 },
      full: { ...COMMON, least: 30, rounds: 300, seconds: 3600, idle: 10_000, requests: 40_000 },
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
    const admin = await Admin.open({ host: '127.0.0.1', port: 0 }, () => platform.supervisor)
    const clients = new Guest()
    let told = 0
    try {
      // The supervisor is in this process, and nothing else that works.
      const pids = [process.pid, ...(await platform.pids())]
      run.progress.say(`opening ${idle} idle connections`)
      const { authority } = platform
      await clients.obey({ kind: 'connect', port: platform.ports.https, authority, idle, asking: ASKING })
      await run.rounds(
        async counts => {
          for (const count of PAGES) {
            const pages = count === 0 ? undefined : new Guest()
            await pages?.obey({ kind: 'watch', page: admin.page, count })
            await setTimeout(SETTLED)
            const before = await pages?.obey({ kind: 'count' })
            const cpu = cpuTime(...pids)
            const { rate } = await clients.obey({ kind: 'move', requests: plan.requests })
            const cost = (cpuTime(...pids)! - cpu!) / plan.requests
            const after = await pages?.obey({ kind: 'count' })
            if (after?.told === before?.told && count > 0) throw new BenchError('no page was told anything')
            told += (after?.told ?? 0) - (before?.told ?? 0)
            pages?.leave()
            await setTimeout(SETTLED)
            if (!counts) continue
            rates.get(count)!.push(rate!)
            costs.get(count)!.push(cost)
          }
        },
        () => [...costs.values()],
      )
    } finally {
      clients.leave()
      admin.close()
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
            `         ${costs.get(count)!.map(figure).join(', ')} µs of CPU for each, without the client's`,
          ]),
          goalLines(goals),
        ].join('\n'),
    }
  },
)
