import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CORE, EVERYTHING, type Outcome, runSuite } from './suites.ts'
import { isGood, type Row, tableOf } from './table.ts'
import { findNode, NODES } from './versions.ts'

const USAGE = `usage: npm run test:nodes [-- [--core] [--others] [VERSION…]]

  runs all tests on ${NODES.join(', ')}, or on the versions that are named, one after the other
  --core     what matters most alone: it takes minutes
  --others   not on the version that runs this`

/** Where binaries and logs are kept, from the root of the repository. */
const CACHE = '.nodes'

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function show({ suite, passed, failed, skipped, seconds, faults }: Outcome): void {
  const counts = passed + failed === 0 ? '' : `${passed} passed, ${failed} failed, ${skipped} skipped, `
  say(`  ${suite}: ${faults.length === 0 ? 'ok' : 'FAILED'}, ${counts}${seconds.toFixed(0)} s`)
  for (const fault of faults.slice(0, 50)) say(`    ${fault}`)
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      core: { type: 'boolean', default: false },
      others: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const asked = positionals.length === 0 ? NODES : positionals.map(Number)
  if (values.help || asked.some(major => !Number.isInteger(major))) {
    say(USAGE)
    process.exitCode = values.help ? 0 : 2
    return
  }
  const own = Number.parseInt(process.versions.node, 10)
  const majors = values.others ? asked.filter(major => major !== own) : asked
  const cache = join(process.cwd(), CACHE)
  mkdirSync(cache, { recursive: true })
  const rows: Row[] = []
  for (const major of majors) {
    const node = await findNode(major, cache)
    const outcomes: Outcome[] = []
    rows.push({ node, outcomes })
    if ('missing' in node) {
      say(`Node ${major}: SKIPPED, ${node.missing}`)
      continue
    }
    say(`Node ${node.version}`)
    const suites = values.core ? CORE : EVERYTHING
    for (const [index, suite] of suites.entries()) {
      const outcome = await runSuite(suite, node.binary, join(cache, `${major}-${index}.log`))
      show(outcome)
      outcomes.push(outcome)
    }
  }
  say(`\n${tableOf(rows)}`)
  if (!isGood(rows)) process.exitCode = 1
}

await main()
