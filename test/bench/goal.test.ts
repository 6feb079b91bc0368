import { expect, it } from 'vitest'
import { goal, goalLines, judged } from '../../bench/harness/goal.ts'

const GOALS = [
  goal('fast', '≤', 25, 80, 'µs'),
  goal('small', '≤', 256, 244, 'B'),
  goal('near', '≥', 2, undefined),
]

it('are judged on a quiet machine, and where it is unknown', () => {
  for (const foreign of [0, 0.1, undefined])
    expect(goalLines(judged(GOALS, foreign)).split('\n')).toEqual([
      'MISSED       fast: 80.0 µs (goal ≤ 25 µs)',
      'reached      small: 244.0 B (goal ≤ 256 B)',
      'not measured near: – (goal ≥ 2)',
    ])
})

it('are not judged where other programs use much of it, but for sizes', () => {
  const found = judged(GOALS, 0.4)
  expect(
    goalLines(found)
      .split('\n')
      .map(line => line.slice(0, 13).trim()),
  ).toEqual([...['not judged', 'reached', 'not measured']])
  expect(found[0]).toEqual({ name: 'fast', relation: '≤', goal: 25, unit: 'µs', reached: 80 })
})
