import { expect, it } from 'vitest'
import { WallClock } from '../../src/supervisor/wall-clock.ts'

it('says by how much the wall clock was set, once, and nothing of what is drift', () => {
  const clock = new WallClock(1_000_000, 0)
  expect(clock.look(1_001_000, 1000)).toBeUndefined()
  expect(clock.look(1_002_100, 2000)).toBeUndefined()
  expect(clock.look(87_403_100, 3000)).toBe(86_400_000)
  expect(clock.look(87_404_100, 4000)).toBeUndefined()
  expect(clock.look(1_005_100, 5000)).toBe(-86_400_000)
})
