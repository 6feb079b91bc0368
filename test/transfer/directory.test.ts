import { describe, expect, it } from 'vitest'
import { MemoryDirectory } from '../../src/transfer/directory.ts'
import { at, keepsTheContract } from '../support/directory-contract.ts'

describe('a directory in memory', () => {
  keepsTheContract(() => new MemoryDirectory(), 200)

  it('counts those that have an owner', async () => {
    const directory = new MemoryDirectory()
    await directory.claim('s', at('a', 2))
    expect(directory.size).toBe(1)
    await directory.release('s', at('a', 2))
    expect(directory.size).toBe(0)
  })

  it('remembers the last ten thousand sessions that have ended, and no more', async () => {
    const directory = new MemoryDirectory()
    for (let i = 0; i <= 10_000; i++) {
      await directory.claim(`${i}`, at('a', 0))
      await directory.release(`${i}`, at('a', 0))
    }
    expect(await directory.claim('0', at('a', 0))).toEqual({ granted: true })
    expect(await directory.claim('1', at('a', 0))).toMatchObject({ reason: 'stale' })
  })
})
