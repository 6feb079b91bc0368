import { describe, expect, it } from 'vitest'
import { follow, type Owner } from '../../src/gateway/trail.ts'
import type { SlotHeader } from '../../src/transfer/slot.ts'

const SESSION = new Uint8Array(16).fill(1)
const FIRST: Owner = { id: 1, generation: 0 }
type Said = readonly [state: SlotHeader['state'], generation: number, target?: number]

/** What comes of it when each container has said this last. */
function where(said: Readonly<Record<number, Said>>, from = FIRST) {
  return follow(from, id => {
    const [state, generation, target = 0] = said[id] ?? []
    return state && { state, sessionId: SESSION, generation: generation!, target }
  })
}

describe('a connection is', () => {
  it('with the one that it was given to, also if that has said nothing', () => {
    const held = { kind: 'held', by: FIRST }
    expect(where({})).toEqual(held)
    expect(where({ 1: ['live', 0] })).toEqual(held)
    // Of an earlier stay.
    expect(where({ 1: ['offered', 3, 2], 2: ['live', 3] }, { id: 1, generation: 5 })).toEqual({
      ...{ kind: 'held', by: { id: 1, generation: 5 } },
    })
  })

  it('with the last one of those who took it, one from the other', () => {
    const by = { id: 3, generation: 2 }
    expect(where({ 1: ['offered', 1, 2], 2: ['offered', 2, 3], 3: ['live', 2] })).toEqual({
      ...{ kind: 'held', by },
    })
    expect(where({ 1: ['offered', 1, 2], 2: ['offered', 2, 3], 3: ['done', 2] })).toEqual({
      ...{ kind: 'done', by, settled: true },
    })
  })

  it('with the one who had it before, when it came back', () => {
    expect(where({ 1: ['live', 2], 2: ['offered', 2, 1] })).toEqual({
      ...{ kind: 'held', by: { id: 1, generation: 2 } },
    })
  })

  it('on its way, while the one that it is offered to has not said that it has it', () => {
    const offered = { kind: 'offered', by: FIRST, to: 2 }
    expect(where({ 1: ['offered', 1, 2] })).toEqual(offered)
    expect(where({ 1: ['offered', 3, 2], 2: ['live', 1] })).toEqual(offered)
    // And on its way back.
    expect(where({ 1: ['offered', 1, 2], 2: ['offered', 2, 1] })).toEqual({
      ...{ kind: 'offered', by: { id: 2, generation: 1 }, to: 1 },
    })
  })

  it('over, and no other container can have it unless it was on its way', () => {
    expect(where({ 1: ['done', 0] })).toMatchObject({ kind: 'done', settled: true })
    expect(where({ 1: ['done', 1, 2] })).toMatchObject({ kind: 'done', settled: false })
  })
})

describe('a container that lies', () => {
  const honest = { 1: ['offered', 1, 2], 2: ['live', 1] } as const
  const held = { kind: 'held', by: { id: 2, generation: 1 } }

  it.each([
    ['that it has it', ['live', 2 ** 32 - 1]],
    ['that it is over', ['done', 2 ** 32 - 1]],
    ['that it gave it to one that is dead', ['offered', 9, 1000]],
    ['that it gave it to an honest one', ['offered', 9, 2]],
  ] as const)('is not asked, if it never had it: it says %s', (_what, said) => {
    expect(where({ ...honest, 9: said })).toEqual(held)
  })

  it('does not lead around in circles', () => {
    expect(where({ 1: ['offered', 1, 9], 9: ['offered', 1, 1] }).kind).toBe('held')
    expect(where({ 1: ['offered', 1, 9], 9: ['offered', 2, 9] }).kind).toBe('held')
    expect(where({ 1: ['offered', 1, 8], 8: ['offered', 5, 9], 9: ['offered', 6, 8] }).kind).toBe('offered')
  })

  it('can say of what it had no more than that it had it: what it names is not believed beyond that', () => {
    // It says that it gave it to 2, which has never heard of it.
    expect(where({ 1: ['offered', 1, 9], 9: ['offered', 2, 2] })).toEqual({
      ...{ kind: 'offered', by: { id: 9, generation: 1 }, to: 2 },
    })
  })
})
