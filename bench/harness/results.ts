import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The directory in which results are kept: `bench/results` of the checkout, whether this file runs as source
 * or compiled.
 */
export const RESULTS: string = fileURLToPath(
  new URL(
    import.meta.url.includes('/dist/bench/') ? '../../../bench/results' : '../results',
    import.meta.url,
  ),
)

/**
 * Writes results as JSON, into a file of its own.
 * @param name what was measured: the file is `NAME-2026-01-31T12-00-00Z.json`
 * @returns the file's path, relative to the working directory
 */
export function saveResult(name: string, date: Date, result: object, directory = RESULTS): string {
  const stamp = date
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(':', '-')
  mkdirSync(directory, { recursive: true })
  const file = join(directory, `${name}-${stamp}.json`)
  writeFileSync(file, `${JSON.stringify(result, undefined, 1)}\n`)
  return relative(process.cwd(), file)
}
