import { describe, expect, it } from 'vitest'
import { meant, nearest } from '../../src/platform/nearest.ts'

const COMMANDS = ['up', 'stop', 'status', 'logs', 'drain', 'deploy', 'scale', 'move', 'restart']

describe('nearest', () => {
  it.each([
    ['staus', 'status'],
    ['STATUS', 'status'],
    ['dpeloy', 'deploy'],
    ['lgos', 'logs'],
    ['stpo', 'stop'],
    ['re', undefined],
    ['restar', 'restart'],
    ['pu', 'up'],
    ['', undefined],
    ['constructor', undefined],
    ['hello', undefined],
  ])('of %j is %j', (word, known) => {
    expect(nearest(word, COMMANDS)).toBe(known)
  })

  it('is the one that takes fewer changes, and of two that take as many the first', () => {
    expect(nearest('sale', ['scales', 'scale'])).toBe('scale')
    expect(nearest('cat', ['bat', 'rat'])).toBe('bat')
  })
})

it('is asked as a question', () => {
  expect(meant('jsn', ['json'], '--')).toBe('; did you mean --json?')
  expect(meant('nonsense', ['json'])).toBe('')
})
