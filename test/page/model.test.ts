import { describe, expect, it } from 'vitest'
import { DRAWN, layOut, seat } from '../../src/page/layout.ts'
import { Model } from '../../src/page/model.ts'
import { span, stagesText, stepText } from '../../src/page/words.ts'
import type { News, Step } from '../../src/supervisor/observatory/telling.ts'

const ID = '0123456789abcdef0123456789abcdef'

function step(kind: Step['kind'], generation: number, container: string, to?: string): News['steps'][number] {
  return {
    ...{ id: ID, kind, generation, container, functionName: 'echo', to },
    ...{ at: 0, cause: 'request', prepared: 80, handed: 1900 },
  }
}

const news = (...steps: News['steps']): News => ({ kind: 'news', steps, missed: 0 })
const hop = (from: string | undefined, to: string | undefined) => ({ id: ID, from, to })

describe('what the page knows', () => {
  it('a new connection comes from the gateway, and hops once for a move that two containers tell', () => {
    const model = new Model()
    expect(model.take(news(step('opened', 0, 'echo-1')), 0)).toEqual([hop(undefined, 'echo-1')])
    expect(model.take(news(step('left', 1, 'echo-1', 'hello-1')), 0)).toEqual([hop('echo-1', 'hello-1')])
    expect(model.take(news(step('arrived', 1, 'hello-1')), 0)).toEqual([])
    expect(model.potatoes.get(ID)?.container).toBe('hello-1')
  })

  it('the two may tell it the other way round, and late', () => {
    const model = new Model()
    model.take(news(step('opened', 0, 'echo-1')), 0)
    expect(model.take(news(step('arrived', 1, 'hello-1')), 0)).toEqual([hop('echo-1', 'hello-1')])
    expect(model.take(news(step('arrived', 2, 'echo-2')), 0)).toEqual([hop('hello-1', 'echo-2')])
    expect(model.take(news(step('left', 1, 'echo-1', 'hello-1')), 0)).toEqual([])
    expect(model.take(news(step('left', 2, 'hello-1', 'echo-2')), 0)).toEqual([])
    expect(model.potatoes.get(ID)?.container).toBe('echo-2')
  })

  it('what was told late brings no connection back that has ended', () => {
    const model = new Model()
    model.take(news(step('arrived', 1, 'hello-1')), 0)
    expect(model.take(news(step('ended', 1, 'hello-1')), 7)).toEqual([hop('hello-1', undefined)])
    model.take(news(step('left', 1, 'echo-1', 'hello-1')), 8)
    expect(model.potatoes.get(ID)?.ended).toBe(7)
  })

  it('a census says which connections there are, and keeps what is known of them', () => {
    const model = new Model()
    model.take(news(step('arrived', 4, 'hello-1')), 0)
    const one = { id: ID, container: 'echo-1', generation: 5 }
    const other = { ...one, id: ID.replace('0', 'f') }
    model.take({ kind: 'census', connections: [one, other] as never, all: 2 }, 0)
    expect([...model.potatoes.keys()]).toEqual([ID, other.id])
    expect(model.potatoes.get(ID)?.last?.kind).toBe('arrived')
  })

  it('knows 2000 of them one by one, and counts what was missed', () => {
    const model = new Model()
    for (let number = 0; number < 3000; number++) {
      const id = number.toString(16).padStart(32, '0')
      model.take({ kind: 'news', steps: [{ ...step('opened', 0, 'echo-1'), id }], missed: 1 }, 0)
    }
    expect(model.potatoes.size).toBe(2000)
    expect(model.potatoes.has((999).toString(16).padStart(32, '0'))).toBe(false)
    expect(model.missed).toBe(3000)
  })
})

describe('where things are drawn', () => {
  it.each([1, 2, 3, 7, 40, 200])('%i containers have places of their own, on the canvas', count => {
    for (const [width, height] of [
      [1100, 416],
      [340, 304],
    ] as const) {
      const names = Array.from({ length: count }, (_, number) => `echo-${number + 1}`)
      const places = [...layOut(names, width, height).values()]
      expect(places.length).toBe(count + 1)
      for (const { x, y } of places) expect(x > 0 && x < width && y > 0 && y < height).toBe(true)
      expect(new Set(places.map(({ x, y }) => `${x} ${y}`)).size).toBe(count + 1)
    }
  })

  it('ten thousand connections stay in their circle', () => {
    const place = { name: 'echo-1', x: 100, y: 100, radius: 60 }
    for (const count of [1, 10, 300, 10_000])
      for (let index = 0; index < Math.min(count, DRAWN); index++) {
        const { x, y, size } = seat(place, index, count)
        expect(Math.hypot(x - 100, y - 100) + size).toBeLessThanOrEqual(60.001)
      }
  })
})

describe('words', () => {
  it('spans of time are read at a glance', () => {
    expect([7, 999, 1000, 99_940, 100_000, 2_390_000].map(span)).toEqual([
      ...['7 µs', '999 µs', '1.0 ms', '99.9 ms', '0.10 s', '2.39 s'],
    ])
  })

  it('a step says where, why and how long', () => {
    const left = step('left', 1, 'echo-1', 'hello-1')
    expect(stepText(left)).toBe('left echo-1 for hello-1 for a request')
    expect(stagesText(left)).toBe('frozen in 80 µs, handed over in 1.9 ms')
    expect(stepText(step('left', 1, 'echo-1'))).toBe('left echo-1 for another container for a request')
    expect(stagesText({ ...step('ended', 1, 'echo-1'), prepared: 0 })).toBe('')
  })
})
