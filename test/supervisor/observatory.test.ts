import { describe, expect, it } from 'vitest'
import { Tally } from '../../src/supervisor/admin/tally.ts'
import { Lives } from '../../src/supervisor/observatory/lives.ts'
import { Observatory } from '../../src/supervisor/observatory/observatory.ts'
import { Spans } from '../../src/supervisor/observatory/spans.ts'
import type { Step, Telling } from '../../src/supervisor/observatory/telling.ts'
import type { ControlMessage } from '../../src/transfer/control.ts'
import type { Sight } from '../../src/transfer/messages/sights.ts'
import { hex } from '../../src/wire/index.ts'
import { HandClock } from '../support/hand-clock.ts'

const PLACES = new Map([
  [3, { name: 'echo-1', functionName: 'echo' }],
  [4, { name: 'hello-1', functionName: 'hello' }],
])
const ID = new Uint8Array(16).fill(9)

function sight(kind: Sight['kind'], more: Partial<Sight> = {}): Sight {
  return {
    ...{ kind, cause: 'none', sessionId: ID, generation: 1, target: 0, ago: 0, prepared: 100, handed: 400 },
    ...more,
  }
}

/** An observatory over a clock that stands, and all that it says and asks. */
function scene() {
  const clock = new HandClock()
  const places = new Map(PLACES)
  const told: [number, ControlMessage][] = []
  const asked = { status: 0, connections: 0 }
  const observatory = new Observatory({
    clock,
    tally: new Tally([]),
    containers: () => places,
    tell: (id, message) => void told.push([id, message]),
    status: async () => {
      asked.status++
      return []
    },
    connections: async () => {
      asked.connections++
      return []
    },
  })
  const lines: Telling[] = []
  const listen = (line: string): void => void lines.push(JSON.parse(line) as Telling)
  return { clock, observatory, told, asked, lines, listen, places }
}

const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

describe('the observatory', () => {
  it('asks nothing and keeps nothing without a page', async () => {
    const { clock, observatory, told, asked } = scene()
    observatory.ready(3)
    observatory.heard(PLACES.get(3)!, [sight('opened')], 5)
    clock.pass(60_000)
    await settled()
    expect([told, asked, clock.waiting]).toEqual([[], { status: 0, connections: 0 }, 0])
    expect(await observatory.life(hex(ID))).toBeUndefined()
  })

  it('has containers tell from the first page on until the last is closed', async () => {
    const { clock, observatory, told, listen } = scene()
    const [one, other] = [observatory.subscribe(listen)!, observatory.subscribe(() => {})!]
    const watch = (milliseconds: number) => [3, 4].map(id => [id, { kind: 'watch', milliseconds, most: 25 }])
    expect(told.splice(0)).toEqual(watch(200))
    observatory.ready(4)
    observatory.ready(77)
    expect(told.splice(0)).toEqual([[4, { kind: 'watch', milliseconds: 200, most: 25 }]])
    one()
    one()
    expect(told).toEqual([])
    other()
    expect(told).toEqual(watch(0))
    expect(clock.waiting).toBe(0)
  })

  it('shares what is told among containers, as they come and go', async () => {
    const { clock, observatory, told, listen, places } = scene()
    observatory.subscribe(listen)
    await settled()
    told.length = 0
    const share = (ids: number[], most: number) =>
      ids.map(id => [id, { kind: 'watch', milliseconds: 200, most }])
    places.set(5, { name: 'echo-2', functionName: 'echo' })
    observatory.ready(5)
    expect(told.splice(0)).toEqual(share([3, 4, 5], 16))
    places.delete(3)
    places.delete(4)
    clock.pass(1000)
    await settled()
    expect(told.splice(0)).toEqual(share([5], 50))
    for (let id = 100; id < 1100; id++) places.set(id, { name: `echo-${id}`, functionName: 'echo' })
    observatory.ready(1099)
    expect(told.at(-1)).toEqual(share([1099], 2)[0])
    expect(told.length).toBe(1001)
  })

  it('tells steps with their containers, and how long moves took', async () => {
    const { clock, observatory, lines, listen } = scene()
    observatory.subscribe(listen)
    await settled()
    // The census may be long, and what comes behind it is left out where it is not read at once.
    expect(lines.map(({ kind }) => kind)).toEqual(['state', 'census'])
    observatory.heard(PLACES.get(3)!, [sight('left', { target: 4, cause: 'order', ago: 30 })], 2)
    clock.pass(200)
    const news = lines.at(-1) as Extract<Telling, { kind: 'news' }>
    expect(news.missed).toBe(2)
    expect(news.steps).toMatchObject([{ id: hex(ID), container: 'echo-1', to: 'hello-1', cause: 'order' }])
    clock.pass(800)
    await settled()
    const state = lines.at(-1) as Extract<Telling, { kind: 'state' }>
    expect(state.times.move?.count).toBe(1)
    expect(state.times.move?.p50).toBeGreaterThan(450)
    expect(state.times.move?.p50).toBeLessThan(550)
    expect((await observatory.life(hex(ID)))?.steps.length).toBe(1)
  })

  it('tells at most 200 steps at once, and how many there were besides', () => {
    const { clock, observatory, lines, listen } = scene()
    observatory.subscribe(listen)
    for (let round = 0; round < 10; round++)
      observatory.heard(PLACES.get(3)!, Array<Sight>(64).fill(sight('opened')), 0)
    clock.pass(200)
    const news = lines.at(-1) as Extract<Telling, { kind: 'news' }>
    expect([news.steps.length, news.missed]).toEqual([200, 440])
  })

  it('looks at no more of what a container says than an honest one would', () => {
    const { clock, observatory, lines, listen } = scene()
    observatory.subscribe(listen)
    observatory.heard(PLACES.get(3)!, Array<Sight>(100_000).fill(sight('opened')), 0)
    clock.pass(200)
    const news = lines.at(-1) as Extract<Telling, { kind: 'news' }>
    expect([news.steps.length, news.missed]).toEqual([200, 0])
  })

  it('has eight pages at most, and room for another when one is closed', () => {
    const { observatory } = scene()
    const pages = Array.from({ length: 8 }, () => observatory.subscribe(() => {}))
    expect(observatory.subscribe(() => {})).toBeUndefined()
    pages[3]!()
    expect(observatory.subscribe(() => {})).toBeDefined()
  })
})

