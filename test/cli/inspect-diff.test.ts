import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { RECORDING_FORMAT, RECORDING_VERSION } from '../../src/trace/recording.ts'
import { FORMAT_VERSION } from '../../src/transfer/envelope.ts'

/* `hotpotato inspect` with recordings, and --diff, on files that are not as they should be. */

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))
const VECTORS = new URL(`../../vectors/transfer/envelope-v${FORMAT_VERSION}.json`, import.meta.url)
const { vectors } = JSON.parse(readFileSync(VECTORS, 'utf8')) as { vectors: { bytes: string }[] }
const envelope = vectors[0]!.bytes

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-inspect-diff-'))
afterAll(() => rmSync(directory, { recursive: true }))

function file(name: string, content: string): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

/** A recording with one connection. */
function recording(name: string, connection: object): string {
  const one = { title: 'a client', side: 'server', leftOut: 0, keyLog: [], events: [], states: [] }
  const whole = { format: RECORDING_FORMAT, version: RECORDING_VERSION, title: 'x' }
  return file(name, JSON.stringify({ ...whole, connections: [{ ...one, ...connection }] }))
}

const state = (when: string, bytes: string) => ({ at: 1, when, bytes, fields: [] })

function inspect(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'inspect', ...args], {
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

it('says that a recording has no state, and fails', () => {
  const empty = recording('empty.json', {})
  expect(inspect(empty)).toEqual({
    status: 1,
    stdout: '',
    stderr: `${empty} has no state\n`,
  })
  expect(inspect(file('whole.hex', envelope), '--diff', empty)).toMatchObject({
    status: 1,
    stderr: `${empty} has no state\n`,
  })
})

it('lets no name in a recording look like a line of the dump', () => {
  const path = recording('forged.json', { states: [state('then\nno fault found', '00')] })
  const { stdout } = inspect(path)
  expect(stdout).not.toMatch(/^no fault found$/m)
  expect(stdout).toContain('then\\x0ano fault found')
})

it('compares like with like: the states of a recording, not a state with what travelled', () => {
  const path = recording('move.json', {
    states: [state('before', '00'), state('after', '01')],
    parcels: [state('once', envelope)],
  })
  // What travelled is an envelope, and is compared where the other file is one.
  expect(inspect(path, '--diff', file('same.hex', envelope))).toMatchObject({
    status: 0,
    stdout: '  nothing, not one byte\n',
  })
  expect(inspect(path, '--as', 'session', '--diff', path).stdout).toContain('role: client → server')
  const session = recording('session.json', { states: [state('then', '00')] })
  expect(inspect(session, '--diff', file('envelope.hex', envelope))).toMatchObject({
    status: 1,
    stderr: `${session} has no envelope to compare with that of ${join(directory, 'envelope.hex')}\n`,
  })
})

it('does not say that nothing has changed where it could not read on', () => {
  const [before, after] = [file('before.hex', envelope), file('after.hex', `${envelope}ff`)]
  const { status, stdout } = inspect(after, '--diff', before)
  expect(status).toBe(1)
  expect(stdout).not.toContain('not one byte')
  expect(stdout).toContain('  nothing that could be read\n')
  expect(stdout).toContain(`${after} stopped at byte ${envelope.length / 2}: 1 bytes too many\n`)
})
