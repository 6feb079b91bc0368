import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  scripts: Record<string, string>
}

/** The parts of `npm run test:long`, by something that only their command lines have. */
const PARTS = ['--exclude', 'test/floods', 'test:chaos']

describe('npm run test:long', () => {
  let directory: string

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hotpotato-scripts-'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  /**
   * Runs the line of the script, with programs that only note that they were run. @param failing ends with 1
   */
  function run(failing: string): { readonly code: number | null; readonly ran: string[] } {
    const notes = join(directory, 'ran')
    const program = `#!/bin/sh\necho "$@" >> '${notes}'\ncase "$*" in *${failing}*) exit 1; esac\n`
    for (const name of ['vitest', 'npm']) {
      writeFileSync(join(directory, name), program)
      chmodSync(join(directory, name), 0o755)
    }
    const env = { PATH: `${directory}:${process.env.PATH}` }
    const { status } = spawnSync('sh', ['-c', scripts['test:long']!], { env })
    const lines = existsSync(notes) ? readFileSync(notes, 'utf8').split('\n') : []
    return { code: status, ran: PARTS.filter(part => lines.some(line => line.includes(part))) }
  }

  it.each(PARTS)('runs all parts, and fails if %s does', part => {
    expect(run(part)).toEqual({ code: 1, ran: PARTS })
  })

  it('is good if all of them are', () => {
    expect(run('nothing')).toEqual({ code: 0, ran: PARTS })
  })

  it('ends where it cannot be built', () => {
    expect(run('build')).toEqual({ code: 1, ran: [] })
  })
})
