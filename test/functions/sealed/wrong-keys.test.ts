import { describe, expect, it } from 'vitest'
import { WrongKeys } from '../../../src/functions/sealed/wrong-keys.ts'
import { HandClock } from '../../support/hand-clock.ts'

describe('wrong keys', () => {
  it('are ten, then one every 6 s, for each address', () => {
    const clock = new HandClock()
    const wrong = new WrongKeys(clock)
    for (let i = 0; i < 10; i++) {
      expect(wrong.wait('192.0.2.1')).toBe(0)
      wrong.count('192.0.2.1')
    }
    expect(wrong.wait('192.0.2.1')).toBe(6)
    expect(wrong.wait('192.0.2.2')).toBe(0)
    clock.pass(6000)
    expect(wrong.wait('192.0.2.1')).toBe(0)
    wrong.count('192.0.2.1')
    expect(wrong.wait('192.0.2.1')).toBe(6)
    clock.pass(60_000)
    for (let i = 0; i < 9; i++) wrong.count('192.0.2.1')
    expect(wrong.wait('192.0.2.1')).toBe(0)
  })

  it.each([
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::9', true],
    ['2001:db8:1:2::', '2001:db8:1:3::', false],
    ['2001:db8::1', '2001:db8:0:0:ffff::', true],
    ['::1', '::2', true],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
    [undefined, undefined, true],
  ])('of %s and %s count together: %s', (one, other, together) => {
    const wrong = new WrongKeys(new HandClock())
    for (let i = 0; i < 10; i++) wrong.count(one)
    expect(wrong.wait(other) > 0).toBe(together)
  })

  it('are forgotten of the client that brought one longest ago, when there are too many', () => {
    const wrong = new WrongKeys(new HandClock())
    for (let i = 0; i < 10; i++) wrong.count('first')
    for (let i = 0; i < 4096; i++) wrong.count(`192.0.2.${i}`)
    expect(wrong.wait('first')).toBe(0)
  })
})
