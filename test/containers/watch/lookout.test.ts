import { describe, expect, it } from 'vitest'
import { followed } from '../../../src/containers/watch/followed.ts'
import { Lookout } from '../../../src/containers/watch/lookout.ts'
import { type ControlMessage, encodeControl } from '../../../src/transfer/control.ts'
import { HandClock } from '../../support/hand-clock.ts'

type Sights = Extract<ControlMessage, { kind: 'sights' }>
const CONNECTION = { sessionId: new Uint8Array(16).fill(7), generation: 3 }

function scene() {
  const clock = new HandClock()
  const lookout = new Lookout(clock)
  const told: Sights[] = []
  const watch = (milliseconds: number, most = 25): void =>
    lookout.watch(milliseconds, most, message => {
      // It can be sent.
      encodeControl(message)
      told.push(message as Sights)
    })
  return { clock, lookout, told, watch }
}

describe('the lookout of a container', () => {
  it('notes nothing, and has no timer, where no page is open', () => {
    const { clock, lookout, told, watch } = scene()
    lookout.note('opened', CONNECTION)
    expect([lookout.watched, clock.waiting]).toEqual([false, 0])
    watch(100)
    lookout.note('opened', CONNECTION)
    watch(0)
    clock.pass(1000)
    expect([told, clock.waiting]).toEqual([[], 0])
  })

  it('tells what has been noted, and nothing where nothing was', () => {
    const { clock, lookout, told, watch } = scene()
    watch(100)
    clock.pass(60)
    lookout.note('left', CONNECTION, { cause: 'drain', target: 9, prepared: 0.25, handed: 1.5 })
    clock.pass(500)
    expect(told).toEqual([
      {
        kind: 'sights',
        missed: 0,
        sights: [
          {
            ...{ kind: 'left', cause: 'drain', ...CONNECTION, target: 9, ago: 40, prepared: 250 },
            handed: 1500,
          },
        ],
      },
    ])
  })

  it('tells so many at most, however much happens, and counts the others', () => {
    const { clock, lookout, told, watch } = scene()
    watch(100)
    for (let number = 0; number < 10_000; number++) lookout.note('opened', CONNECTION)
    clock.pass(100)
    expect(told.map(({ sights, missed }) => [sights.length, missed])).toEqual([[100, 9900]])
    lookout.note('ended', CONNECTION)
    clock.pass(100)
    expect(told.at(-1)).toMatchObject({ sights: [{ kind: 'ended' }], missed: 0 })
  })

  it('on average no more than its share: what was told at once is made up for', () => {
    const { clock, lookout, told, watch } = scene()
    watch(100)
    for (let tick = 0; tick < 50; tick++) {
      for (let number = 0; number < 1000; number++) lookout.note('opened', CONNECTION)
      clock.pass(100)
    }
    expect(told.map(({ sights }) => sights.length)).toEqual([100, ...Array(49).fill(25)])
    expect(told.reduce((sum, { sights, missed }) => sum + sights.length + missed, 0)).toBe(50_000)
    // Where little happens there is room again.
    clock.pass(400)
    for (let number = 0; number < 200; number++) lookout.note('opened', CONNECTION)
    clock.pass(100)
    expect([told.at(-1)?.sights.length, told.at(-1)?.missed]).toEqual([100, 100])
  })

  it('loses nothing where its share changes meanwhile', () => {
    const { clock, lookout, told, watch } = scene()
    watch(100, 1)
    for (let number = 0; number < 6; number++) lookout.note('opened', CONNECTION)
    watch(100, 2)
    lookout.note('ended', CONNECTION)
    clock.pass(100)
    expect(told.map(({ sights, missed }) => [sights.length, missed])).toEqual([[5, 2]])
  })

  it('a span without end fits into its field', () => {
    const { clock, lookout, told, watch } = scene()
    watch(100)
    lookout.note('left', CONNECTION, { prepared: -1, handed: 1e12 })
    clock.pass(100)
    expect(told[0]!.sights[0]).toMatchObject({ prepared: 0, handed: 0xffffffff })
  })
})

describe('an offer that is followed', () => {
  const frozen = { envelope: CONNECTION } as never

  it('is what it was where nothing is watched', () => {
    const { lookout } = scene()
    const [freeze, settle] = [() => frozen, () => {}]
    expect(followed(lookout, 'request', freeze, settle)).toEqual([freeze, settle])
  })

  it.each([
    ['left', { state: 'gone' }, 9],
    ['slept', { state: 'gone' }, undefined],
    ['stayed', { state: 'owned', verdict: undefined }, 9],
  ] as const)('%s, with the time that it took', async (kind, release, target) => {
    const { clock, lookout, told, watch } = scene()
    watch(1000)
    const settled: unknown[] = []
    const freeze = async () => {
      clock.pass(3)
      return frozen
    }
    const [freezing, settling] = followed(lookout, 'order', freeze, (...all) => void settled.push(all))
    expect(await freezing(false)).toBe(frozen)
    clock.pass(20)
    settling(release, target)
    expect(settled).toEqual([[release, target]])
    clock.pass(1000)
    expect(told[0]!.sights).toMatchObject([{ kind, cause: 'order', prepared: 3000, handed: 20_000 }])
  })

  it('that ended is told as an end, by its connection', () => {
    const { clock, lookout, told, watch } = scene()
    watch(100)
    const [freezing, settling] = followed(
      lookout,
      'drain',
      () => frozen,
      () => {},
    )
    void freezing(false)
    settling({ state: 'ended', reason: 'lost' })
    clock.pass(100)
    expect(told).toEqual([])
  })
})
