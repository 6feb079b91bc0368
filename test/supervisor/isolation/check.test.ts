import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mustBeReadable, unheld } from '../../../src/supervisor/isolation/check.ts'

describe('limits that nothing holds', () => {
  it.each([
    ['none is set', 'sandbox', {}, undefined],
    [
      'the level has no cgroup',
      'sandbox',
      { cpu: 0.5 },
      'functions.echo.limits.cpu is not held: that takes a cgroup; ' +
        'choose isolation: oci, and start it as root',
    ],
  ] as const)('%s', (_, level, limits, said) => {
    expect(unheld('echo', level, limits)).toBe(said)
  })
})

describe('what a function is made of', () => {
  it('has to be open to a user of its own, and need not be in a file system of its own', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hotpotato-closed-'))
    try {
      const file = join(folder, 'index.mjs')
      writeFileSync(file, 'export default () => new Response()')
      expect(() => mustBeReadable('sandbox', [file])).not.toThrow()
      expect(() => mustBeReadable('user', [file])).toThrow(/is closed; open it to others \(chmod o\+rX /)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
