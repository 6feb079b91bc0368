import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { probeEvp } from '../src/tls13/crypto/evp.ts'
import { load } from './http/load.ts'
import { format, goalsOf, type HttpResult, httpRows, type Measured } from './http/result.ts'
import { ROWS, type Role, SERVER_NAME } from './http/rows.ts'
import { Child } from './lib/child.ts'
import { environment, watchLoad } from './lib/environment.ts'
import { makeIdentity } from './lib/identity.ts'
import { usableCpus } from './lib/placement.ts'
import { Progress } from './lib/progress.ts'
import { saveResult } from './lib/results.ts'

const THOROUGH = { rounds: 7, warmUp: 1, seconds: 4 }
const QUICK = { rounds: 1, warmUp: 1, seconds: 1 }

const SCRIPT = fileURLToPath(new URL('./http/peer.js', import.meta.url))

const USAGE = `usage: npm run bench:http -- [options]

  --quick        few samples: does it work, and roughly how fast
  --rounds N     how many rounds
  --output DIR   where the JSON goes; bench/results unless told

It needs wrk and h2load (Debian packages wrk and nghttp2-client).`

/** `npm run bench:http`: how many requests a second does one core answer, beside node:http and node:http2? */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      output: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const plan = values.quick ? QUICK : THOROUGH
  const rounds = values.rounds === undefined ? plan.rounds : Number(values.rounds)
  if (values.help || !Number.isInteger(rounds) || rounds < 1) {
    process.stdout.write(`${USAGE}\n`)
    process.exitCode = values.help ? 0 : 2
    return
  }
  const tools = ['wrk', 'h2load'].map(versionOf)
  const progress = new Progress()
  const date = new Date()
  const watched = watchLoad()
  const { measured, observed } = await measure({ ...plan, rounds }, progress, watched)
  progress.done()
  const evp = probeEvp()
  const rows = httpRows(measured)
  const result: HttpResult = {
    bench: 'http',
    format: 1,
    date: date.toISOString(),
    quick: values.quick,
    seconds: Math.round((Date.now() - date.getTime()) / 1000),
    ...environment(),
    tools,
    ...(evp.available ? {} : { evpMissing: evp.reason }),
    load: observed,
    rows,
    goals: goalsOf(rows),
  }
  process.stdout.write(`${format(result)}\n\nkept in ${saveResult('http', date, result, values.output)}\n`)
}

/** All servers are up at the same time and take turns. */
async function measure(
  { rounds, warmUp, seconds }: typeof THOROUGH,
  progress: Progress,
  watched: ReturnType<typeof watchLoad>,
): Promise<{ measured: Measured[]; observed: HttpResult['load'] }> {
  const [cpu, other = cpu] = usableCpus()
  const { certificate, key } = await makeIdentity(SERVER_NAME)
  const servers: { child: Child<never, never>; port: number }[] = []
  const measured = ROWS.map(row => ({ ...row, rates: [] as number[], cpu: [] as number[] }))
  try {
    for (const row of ROWS) {
      const role: Role = { ...row, certificate, key }
      const child = new Child<never, never>(SCRIPT, role, cpu)
      servers.push({ child, port: await child.listening() })
    }
    for (let round = -warmUp; round < rounds; round++) {
      progress.say(round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`, round >= 0)
      for (const [index, { child, port }] of servers.entries()) {
        const row = measured[index]!
        const before = await child.cpu()
        const { requests, seconds: took } = await load(row.protocol, port, seconds, other)
        const after = await child.cpu()
        if (round < 0) continue
        row.rates.push(requests / took)
        row.cpu.push((after - before) / requests)
      }
    }
    return { measured, observed: watched() }
  } finally {
    for (const { child } of servers) child.stop()
  }
}

/** @throws Error if it is not there */
function versionOf(program: string): string {
  try {
    const said = execFileSync('sh', ['-c', `${program} --version 2>&1 || true`], { encoding: 'utf8' })
    const [, version] = /(?:wrk|nghttp2\/)\s*([\w.]+)/.exec(said) ?? []
    if (version !== undefined) return `${program} ${version}`
  } catch {
    // Told below.
  }
  throw new Error(`this bench needs ${program}`)
}

await main()
