import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const directory = mkdtempSync(join(tmpdir(), 'hotpotato-benches-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** What each bench leaves besides what all of them do. */
const BENCHES: Readonly<Record<string, readonly string[]>> = {
  record: ['sealing', 'connections'],
  handshake: ['rows'],
  memory: ['rows', 'connections'],
  handover: ['rounds', 'connections', 'microseconds'],
}

/** A minute in all: `npm run test:long` has the time. `bench:migration` has a test of its own. */
describe.skipIf(process.env.HOTPOTATO_LONG !== '1')('every bench (npm run test:long)', () => {
  it.each(Object.entries(BENCHES))(
    '%s runs in --quick and says where and what it measured',
    async (name, fields) => {
      const script = fileURLToPath(new URL(`../../dist/bench/${name}.js`, import.meta.url))
      const { stdout } = await run(process.execPath, [script, '--quick', '--output', directory])
      expect(stdout).toContain('kept in')
      const file = readdirSync(directory).find(one => one.startsWith(`${name}-`))!
      const result = JSON.parse(readFileSync(join(directory, file), 'utf8')) as Record<string, unknown>
      expect(result).toMatchObject({ bench: name, format: 1, quick: true })
      for (const field of ['date', 'machine', 'versions', 'load', 'goals', ...fields])
        expect(result, field).toHaveProperty(field)
      expect((result.goals as { reached?: number }[]).every(({ reached }) => (reached ?? 0) > 0)).toBe(true)
    },
  )
})
