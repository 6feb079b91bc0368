import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Ownership, SessionDirectory } from '../../src/transfer/directory.ts'
import { eventually } from './platform.ts'

/** The same from one place: an owner and a generation. */
export const at = (owner: string, generation: number): Ownership => ({ owner, generation })
/** Where a store counts, it says how far it has come. */
const GRANTED = expect.objectContaining({ granted: true })

/**
 * What every directory does.
 * @param fresh gives one that knows nothing @param runs orders of claims that are tried
 */
export function keepsTheContract(
  fresh: () => SessionDirectory | Promise<SessionDirectory>,
  runs: number,
): void {
  let directory: SessionDirectory
  beforeEach(async () => {
    directory = await fresh()
  })

  describe('a claim', () => {
    it('is granted to the first, again to the same, and to a later generation', async () => {
      expect(await directory.claim('s', at('a', 0))).toEqual(GRANTED)
      expect(await directory.claim('s', at('a', 0))).toEqual(GRANTED)
      expect(await directory.claim('s', at('b', 3))).toEqual(GRANTED)
      expect(await directory.find('s')).toEqual(at('b', 3))
    })

    it('is refused to an earlier generation, and to another process with the same', async () => {
      await directory.claim('s', at('a', 3))
      expect(await directory.claim('s', at('b', 2))).toEqual({
        granted: false,
        reason: 'stale',
        ownership: at('a', 3),
      })
      expect(await directory.claim('s', at('b', 3))).toMatchObject({ granted: false, reason: 'owned' })
      expect(await directory.find('s')).toEqual(at('a', 3))
    })

    it('is refused after the end, unless it is of a later generation', async () => {
      await directory.claim('s', at('a', 3))
      expect(await directory.release('s', at('a', 3))).toEqual(GRANTED)
      expect(await directory.find('s')).toBeUndefined()
      for (const generation of [2, 3])
        expect(await directory.claim('s', at('a', generation))).toEqual({
          granted: false,
          reason: 'stale',
          ownership: undefined,
        })
      expect(await directory.claim('s', at('b', 4))).toEqual(GRANTED)
    })
  })

  describe('a transfer', () => {
    it('is granted if what it starts from is what is known', async () => {
      await directory.claim('s', at('a', 1))
      expect(await directory.transfer('s', at('a', 1), at('b', 2))).toEqual(GRANTED)
      expect(await directory.find('s')).toEqual(at('b', 2))
      // The same again comes too late.
      expect(await directory.transfer('s', at('a', 1), at('b', 2))).toMatchObject({ reason: 'stale' })
      expect(await directory.transfer('s', at('a', 2), at('c', 3))).toMatchObject({ reason: 'owned' })
      expect(await directory.transfer('s', at('b', 5), at('c', 6))).toMatchObject({ reason: 'unknown' })
      expect(await directory.transfer('t', at('b', 5), at('c', 6))).toMatchObject({ reason: 'unknown' })
      expect(await directory.find('s')).toEqual(at('b', 2))
    })

    it('of a session that has ended is refused', async () => {
      await directory.claim('s', at('a', 1))
      await directory.release('s', at('a', 1))
      expect(await directory.transfer('s', at('a', 1), at('b', 2))).toMatchObject({ reason: 'stale' })
    })

    it('that does not raise the generation is a mistake of ours', async () => {
      await directory.claim('s', at('a', 1))
      await expect(directory.transfer('s', at('a', 1), at('b', 1))).rejects.toThrow(RangeError)
    })
  })

  describe('a release', () => {
    it('is for the owner alone, and once', async () => {
      await directory.claim('s', at('a', 2))
      expect(await directory.release('s', at('b', 2))).toMatchObject({ reason: 'owned' })
      expect(await directory.release('s', at('a', 1))).toMatchObject({ reason: 'stale' })
      expect(await directory.release('s', at('a', 2))).toEqual(GRANTED)
      expect(await directory.release('s', at('a', 2))).toMatchObject({ reason: 'stale' })
      expect(await directory.release('t', at('a', 2))).toMatchObject({ reason: 'unknown' })
    })
  })

  it('a watcher hears of every change, and of nothing else', async () => {
    const heard: (Ownership | undefined)[] = []
    const hears = (count: number) =>
      eventually(() => heard.length >= count || undefined, `it has not heard of change ${count}`)
    const stop = directory.watch('s', ownership => heard.push(ownership))
    await directory.claim('t', at('x', 9))
    await directory.claim('s', at('a', 1))
    await hears(1)
    await directory.claim('s', at('a', 1))
    await directory.claim('s', at('b', 0))
    await directory.transfer('s', at('a', 1), at('b', 2))
    await hears(2)
    await directory.release('s', at('b', 2))
    await hears(3)
    stop()
    await directory.claim('s', at('c', 3))
    expect(await directory.find('s')).toEqual(at('c', 3))
    expect(heard).toEqual([at('a', 1), at('b', 2), undefined])
  })

  it('the highest generation wins, in whatever order claims are heard', async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 1 }), async generations => {
        const store = await fresh()
        let highest = -1
        for (const generation of generations) {
          const { granted } = await store.claim('s', at(`owner-${generation}`, generation))
          expect(granted).toBe(generation > highest)
          highest = Math.max(highest, generation)
          expect(await store.find('s')).toEqual(at(`owner-${highest}`, highest))
        }
      }),
      { numRuns: runs },
    )
  })
}
