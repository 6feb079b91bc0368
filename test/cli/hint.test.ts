import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { hint, noneRuns } from '../../src/cli/platform/hint.ts'

const AS_SCRIPT = { npm_lifecycle_event: 'start' }

it('is the command for the same platform as this one', () => {
  expect(hint('stop', undefined, {})).toBe('npx --no hotpotato stop')
  expect(hint('stop', 'hotpotato.yml', {})).toBe('npx --no hotpotato stop')
  expect(hint('stop', 'other.yml', {})).toBe('npx --no hotpotato stop --config other.yml')
  expect(hint('stop', undefined, { HOTPOTATO_RUN_DIR: '/tmp/run' })).toBe(
    'HOTPOTATO_RUN_DIR=/tmp/run npx --no hotpotato stop',
  )
})

it('of certificates is for the directory that they are in', () => {
  expect(hint('certs --renew', 'a.yml', { HOTPOTATO_CERTS_DIR: '/c', HOTPOTATO_RUN_DIR: '/r' })).toBe(
    'HOTPOTATO_CERTS_DIR=/c npx --no hotpotato certs --renew --config a.yml',
  )
})

it('is the script of npm where this one was started by such a script', () => {
  expect(hint('stop', undefined, AS_SCRIPT)).toBe('npm stop')
  expect(hint('logs -f', undefined, { npm_lifecycle_event: 'status' })).toBe('npm run logs')
  expect(hint('up', undefined, { ...AS_SCRIPT, HOTPOTATO_RUN_DIR: '/run' })).toBe(
    'HOTPOTATO_RUN_DIR=/run npm start',
  )
  // Those scripts take no other configuration.
  expect(hint('stop', 'other.yml', AS_SCRIPT)).toBe('npx --no hotpotato stop --config other.yml')
  for (const script of ['npx', 'test', 'constructor'])
    expect(hint('stop', undefined, { npm_lifecycle_event: script })).toBe('npx --no hotpotato stop')
})

it('is what a shell takes, whatever a path has in it', () => {
  expect(hint('stop', "it's a file; rm -rf .yml", {})).toBe(
    "npx --no hotpotato stop --config 'it'\\''s a file; rm -rf .yml'",
  )
})

it('says that nothing runs, and in which folder it looked if that has no stack file', () => {
  const [before, empty] = [process.cwd(), mkdtempSync(join(tmpdir(), 'hotpotato-hint-'))]
  expect(noneRuns(undefined, {})).toBe('hotpotato is not running')
  try {
    process.chdir(empty)
    expect(noneRuns(undefined, {})).toBe(
      'hotpotato is not running in this folder, which has no hotpotato.yml',
    )
    expect(noneRuns('/elsewhere/hotpotato.yml', {})).toBe('hotpotato is not running')
    expect(noneRuns(undefined, { HOTPOTATO_RUN_DIR: '/run' })).toBe('hotpotato is not running')
  } finally {
    process.chdir(before)
    rmSync(empty, { recursive: true })
  }
})
