import { describe, expect, it } from 'vitest'
import { nextRest, REST, type RestEvent, type RestState } from '../../../src/gateway/hibernation/rest.ts'

const STATES = Object.keys(REST) as RestState[]
const EVENTS: readonly RestEvent[] = ['spoken', 'offered', 'taken', 'returned', 'ended']

describe('a connection whose function sleeps', () => {
  it('is woken once, however often its client speaks', () => {
    expect(nextRest('resting', 'spoken')).toBe('waking')
    for (const state of ['waking', 'leaving', 'gone', 'over'] as const)
      expect(nextRest(state, 'spoken')).toBeUndefined()
  })

  it('is offered to one process at a time', () => {
    for (const state of ['waking', 'leaving', 'gone', 'over'] as const)
      expect(nextRest(state, 'offered')).toBeUndefined()
  })

  it.each(['gone', 'over'] as const)('stays as it is: %s', state => {
    for (const event of EVENTS) expect(nextRest(state, event)).toBeUndefined()
  })

  it('can end from wherever it is not over', () => {
    const ending = STATES.filter(state => nextRest(state, 'ended') === 'over')
    expect(ending).toEqual(['resting', 'waking', 'leaving'])
  })
})
