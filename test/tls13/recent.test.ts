import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Recent } from '../../src/tls13/recent.ts'

it('keeps what was used last, and no more than it may, in number and in bytes', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const steps = fc.array(fc.record({ key, bytes: fc.option(fc.nat(6), { nil: undefined }) }))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.nat(12), steps, (most, mostBytes, all) => {
      const recent = new Recent<number>(most, mostBytes, bytes => bytes)
      /** The same as a list, the least recently used first. */
      let model: (readonly [string, number])[] = []
      for (const { key, bytes } of all) {
        const before = model.find(([name]) => name === key)
        if (bytes === undefined) {
          expect(recent.get(key)).toBe(before?.[1])
          if (before !== undefined) model = [...model.filter(one => one !== before), before]
          continue
        }
        recent.set(key, bytes)
        model = model.filter(one => one !== before)
        if (bytes <= mostBytes) model.push([key, bytes])
        const sum = () => model.reduce((total, [, one]) => total + one, 0)
        while (model.length > most || sum() > mostBytes) model.shift()
        expect([recent.size, recent.bytes]).toEqual([model.length, sum()])
      }
      expect(['a', 'b', 'c', 'd', 'e'].flatMap(name => recent.get(name) ?? [])).toEqual(
        ['a', 'b', 'c', 'd', 'e'].flatMap(name => model.find(([one]) => one === name)?.[1] ?? []),
      )
    }),
  )
})
