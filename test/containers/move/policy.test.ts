import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  CARRIED_BYTES,
  CARRIED_REQUEST_BYTES,
  MovePolicy,
  STREAK,
} from '../../../src/containers/move/policy.ts'

describe('the policy of moves', () => {
  it('moves a quiet connection, however often', () => {
    const policy = new MovePolicy(50)
    for (let i = 0; i < 100; i++) {
      policy.own(false)
      policy.foreign('hello')
      expect(policy.decide(false, 0)).toBe('move')
    }
  })

  it('waits for a busy one, and lends when that takes too long', () => {
    const policy = new MovePolicy(50)
    policy.own(false)
    policy.foreign('hello')
    expect(policy.decide(true, 0)).toBe('wait')
    expect(policy.decide(true, 49)).toBe('wait')
    expect(policy.decide(true, 50)).toBe('lend')
    // From now on it is shared, also when it is quiet for a moment.
    policy.foreign('hello')
    expect(policy.decide(false, 0)).toBe('lend')
  })

  it('lends at once when a request of our own comes while another waits', () => {
    const policy = new MovePolicy(50)
    policy.foreign('hello')
    policy.own(true)
    expect(policy.decide(true, 0)).toBe('lend')
  })

  it('moves a shared one when all requests in a row were for one other function', () => {
    const policy = new MovePolicy(50)
    policy.foreign('hello')
    policy.own(true)
    for (let i = 1; i < STREAK; i++) {
      policy.foreign('hello')
      expect(policy.decide(false, 0)).toBe('lend')
    }
    policy.foreign('hello')
    expect(policy.decide(false, 0)).toBe('move')
  })

  it('does not move for functions that take turns', () => {
    const policy = new MovePolicy(50)
    policy.foreign('hello')
    policy.own(true)
    for (let i = 0; i < 3 * STREAK; i++) {
      policy.foreign(i % 2 === 0 ? 'hello' : 'resize')
      expect(policy.decide(false, 0)).toBe('lend')
    }
    policy.own(false)
    for (let i = 1; i < STREAK; i++) policy.foreign('hello')
    expect(policy.decide(false, 0)).toBe('lend')
  })
})

it('what the pages say of what moves is what the code says', () => {
  const page = (name: string) => readFileSync(`docs/${name}.md`, 'utf8').replaceAll(/\s+/g, ' ')
  const [follows, ordered] = [`${CARRIED_BYTES / 2 ** 10} KiB`, `${CARRIED_REQUEST_BYTES / 2 ** 20} MiB`]
  expect(page('moves')).toContain(`with at most ${follows} that its client has not taken`)
  expect(page('moves')).toContain(`takes along up to ${ordered} in all`)
  expect(page('streams')).toContain(`and ${ordered} for one connection`)
})