describe('spans of time', () => {
  it('are told within 5 percent, and are forgotten after a minute', () => {
    const spans = new Spans()
    expect(spans.summary(0)).toBeUndefined()
    for (let micro = 1; micro <= 1000; micro++) spans.add(micro, 1000)
    const { count, p50, p99 } = spans.summary(2000)!
    expect(count).toBe(1000)
    expect(Math.abs(p50 - 500) / 500).toBeLessThan(0.05)
    expect(Math.abs(p99 - 990) / 990).toBeLessThan(0.05)
    expect(spans.summary(59_000)?.count).toBe(1000)
    expect(spans.summary(61_000)).toBeUndefined()
  })
})

describe('lives', () => {
  const step = (kind: Step['kind'], generation: number): Step => ({
    ...{ kind, generation, at: 0, container: 'echo-1', functionName: 'echo' },
    ...{ cause: 'none', prepared: 0, handed: 0 },
  })

  it('are in the order of generations: who left tells it late', () => {
    const lives = new Lives()
    for (const one of [step('arrived', 1), step('arrived', 2), step('left', 1), step('left', 2)])
      lives.add('a', one)
    expect(lives.of('a').map(({ kind, generation }) => `${kind} ${generation}`)).toEqual([
      ...['left 1', 'arrived 1', 'left 2', 'arrived 2'],
    ])
  })

  it('take bounded room: 4096 connections, 64 steps of each', () => {
    const lives = new Lives()
    for (let number = 0; number < 5000; number++) lives.add(String(number), step('opened', 0))
    expect(lives.of('0')).toEqual([])
    expect(lives.of('4999').length).toBe(1)
    for (let generation = 0; generation < 100; generation++) lives.add('4999', step('left', generation))
    expect(lives.of('4999').map(one => one.generation)).toEqual(
      Array.from({ length: 64 }, (_, index) => index + 36),
    )
  })
})
