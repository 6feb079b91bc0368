import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { OptionError } from '../harness/option-error.ts'
import { letReadersGo } from '../harness/output.ts'
import { placeOf } from '../harness/places.ts'
import { readResult } from '../harness/result-file.ts'
import { RESULTS } from '../harness/results.ts'
import { figuresIn, saveFigure } from '../report/figures.ts'
import { ONLY_FOR } from '../report/migration-figures.ts'
import { NAMES } from '../report/names.ts'

const USAGE = `usage: npm run bench:figure -- NAME [--quick | --full] [--output DIR] [OPTIONS OF THE BENCH]

Measures what one figure shows, and draws it: NAME.svg, NAME.pdf and NAME.csv, by default in bench/figures.
A name begins with that of its bench:
${Object.values(NAMES)
  .map(names => `  ${names.join(', ')}`)
  .join('\n')}
npm run bench:report -- --figures DIR draws all figures of results that are there.`

const FIGURES = join(dirname(RESULTS), 'figures')

/** `npm run bench:figure`: one command from nothing to a figure. */
function main(): void {
  const { positionals, values, tokens } = parseArgs({
    allowPositionals: true,
    strict: false,
    tokens: true,
    options: { output: { type: 'string' }, help: { type: 'boolean' } },
  })
  const [name] = positionals
  if (values.help === true || name === undefined) {
    process.stdout.write(`${USAGE}\n`)
    process.exitCode = values.help === true ? 0 : 2
    return
  }
  const bench = Object.keys(NAMES).find(one => NAMES[one]!.includes(name))
  if (bench === undefined) {
    process.stderr.write(`no bench has a figure ${name}\n\n${USAGE}\n`)
    process.exitCode = 2
    return
  }
  const scratch = mkdtempSync(join(tmpdir(), 'hotpotato-figure-'))
  try {
    const directory = typeof values.output === 'string' ? placeOf('folder', 'output', values.output) : FIGURES
    const only = ONLY_FOR[name]
    const words = [...(only === undefined ? [] : ['--only', only]), ...forBench(name, tokens)]
    const script = fileURLToPath(new URL(`../${bench}/main.js`, import.meta.url))
    const ran = spawnSync(process.execPath, [script, '--output', scratch, ...words], {
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    if (ran.status !== 0) throw new Error(`bench:${bench} ended (${ran.signal ?? ran.status})`)
    const result = readResult(join(scratch, readdirSync(scratch)[0]!))
    const figure = figuresIn(result).find(one => one.name === name)
    if (figure === undefined)
      throw new Error(
        `too little was measured to draw ${name}: the lines above say what was skipped, and why`,
      )
    const files = saveFigure(figure, result, directory)
    process.stdout.write(`\ndrawn: ${files.map(file => relative(process.cwd(), file)).join(', ')}\n`)
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = error instanceof OptionError ? 2 : 1
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** What is said besides the name and where the figure goes: the bench's own options, as they were given. */
function forBench(
  name: string,
  tokens: readonly { readonly kind: string; readonly index: number; readonly value?: unknown }[],
): string[] {
  const words = process.argv.slice(2)
  const output = tokens.find(token => 'name' in token && token.name === 'output')
  const skipped = new Set<number>()
  if (output !== undefined) {
    skipped.add(output.index)
    if (!words[output.index]!.includes('=')) skipped.add(output.index + 1)
  }
  skipped.add(words.indexOf(name))
  return words.filter((_, index) => !skipped.has(index))
}

letReadersGo()
main()
