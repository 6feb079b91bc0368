import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mustBeReadable } from '../../../src/supervisor/isolation/check.ts'

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
