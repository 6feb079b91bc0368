import { beforeEach, describe, expect, it } from 'vitest'
import { Liveness } from '../../src/gateway/liveness.ts'

let now = 0
let liveness: Liveness
beforeEach(() => {
  now = 1000
  liveness = new Liveness({ period: 100, failure: 350, now: () => now })
})
/** Time passes, one period at a time. */
function pass(periods: number): ReturnType<Liveness['look']> {
  let looked = liveness.look()
  for (let i = 0; i < periods; i++) {
    now += 100
    looked = liveness.look()
  }
  return looked
}

describe('liveness', () => {
  it('asks those that it has heard of, and calls hung who is silent for too long', () => {
    liveness.heard(1)
    liveness.heard(2)
    expect(pass(3)).toEqual({ ask: [1, 2], hung: [] })
    liveness.heard(2)
    expect(pass(1)).toEqual({ ask: [2], hung: [1] })
  })

  it('waits for nobody who has not been heard of, or has ended', () => {
    expect(pass(9)).toEqual({ ask: [], hung: [] })
    liveness.heard(1)
    liveness.forget(1)
    expect(pass(9)).toEqual({ ask: [], hung: [] })
  })

  it('blames nobody for a time in which it was away itself', () => {
    liveness.heard(1)
    liveness.look()
    now += 100_000
    expect(liveness.look()).toEqual({ ask: [1], hung: [] })
    expect(pass(4)).toEqual({ ask: [], hung: [1] })
  })
})
