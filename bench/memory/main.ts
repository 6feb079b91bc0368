import { fileURLToPath } from 'node:url'
import { whole } from '../harness/options.ts'
import { runBench } from '../harness/run.ts'
import { Child } from '../rig/child.ts'
import { type Identity, makeIdentity } from '../rig/identity.ts'
import { usableCpus } from '../rig/placement.ts'
import { format, goalsOf, type MemoryDetails, measurementsOf, memoryRows, type Sample } from './result.ts'
import { type Memory, type Order, type Report, type Role, SERVER_NAME, STACKS, type Stack } from './rows.ts'

const SCRIPT = fileURLToPath(new URL('./peer.js', import.meta.url))
/**
 * Connections before the first look: what handshakes leave behind until it is collected takes some megabytes,
 * once, however many connections there are. What is counted is what the connections after them add.
 */
const BEFORE = 1500
const COMMON = { warmUp: 0, least: 5, precision: 0.02, connections: 4000, stacks: STACKS as readonly Stack[] }

const QUICK_STACKS: readonly Stack[] = ['raw stream', 'node:tls']

/** `npm run bench:memory`: what memory does an idle connection cost, beside node:tls? */
await runBench(
  {
    name: 'memory',
    question: 'What memory does an idle connection cost, beside node:tls?',
    options: { connections: { value: 'N', help: 'how many at a time' } },
    plans: {
      quick: { ...COMMON, least: 1, rounds: 1, seconds: 10, connections: 1000, stacks: QUICK_STACKS },
      default: { ...COMMON, rounds: 5, seconds: 90 },
      full: { ...COMMON, rounds: 50, seconds: 3600, precision: 0.005, connections: 8000 },
    },
  },
  async run => {
    const connections =
      run.values.connections === undefined
        ? run.plan.connections
        : whole('connections', run.values.connections, 1, 15_000)
    const cpus = usableCpus()
    const identity = await makeIdentity(SERVER_NAME)
    const samples = new Map<Stack, Sample[]>(run.plan.stacks.map(stack => [stack, []]))
    await run.rounds(async () => {
      for (const stack of run.plan.stacks) {
        if (run.interrupted) return
        const sample = await measure(stack, identity, cpus, [BEFORE, connections])
        samples.get(stack)!.push(sample)
      }
    })
    const servers = memoryRows(samples)
    return {
      parameters: { connections },
      measurements: measurementsOf(samples),
      skipped: STACKS.filter(stack => !samples.has(stack)).map(stack => ({
        name: 'memory.resident',
        labels: { stack },
        reason: 'left out in --quick: filling a server takes seconds',
      })),
      goals: goalsOf(servers),
      details: { connections, servers } satisfies MemoryDetails,
      print: format,
    }
  },
)

/** A server of its own, looked at with so many connections, and with so many more. */
async function measure(
  stack: Stack,
  { certificate, key, authority }: Identity,
  [cpu, other = cpu]: ReturnType<typeof usableCpus>,
  [first, more]: readonly [number, number],
): Promise<Sample> {
  const child = (role: Role, on: number, flags: readonly string[] = []) =>
    new Child<Order, Report>(SCRIPT, role, on, flags)
  const server = child({ role: 'server', stack, certificate, key }, cpu, ['--expose-gc'])
  const port = await server.listening()
  const client = child({ role: 'client', port, authority }, other)
  try {
    await client.listening()
    await client.ask({ do: 'open', count: first })
    const before = await memoryOf(server, first)
    await client.ask({ do: 'open', count: more })
    return { before, after: await memoryOf(server, first + more) }
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
