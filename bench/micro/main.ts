import { parseArgs } from 'node:util'
import { letReadersGo } from '../harness/output.ts'

/** In the order in which they run. */
const QUESTIONS = [
  'records',
  'key-schedule',
  'key-updates',
  'codec',
  'envelope',
  'checkpoint',
  'leg',
  'http',
  'fetch',
  'timer',
]

const USAGE = `usage: npm run bench -- [--quick] [--output DIR] [${QUESTIONS.join('] [')}]

Functions inside one process: all of these questions, or those that are named. With --quick hundredths of a
second for each case: does it work? Results go to bench/results by default.`

/** `npm run bench`: every micro-benchmark, one after the other. */
async function main(): Promise<void> {
  const { values, positionals } = read()
  const unknown = positionals.filter(name => !QUESTIONS.includes(name))
  if (unknown.length > 0)
    throw new TypeError(`no such bench: ${unknown.join(', ')}; there are ${QUESTIONS.join(', ')}`)
  if (values.help) {
    process.stdout.write(`${USAGE}\n`)
    return
  }
  // What each of them reads when it is loaded.
  if (values.quick) process.env.HOTPOTATO_BENCH_SECONDS = '0.01'
  if (values.output !== undefined) process.env.HOTPOTATO_BENCH_OUTPUT = values.output
  for (const name of positionals.length > 0 ? positionals : QUESTIONS) await import(`./${name}.js`)
}

function read() {
  return parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      output: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
}

letReadersGo()
await main().catch((error: unknown) => {
  if (!(error instanceof TypeError)) throw error
  console.error(`${error.message}\n\n${USAGE}`)
  process.exitCode = 2
})
