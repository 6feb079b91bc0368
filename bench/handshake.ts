import { parseArgs } from 'node:util'
import { probeEvp } from '../src/tls13/crypto/evp.ts'
import { format, goalsOf, type HandshakeResult, handshakeRows } from './handshake/result.ts'
import { Row } from './handshake/row.ts'
import { SERVER_NAME, SIDES, STACKS } from './handshake/rows.ts'
import { environment, watchLoad } from './lib/environment.ts'
import { makeIdentity } from './lib/identity.ts'
import { type Placement, usableCpus } from './lib/placement.ts'
import { Progress } from './lib/progress.ts'
import { saveResult } from './lib/results.ts'

/** Some thousand handshakes go by until the engine has compiled what they run. */
const THOROUGH = { rounds: 7, warmUp: 7, count: 500 }
const QUICK = { rounds: 3, warmUp: 1, count: 40 }

const USAGE = `usage: npm run bench:handshake -- [options]

  --quick        few samples: does it work, and roughly how fast
  --rounds N     how many rounds
  --output DIR   where the JSON goes; bench/results unless told`

/** `npm run bench:handshake`: how many handshakes a second, full and resumed, as a server and as a client, beside node:tls? */
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
  const cpus = usableCpus()
  const progress = new Progress()
  const date = new Date()
  const load = watchLoad()
  const rows = await measure({ ...plan, rounds }, cpus, progress)
  progress.done()
  const evp = probeEvp()
  const results = handshakeRows(rows)
  const result: HandshakeResult = {
    bench: 'handshake',
    format: 1,
    date: date.toISOString(),
    quick: values.quick,
    seconds: Math.round((Date.now() - date.getTime()) / 1000),
    ...environment(),
    ...(evp.available ? {} : { evpMissing: evp.reason }),
    load: load(),
    rows: results,
    goals: goalsOf(results),
  }
  process.stdout.write(
    `${format(result)}\n\nkept in ${saveResult('handshake', date, result, values.output)}\n`,
  )
}

/** All are up at the same time and take turns. */
async function measure(
  plan: typeof THOROUGH,
  [cpu, other]: ReturnType<typeof usableCpus>,
  progress: Progress,
): Promise<Row[]> {
  const identity = await makeIdentity(SERVER_NAME)
  const stacks = STACKS.filter(stack => stack !== 'evp' || probeEvp().available)
  const placements: readonly Placement[] = other === undefined ? ['one core'] : ['one core', 'two cores']
  const rows = placements.flatMap(placement =>
    SIDES.flatMap(side => stacks.map(stack => new Row(stack, side, placement))),
  )
  try {
    for (const row of rows) await row.start(identity, [cpu, row.placement === 'one core' ? cpu : other!])
    for (let round = -plan.warmUp; round < plan.rounds; round++) {
      progress.say(round < 0 ? 'warming up' : `round ${round + 1} of ${plan.rounds}`, round >= 0)
      for (const row of rows) await row.round(plan.count, round >= 0)
    }
  } finally {
    for (const row of rows) row.stop()
  }
  return rows
}

await main()
