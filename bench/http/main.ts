import { fileURLToPath } from 'node:url'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import type { Skipped } from '../harness/measurement.ts'
import { BenchError, type Plan, type Run, runBench } from '../harness/run.ts'
import { Child } from '../rig/child.ts'
import { makeIdentity } from '../rig/identity.ts'
import { usableCpus } from '../rig/placement.ts'
import { check } from './check.ts'
import { load, versionOf } from './load.ts'
import { format, goalsOf, type HttpDetails, httpRows, type Measured, measurementsOf } from './result.ts'
import { ROWS, type Role, SERVER_NAME, TOOLS, toolOf } from './rows.ts'

/** What a run consists of. */
interface HttpPlan extends Plan {
  /** For which each server is loaded in a round. */
  readonly load: number
}

type HttpRun = Run<HttpPlan, Record<string, never>>

const SCRIPT = fileURLToPath(new URL('./peer.js', import.meta.url))
const COMMON = { warmUp: 1, least: 6, precision: 0.01, load: 1 }

/** `npm run bench:http`: how many requests a second does one core answer, beside node:http and node:http2? */
await runBench(
  {
    name: 'http',
    question:
      'How many requests a second does one core answer, beside node:http and node:http2? ' +
      'It needs wrk and h2load (Debian packages wrk and nghttp2-client).',
    options: {},
    plans: {
      quick: { ...COMMON, warmUp: 0, least: 1, rounds: 1, seconds: 1 },
      default: { ...COMMON, rounds: 60, seconds: 75 },
      full: { ...COMMON, least: 20, rounds: 500, seconds: 7200, precision: 0.003, load: 10 },
    },
  },
  async run => {
    const tools = new Map(TOOLS.map(tool => [tool, versionOf(tool)]))
    const rows = ROWS.filter(({ protocol }) => tools.get(toolOf(protocol)) !== undefined)
    if (rows.length === 0) throw new BenchError('this bench needs wrk or h2load')
    const skipped = ROWS.filter(row => !rows.includes(row)).map(
      ({ protocol, server }): Skipped => ({
        name: 'http.rate',
        labels: { protocol, server },
        reason: `${toolOf(protocol)} is missing`,
      }),
    )
    const measured = await measure(run, rows)
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
    }
  },
)

/** All servers are up at the same time and take turns. */
async function measure(run: HttpRun, rows: typeof ROWS): Promise<Measured[]> {
  const [cpu, other = cpu] = usableCpus()
  const { certificate, key, authority } = await makeIdentity(SERVER_NAME)
  const servers: { readonly child: Child<never, never>; readonly port: number }[] = []
  const measured = rows.map((row): Measured => ({ ...row, rates: [], cpu: [] }))
  try {
    for (const row of rows) {
      const role: Role = { ...row, certificate, key }
      const child = new Child<never, never>(SCRIPT, role, cpu)
      const server = { child, port: 0 }
      servers.push(server)
      server.port = await child.listening()
      await check(row.protocol, server.port, authority)
    }
    await run.rounds(
      async counts => {
        for (const [index, { child, port }] of servers.entries()) {
          if (run.interrupted) return
          const { protocol, rates, cpu } = measured[index]!
          const before = await child.cpu()
          const done = await load(protocol, port, run.plan.load, other).catch((error: unknown) => {
            // Ctrl-C in a terminal comes to them, too.
            if (!run.interrupted) throw error
          })
          if (done === undefined) return
          const { requests, seconds } = done
          const after = await child.cpu()
          if (!counts) continue
          rates.push(requests / seconds)
          cpu.push((after - before) / requests)
        }
      },
      () => measured.map(({ rates }) => rates),
    )
    return measured
  } finally {
    for (const { child } of servers) child.stop()
  }
}
