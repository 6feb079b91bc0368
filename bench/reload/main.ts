import { names, whole } from '../harness/options.ts'
import { runBench } from '../harness/run.ts'
import { makeIdentity } from '../rig/identity.ts'
import { HOST } from './orders.ts'
import { Cell, findings } from './result.ts'
import { ROW_NAMES, ROWS, refusalOf, start } from './rows.ts'
import { deployed, slept } from './turn.ts'

const COMMON = { warmUp: 0, precision: 0.05 }

/**
 * `npm run bench:reload`: what do clients with long streams see of deploys, beside the reload of nginx and of
 * haproxy, and beside a server of Node that is deployed behind either?
 */
await runBench(
  {
    name: 'reload',
    question: 'What do clients with long streams lose at a deploy?',
    options: {
      of: { value: 'A,B', help: `of ${ROW_NAMES.join(', ')}` },
      clients: { value: 'N', help: 'a third WebSockets, a third events, a third downloads' },
    },
    plans: {
      quick: { ...COMMON, least: 1, rounds: 1, seconds: 1, clients: 15, deploys: 1, every: 1500 },
      default: { ...COMMON, least: 1, rounds: 1, seconds: 1, clients: 1000, deploys: 12, every: 5000 },
      full: { ...COMMON, least: 3, rounds: 5, seconds: 3600, clients: 1000, deploys: 24, every: 5000 },
    },
  },
  async run => {
    const asked = run.values.of === undefined ? ROW_NAMES : names('of', run.values.of, ROW_NAMES)
    const clients =
      run.values.clients === undefined ? run.plan.clients : whole('clients', run.values.clients, 3, 5000)
    const effort = { ...run.plan, clients }
    const skipped = asked.flatMap(name => {
      const reason = refusalOf(name)
      return reason === undefined ? [] : [{ name: 'reload', labels: { of: name }, reason }]
    })
    const cells = asked.filter(name => refusalOf(name) === undefined).map(name => new Cell(name))
    const identity = await makeIdentity(HOST)
    await run.rounds(
      async () => {
        for (const cell of cells) {
          run.progress.say(ROWS[cell.name].title)
          const contender = await start(cell.name, identity)
          try {
            cell.deployed(await deployed(contender, identity, effort))
            if (ROWS[cell.name].server) cell.slept(await slept(contender, identity, Math.ceil(clients / 3)))
          } finally {
            await contender.stop()
          }
        }
      },
      () => cells.map(cell => cell.pauses.medians),
    )
    return findings(cells, skipped, effort)
  },
)
