import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import type { Skipped } from '../harness/measurement.ts'
import { OptionError } from '../harness/options.ts'
import { BenchError, type Plan, type Run, runBench } from '../harness/run.ts'
import { makeIdentity } from '../rig/identity.ts'
import { usableCpus } from '../rig/placement.ts'
import { load, versionOf } from './load.ts'
import { pageOf } from './page.ts'
import { format, goalsOf, type HttpDetails, httpRows, type Measured, measurementsOf } from './result.ts'
import {
  isAskedAlone,
  nodeOf,
  packagesOf,
  ROWS,
  type Row,
  rivalOf,
  SERVER_NAME,
  TOOLS,
  type Tool,
  toolOf,
} from './rows.ts'
import { Servers } from './servers.ts'

/** What a run consists of. */
interface HttpPlan extends Plan {
  /** Seconds for which each server is loaded in a round. */
  readonly load: Readonly<Record<Tool, number>>
}

const OPTIONS = {
  page: { value: 'FILE', place: 'file', help: 'write the result as a page, such as bench/results/http.md' },
  only: { value: 'TEXT', help: "measure what has this in the name of its row, beside Node's server" },
  handler: {
    value: 'FILE',
    place: 'module',
    help: 'measure this raw function instead; it must give 200 times "."',
  },
} as const

type HttpRun = Run<HttpPlan, typeof OPTIONS>

/** How much longer than in a round each server is loaded before: its code has to be compiled by then. */
const WARM = 4

const COMMON = { warmUp: 1, least: 3, precision: 0.01, load: { wrk: 0.5, h2load: 0.3 } }

/** `npm run bench:http`: how many requests a second does one core answer, beside node:http and node:http2? */
await runBench(
  {
    name: 'http',
    question:
      'How many requests a second does one core answer, on the road of the platform and by its HTTP engine ' +
      'alone, beside node:http and node:http2, with functions and with applications? It needs wrk and ' +
      'h2load (Debian packages wrk and nghttp2-client).',
    options: OPTIONS,
    plans: {
      quick: {
        ...COMMON,
        warmUp: 0,
        least: 1,
        rounds: 1,
        seconds: 1,
        total: 16,
        load: { wrk: 0.2, h2load: 0.2 },
      },
      default: { ...COMMON, rounds: 60, seconds: 64, total: 112 },
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
    const missing = (row: Row): string | undefined => missingOf(row, tools)
    const asked = rowsOf(run.values.only)
    const rows = asked.filter(row => missing(row) === undefined)
    if (asked.length === 0) throw new OptionError(`--only: no row has ${run.values.only} in its name`)
    if (rows.length === 0) throw new BenchError('this bench needs wrk or h2load')
    const measured = await measure(run, rows)
    const skipped = [
      ...asked.flatMap(row => {
        const reason = missing(row)
        return reason === undefined ? [] : [skippedRow(row, reason)]
      }),
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

/** The rows to measure, and those that they are compared with. @param text in `PROTOCOL, SERVER` */
function rowsOf(text = ''): readonly Row[] {
  const asked = ROWS.filter(({ protocol, server }) => `${protocol}, ${server}`.includes(text))
  return ROWS.filter(
    row =>
      asked.includes(row) ||
      asked.some(
        one => one.protocol === row.protocol && [nodeOf(one.protocol), rivalOf(one)].includes(row.server),
      ),
  )
}

/** What is missing for a row, and how to get it; undefined if all is there. */
function missingOf(row: Row, tools: ReadonlyMap<string, string | undefined>): string | undefined {
  const tool = toolOf(row.protocol)
  if (tools.get(tool) === undefined) return `${tool} is missing`
  const name = packagesOf(row).find(one => !isHere(one))
  return name && `${name} is missing: npm install --no-save ${name}`
}

function isHere(name: string): boolean {
  try {
    return import.meta.resolve(name) !== ''
  } catch {
    return false
  }
}

function skippedRow({ protocol, server }: Row, reason: string): Skipped {
  return { name: 'http.rate', labels: { protocol, server }, reason }
}

/** All servers are up at the same time and take turns. */
async function measure(run: HttpRun, rows: readonly Row[]): Promise<Measured[]> {
  const [cpu, other = cpu] = usableCpus()
  const identity = await makeIdentity(SERVER_NAME)
  const measured = rows.map((row): Measured => ({ ...row, rates: [], cpu: [], alone: [] }))
  const servers = await Servers.start(rows, { identity, cpu, handler: run.values.handler })
  try {
    await run.rounds(
      async counts => {
        for (const [index, { row, port, cpu: cpuOf }] of servers.all.entries()) {
          if (run.interrupted || run.late) return
          const seconds = run.plan.load[toolOf(row.protocol)] * (counts ? 1 : WARM)
          const ask = (alone: boolean) =>
            load(row.protocol, port, seconds, other, alone).catch((error: unknown) => {
              // Ctrl-C in a terminal comes to them, too.
              if (!run.interrupted) throw error
            })
          const before = cpuOf()
          const done = await ask(false)
          if (done === undefined) return
          const after = cpuOf()
          const one = isAskedAlone(row) ? await ask(true) : undefined
          if (!counts) continue
          const { rates, cpu, alone } = measured[index]!
          if (one !== undefined) alone.push((1e6 * one.seconds) / one.requests)
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
