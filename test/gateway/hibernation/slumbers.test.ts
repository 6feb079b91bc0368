import { describe, expect, it } from 'vitest'
import { Slumbers } from '../../../src/gateway/hibernation/slumbers.ts'

describe('how long is waited for a container', () => {
  it('is longer where one has to be started, and no time where it ends again and again', () => {
    const slumbers = new Slumbers(2000, 30_000)
    expect(slumbers.patience('echo')).toBe(2000)
    slumbers.told('echo', 'asleep')
    expect(slumbers.patience('echo')).toBe(30_000)
    slumbers.told('echo', 'waking')
    expect(slumbers.patience('echo')).toBe(30_000)
    slumbers.told('echo', 'failing')
    expect([slumbers.patience('echo'), slumbers.patience('hello')]).toEqual([0, 2000])
    slumbers.told('echo', 'awake')
    expect([slumbers.patience('echo'), slumbers.size]).toEqual([2000, 0])
  })

  it('is never shorter than for one that is awake', () => {
    const slumbers = new Slumbers(2000, 100)
    slumbers.told('echo', 'asleep')
    expect(slumbers.patience('echo')).toBe(2000)
  })
})
