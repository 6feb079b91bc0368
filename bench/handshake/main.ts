import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { type Plan, type Run, runBench } from '../harness/run.ts'
import { makeIdentity } from '../rig/identity.ts'
import { type Placement, usableCpus } from '../rig/placement.ts'
import { format, goalsOf, type HandshakeDetails, handshakeRows, measurementsOf } from './result.ts'
import { Row } from './row.ts'
import { hasSigner, kindsOf, providerOf, SERVER_NAME, SIDES, STACKS } from './rows.ts'

/** Some thousand handshakes go by until the engine has compiled what they run. */
const COMMON = { warmUp: 7, least: 7, precision: 0.02, count: 500, everyStack: false }

/**
 * `npm run bench:handshake`: how many handshakes a second, full and resumed, as a server and as a client,
 * beside node:tls?
 */
await runBench(
  {
    name: 'handshake',
    question: 'How many handshakes a second, full and resumed, as a server and as a client, beside node:tls?',
    options: {},
    plans: {
      quick: { ...COMMON, warmUp: 1, least: 3, rounds: 3, seconds: 8, count: 40 },
      default: { ...COMMON, rounds: 7, seconds: 60 },
      full: { ...COMMON, rounds: 200, seconds: 7200, precision: 0.002, everyStack: true },
    },
  },
  async run => {
    const rows = await measure(run)
    const evp = probeEvp()
    const handshakes = handshakeRows(rows)
    const details: HandshakeDetails = { ...(evp.available ? {} : { evpMissing: evp.reason }), handshakes }
    return { measurements: measurementsOf(rows), goals: goalsOf(handshakes), details, print: format }
  },
)

/** `everyStack`: over `node` too where there is evp, which takes as long as the others together. */
interface HandshakePlan extends Plan {
  readonly count: number
  readonly everyStack: boolean
}

/** All are up at the same time and take turns. */
async function measure(run: Run<HandshakePlan, Record<string, never>>): Promise<Row[]> {
  const [cpu, other] = usableCpus()
  const identity = await makeIdentity(SERVER_NAME)
  const { available } = probeEvp()
  const stacks = STACKS.filter(
    stack =>
      stack === 'node:tls' ||
      (!(hasSigner(stack) && !probe().available) &&
        (providerOf(stack) === 'evp' ? available : !available || run.plan.everyStack)),
  )
  const placements: readonly Placement[] = other === undefined ? ['one core'] : ['one core', 'two cores']
  const rows = placements.flatMap(placement =>
    SIDES.flatMap(side =>
      stacks.filter(stack => kindsOf(stack, side).length > 0).map(stack => new Row(stack, side, placement)),
    ),
  )
  try {
    for (const row of rows) await row.start(identity, [cpu, row.placement === 'one core' ? cpu : other!])
    await run.rounds(
      async counts => {
        for (const row of rows) {
          if (run.interrupted) return
          await row.round(run.plan.count, counts)
        }
      },
      () => rows.flatMap(({ measured, stack, side }) => kindsOf(stack, side).map(kind => measured[kind].cpu)),
    )
  } finally {
    for (const row of rows) row.stop()
  }
  return rows
}
