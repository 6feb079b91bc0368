import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { letReadersGo } from '../harness/output.ts'
import { readResult } from '../harness/result-file.ts'
import { RESULTS } from '../harness/results.ts'
import { figuresIn, saveFigure } from './figures.ts'
import { makeImages } from './images.ts'
import { page } from './page.ts'

const USAGE = `usage: npm run bench:report -- [--output FILE] [--figures DIR] [--images DIR] [RESULT.json…]

Results as one HTML page that needs no network: of the files that are given, or of the newest complete result
of each bench in bench/results, the migration first. It goes to bench/report.html by default. With --images,
its main pictures become PNG files, too (by headless Chromium), for README files. With --figures, every
figure becomes a file of SVG, one of PDF, and one of CSV with what it is drawn from.`

/** Beside the results' directory, whether this file runs as source or compiled. */
const PAGE = fileURLToPath(new URL('report.html', `file://${dirname(RESULTS)}/`))

/** What was asked for, or what is wrong with it. */
function words() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        output: { type: 'string', default: PAGE },
        images: { type: 'string' },
        figures: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    return (error as Error).message
  }
}

/** `npm run bench:report`. */
function main(): void {
  const asked = words()
  if (typeof asked === 'string') {
    process.stderr.write(`${asked}\n\n${USAGE}\n`)
    process.exitCode = 2
    return
  }
  const { values, positionals } = asked
  if (values.help) {
    process.stdout.write(`${USAGE}\n`)
    return
  }
  try {
    const files = positionals.length > 0 ? positionals : newest()
    if (files.length === 0)
      throw new Error(`no results in ${relative(process.cwd(), RESULTS)}: npm run bench:migration makes one`)
    const results = files.map(file => ({ file: basename(file), result: readResult(file) }))
    mkdirSync(dirname(values.output), { recursive: true })
    writeFileSync(values.output, page(results))
    const drawn = values.images === undefined ? [] : makeImages(values.output, values.images)
    const { figures } = values
    const saved =
      figures === undefined
        ? []
        : results.flatMap(({ result }) => figuresIn(result).flatMap(one => saveFigure(one, result, figures)))
    if (saved.length > 0) process.stdout.write(`${saved.length} files in ${values.figures}\n`)
    const made = [values.output, ...drawn].map(one => relative(process.cwd(), one))
    process.stdout.write(`${made.join(', ')}: of ${results.map(({ file }) => file).join(', ')}\n`)
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 1
  }
}

/** The newest result of each bench of this format. */
function newest(): string[] {
  const found = new Map<string, string>()
  for (const name of readdirSync(RESULTS).sort()) {
    const bench = /^(.+)-\d{4}-\d\d-\d\dT[\d-]+Z\.json$/.exec(name)?.[1]
    const file = join(RESULTS, name)
    if (bench !== undefined && isResult(file)) found.set(bench, file)
  }
  return [...found].sort(([one], [other]) => rank(one) - rank(other)).map(([, file]) => file)
}

function rank(bench: string): number {
  return bench === 'migration' ? 0 : bench.startsWith('micro-') ? 2 : 1
}

function isResult(file: string): boolean {
  try {
    readResult(file)
    return true
  } catch {
    return false // of an older format
  }
}

letReadersGo()
main()
