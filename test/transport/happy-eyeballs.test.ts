import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Family, HappyEyeballs, type Step } from '../../src/transport/happy-eyeballs.ts'

/** All attempts that are due. */
function attempts(order: HappyEyeballs, now: number): string {
  const due: string[] = []
  let step: Step
  do {
    step = order.next(now)
    due.push(
      step.type === 'attempt' ? step.address : step.type === 'wait' ? `wait ${step.until}` : 'exhausted',
    )
  } while (step.type === 'attempt')
  return due.join(' ')
}

describe('Happy Eyeballs', () => {
  it('begins with IPv6, and takes the families in turns', () => {
    const order = new HappyEyeballs()
    expect(attempts(order, 0)).toBe('wait undefined')
    order.resolved(6, ['a', 'b', 'c'], 1)
    order.resolved(4, ['1'], 1)
    expect(attempts(order, 1)).toBe('a wait 251')
    expect(attempts(order, 250)).toBe('wait 251')
    expect(attempts(order, 251)).toBe('1 wait 501')
    expect(attempts(order, 501)).toBe('b wait 751')
    expect(attempts(order, 900)).toBe('c wait undefined')
  })

  it('waits a moment for IPv6, and no longer', () => {
    const order = new HappyEyeballs()
    order.resolved(4, ['1', '2'], 10)
    expect(attempts(order, 10)).toBe('wait 60')
    expect(attempts(order, 60)).toBe('1 wait 310')
    order.resolved(6, ['a'], 100)
    expect(attempts(order, 310)).toBe('a wait 560')
    expect(attempts(order, 560)).toBe('2 wait undefined')
  })

  it('does not wait for IPv6 that is not there', () => {
    const order = new HappyEyeballs()
    order.resolved(6, [], 0)
    expect(attempts(order, 0)).toBe('wait undefined')
    order.resolved(4, ['1'], 5)
    expect(attempts(order, 5)).toBe('1 wait undefined')
  })

  it('goes on at once when the newest attempt has failed, and ends when all have', () => {
    const order = new HappyEyeballs({ attempt: 100 })
    order.resolved(6, ['a'], 0)
    order.resolved(4, ['1', '2'], 0)
    expect(attempts(order, 0)).toBe('a wait 100')
    order.failed('a')
    expect(attempts(order, 3)).toBe('1 wait 103')
    expect(attempts(order, 103)).toBe('2 wait undefined')
    order.failed('1')
    expect(attempts(order, 104)).toBe('wait undefined')
    order.failed('2')
    expect(attempts(order, 105)).toBe('exhausted')
  })

  it('is over at once for a name without addresses', () => {
    const order = new HappyEyeballs()
    order.resolved(4, [], 0)
    order.resolved(6, [], 0)
    expect(attempts(order, 0)).toBe('exhausted')
  })

  it('tries every address once, whatever happens in which order', () => {
    const list = (prefix: string) =>
      fc.nat(4).map(count => Array.from({ length: count }, (_, index) => `${prefix}${index}`))
    fc.assert(
      fc.property(list('six'), list('four'), fc.infiniteStream(fc.nat(99)), (six, four, chance) => {
        const order = new HappyEyeballs()
        const dice = (): number => chance.next().value as number
        const answers: [Family, string[]][] =
          dice() % 2
            ? [
                [6, six],
                [4, four],
              ]
            : [
                [4, four],
                [6, six],
              ]
        const tried: string[] = []
        const open = new Set<string>()
        for (let now = 0; ; now += dice() * 10) {
          expect(now).toBeLessThan(100_000)
          const answer = dice() < 50 ? answers.shift() : undefined
          if (answer !== undefined) order.resolved(...answer, now)
          for (const one of open) {
            if (dice() < 50) continue
            open.delete(one)
            order.failed(one)
          }
          const step = order.next(now)
          if (step.type === 'exhausted') break
          if (step.type === 'attempt') {
            tried.push(step.address)
            open.add(step.address)
          } else if (step.until !== undefined) expect(step.until).toBeGreaterThan(now)
        }
        expect([tried.toSorted(), open.size]).toEqual([[...six, ...four].toSorted(), 0])
      }),
      { numRuns: 100 },
    )
  })
})
