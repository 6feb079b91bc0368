import { beforeEach, describe, expect, it } from 'vitest'
import { Roster } from '../../src/platform/roster.ts'
import type { Peer } from '../../src/transfer/control.ts'

let roster: Roster
const peer = (id: number, functionName = 'echo'): Peer => ({
  id,
  role: 'container',
  name: `${functionName}-${id}`,
  functionName,
  publicKey: new Uint8Array(32),
})
const choose = (times: number): (number | undefined)[] =>
  Array.from({ length: times }, () => roster.choose('echo')?.id)

beforeEach(() => {
  roster = new Roster()
  for (const id of [1, 2, 3]) roster.add(peer(id))
  roster.add(peer(9, 'hello'))
})

describe('a roster', () => {
  it('chooses in turn among equals', () => {
    expect(choose(6)).toEqual([1, 2, 3, 1, 2, 3])
    expect(roster.choose('nobody')).toBeUndefined()
  })

  it('chooses the least loaded, and counts what it was offered since its report', () => {
    roster.report(1, 5)
    roster.report(2, 3)
    roster.report(3, 4)
    expect(choose(4)).toEqual([2, 3, 2, 1])
    roster.report(1, 0)
    roster.report(77, 0)
    expect(choose(2)).toEqual([1, 1])
  })

  it('chooses one of another host only where there is none of this one', () => {
    roster.add({ ...peer(4), name: 'b/echo-1' })
    for (const id of [1, 2, 3]) roster.report(id, 1000)
    expect(choose(3)).toEqual([1, 2, 3])
    for (const id of [1, 2, 3]) roster.draining(id)
    expect(choose(2)).toEqual([4, 4])
    expect(roster.has('echo')).toBe(true)
  })

  it('chooses none of another host for what cannot leave this one', () => {
    roster.add({ ...peer(4), name: 'b/echo-1' })
    const near = { near: true }
    expect(roster.choose('echo', undefined, 4, near)?.id).toBe(1)
    for (const id of [1, 2, 3]) roster.draining(id)
    expect(roster.choose('echo', undefined, undefined, near)).toBeUndefined()
    expect([roster.has('echo', true), roster.has('echo')]).toEqual([false, true])
  })

  it('chooses the one that is preferred, if it is of the function and does not drain', () => {
    expect([1, 2, 3].map(id => roster.choose('echo', undefined, id)?.id)).toEqual([1, 2, 3])
    expect(roster.choose('nobody', undefined, 2)).toBeUndefined()
    roster.draining(2)
    expect(roster.choose('echo', undefined, 2)?.id).toBe(1)
  })

  it('chooses none that drains, has gone or has refused, and knows what is left', () => {
    roster.draining(2)
    expect(choose(3)).toEqual([1, 3, 1])
    expect(roster.find(2)).toBeUndefined()
    expect(roster.find(3)?.name).toBe('echo-3')
    expect(roster.choose('echo', new Set([3]))?.id).toBe(1)
    roster.remove(1)
    roster.remove(1)
    roster.draining(1)
    expect(choose(2)).toEqual([3, 3])
    roster.draining(3)
    expect([roster.choose('echo'), roster.has('echo'), roster.has('hello')]).toEqual([undefined, false, true])
    // The word of a container that drains still counts.
    expect(roster.of('echo').map(({ id }) => id)).toEqual(expect.arrayContaining([2, 3]))
  })
})
