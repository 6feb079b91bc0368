import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import type { Skipped } from '../harness/measurement.ts'
import { BenchError, type Plan, type Run, runBench } from '../harness/run.ts'
import { makeIdentity } from '../rig/identity.ts'
import { usableCpus } from '../rig/placement.ts'
import { load, versionOf } from './load.ts'
import { pageOf } from './page.ts'
import { format, goalsOf, type HttpDetails, httpRows, type Measured, measurementsOf } from './result.ts'
import { ROWS, type Row, SERVER_NAME, TOOLS, toolOf } from './rows.ts'
import { Servers } from './servers.ts'

/** What a run consists of. */
interface HttpPlan extends Plan {
  /** Seconds for which each server is loaded in a round; `wrk` knows whole ones alone. */
  readonly load: { readonly wrk: number; readonly h2load: number }
}

const OPTIONS = {
  page: { value: 'FILE', help: 'write the result as a page, such as bench/results/http.md' },
  handler: { value: 'FILE', help: 'measure this raw function instead; it must give 200 times "."' },
}

type HttpRun = Run<HttpPlan, typeof OPTIONS>

const COMMON = { warmUp: 1, least: 6, precision: 0.01, load: { wrk: 1, h2load: 0.5 } }

/** `npm run bench:http`: how many requests a second does one core answer, beside node:http and node:http2? */
await runBench(
  {
    name: 'http',
    question:
      'How many requests a second does one core answer, on the road of the platform and by its HTTP engine ' +
      'alone, beside node:http and node:http2? It needs wrk and h2load (Debian packages wrk and ' +
      'nghttp2-client).',
    options: OPTIONS,
    plans: {
      quick: { ...COMMON, warmUp: 0, least: 1, rounds: 1, seconds: 1, total: 16 },
      default: { ...COMMON, rounds: 60, seconds: 80 },
      full: {
        ...COMMON,
        least: 20,
        rounds: 500,
        seconds: 7200,
        precision: 0.003,
        load: { wrk: 10, h2load: 10 },
      },
    },
  },
  async run => {
    const tools = new Map(TOOLS.map(tool => [tool, versionOf(tool)]))
    const missing = ({ protocol }: Row): boolean => tools.get(toolOf(protocol)) === undefined
    const rows = ROWS.filter(row => !missing(row))
    if (rows.length === 0) throw new BenchError('this bench needs wrk or h2load')
    const measured = await measure(run, rows)
    const skipped = [
      ...ROWS.filter(missing).map(row => skippedRow(row, `${toolOf(row.protocol)} is missing`)),
      ...measured.filter(({ rates }) => rates.length === 0).map(row => skippedRow(row, 'no time was left')),
    ]
    const evp = probeEvp()
    const details: HttpDetails = {
      tools: [...tools.values()].filter(version => version !== undefined),
      ...(evp.available ? {} : { evpMissing: evp.reason }),
      rows: httpRows(measured),
    }
    return {
      measurements: measurementsOf(measured),
      skipped,
      goals: goalsOf(details.rows),
      details,
      print: format,
      ...(run.values.page === undefined ? {} : { page: { file: run.values.page, text: pageOf } }),
    }
  },
)

function skippedRow({ protocol, server }: Row, reason: string): Skipped {
  return { name: 'http.rate', labels: { protocol, server }, reason }
}

/** All servers are up at the same time and take turns. */
async function measure(run: HttpRun, rows: readonly Row[]): Promise<Measured[]> {
  const [cpu, other = cpu] = usableCpus()
  const identity = await makeIdentity(SERVER_NAME)
  const measured = rows.map((row): Measured => ({ ...row, rates: [], cpu: [] }))
  const servers = await Servers.start(rows, { identity, cpu, handler: run.values.handler })
  try {
    await run.rounds(
      async counts => {
        for (const [index, { row, port, cpu: cpuOf }] of servers.all.entries()) {
          if (run.interrupted || run.late) return
          const before = cpuOf()
          const seconds = run.plan.load[toolOf(row.protocol)]
          const done = await load(row.protocol, port, seconds, other).catch((error: unknown) => {
            // Ctrl-C in a terminal comes to them, too.
            if (!run.interrupted) throw error
          })
          if (done === undefined) return
          const after = cpuOf()
          if (!counts) continue
          const { rates, cpu } = measured[index]!
          rates.push(done.requests / done.seconds)
          if (before !== undefined && after !== undefined) cpu.push((after - before) / done.requests)
        }
      },
      () => measured.map(({ rates }) => rates),
    )
    return measured
  } finally {
    await servers.stop()
  }
}
