import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Child } from './lib/child.ts'
import { environment, watchLoad } from './lib/environment.ts'
import { type Identity, makeIdentity } from './lib/identity.ts'
import { usableCpus } from './lib/placement.ts'
import { Progress } from './lib/progress.ts'
import { saveResult } from './lib/results.ts'
import { format, goalsOf, type MemoryResult, memoryRows, type Sample } from './memory/result.ts'
import {
  type Memory,
  type Order,
  type Report,
  type Role,
  SERVER_NAME,
  STACKS,
  type Stack,
} from './memory/rows.ts'

const SCRIPT = fileURLToPath(new URL('./memory/peer.js', import.meta.url))
/**
 * Connections before the first look: what handshakes leave behind until it is collected takes some megabytes, once, however many
 * connections there are. What is counted is what the connections after them add.
 */
const BEFORE = 1500
const THOROUGH = { rounds: 5, connections: 4000 }
const QUICK = { rounds: 1, connections: 1500 }

const USAGE = `usage: npm run bench:memory -- [options]

  --quick          few connections: does it work, and roughly how much
  --rounds N       how many rounds
  --connections N  how many at a time
  --output DIR     where the JSON goes; bench/results unless told`

/** `npm run bench:memory`: what memory does an idle connection cost, beside node:tls? */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      connections: { type: 'string' },
      output: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const plan = values.quick ? QUICK : THOROUGH
  const [rounds, connections] = [values.rounds ?? plan.rounds, values.connections ?? plan.connections].map(
    Number,
  )
  if (values.help || !isCount(rounds) || !isCount(connections)) {
    process.stdout.write(`${USAGE}\n`)
    process.exitCode = values.help ? 0 : 2
    return
  }
  const cpus = usableCpus()
  const progress = new Progress()
  const date = new Date()
  const load = watchLoad()
  const identity = await makeIdentity(SERVER_NAME)
  const samples = new Map<Stack, Sample[]>(STACKS.map(stack => [stack, []]))
  for (let round = 0; round < rounds; round++) {
    for (const stack of STACKS) {
      progress.say(`round ${round + 1} of ${rounds}: ${stack}`, true)
      samples.get(stack)!.push(await measure(stack, identity, cpus, connections))
    }
  }
  progress.done()
  const rows = memoryRows(samples)
  const result: MemoryResult = {
    bench: 'memory',
    format: 1,
    date: date.toISOString(),
    quick: values.quick,
    seconds: Math.round((Date.now() - date.getTime()) / 1000),
    ...environment(),
    load: load(),
    connections,
    rows,
    goals: goalsOf(rows),
  }
  process.stdout.write(`${format(result)}\n\nkept in ${saveResult('memory', date, result, values.output)}\n`)
}

function isCount(number: number | undefined): number is number {
  return number !== undefined && Number.isInteger(number) && number >= 1
}

/** A server of its own, looked at before and after it was filled. */
async function measure(
  stack: Stack,
  { certificate, key, authority }: Identity,
  [cpu, other = cpu]: ReturnType<typeof usableCpus>,
  connections: number,
): Promise<Sample> {
  const child = (role: Role, on: number, flags: readonly string[] = []) =>
    new Child<Order, Report>(SCRIPT, role, on, flags)
  const server = child({ role: 'server', stack, certificate, key }, cpu, ['--expose-gc'])
  const port = await server.listening()
  const client = child({ role: 'client', port, authority }, other)
  try {
    await client.listening()
    await client.ask({ do: 'open', count: BEFORE })
    const before = await memoryOf(server, BEFORE)
    await client.ask({ do: 'open', count: connections })
    return { before, after: await memoryOf(server, BEFORE + connections) }
  } finally {
    client.stop()
    server.stop()
  }
}

async function memoryOf(server: Child<Order, Report>, expected: number): Promise<Memory> {
  const report = await server.ask({ do: 'memory' })
  if (report.say !== 'memory' || !('heap' in report)) throw new Error('the server does not know its memory')
  if (report.connections !== expected)
    throw new Error(`the server has ${report.connections} connections, not ${expected}`)
  return report
}

await main()
