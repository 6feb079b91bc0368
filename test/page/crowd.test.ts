import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.ts'
import { CHROMIUM, CHROMIUM_NOTE } from '../support/chromium.ts'
import { CONTAINERS, Crowd } from '../support/crowd.ts'

/*
 * Ten thousand connections that each move once a second: what the page is told of them, and what it shows.
 */

const MANY = 10_000

/** Of one second, once a page has been told what there is. */
async function toldInASecond(count: number): Promise<{ lines: number; bytes: number }> {
  const crowd = new Crowd(count)
  const stop = crowd.counted.subscribe(() => {})!
  await crowd.second()
  const before = { ...crowd.told }
  await crowd.second()
  stop()
  return { lines: crowd.told.lines - before.lines, bytes: crowd.told.bytes - before.bytes }
}

describe('what a page is told', () => {
  it('five lines of news a second and one of the state, 250 steps in them', async () => {
    const crowd = new Crowd(MANY)
    const lines: { kind: string; steps?: unknown[]; missed?: number }[] = []
    crowd.observatory.subscribe(line => void lines.push(JSON.parse(line) as (typeof lines)[0]))
    await crowd.second()
    lines.length = 0
    await crowd.second()
    expect(lines.map(({ kind }) => kind).sort()).toEqual([...Array(5).fill('news'), 'state'])
    const news = lines.filter(({ kind }) => kind === 'news')
    expect(news.map(({ steps }) => steps!.length)).toEqual(Array(5).fill(50))
    // None is forgotten: each connection left one container and arrived in another.
    const missed = news.reduce((sum, one) => sum + one.missed!, 0)
    expect(missed + 250).toBe(2 * MANY)
  })

  it('by five messages a second of each container, with their shares of these steps', async () => {
    for (const count of [MANY, 4 * MANY]) {
      const crowd = new Crowd(count)
      const stop = crowd.counted.subscribe(() => {})!
      await crowd.second()
      const before = { ...crowd.said }
      await crowd.second()
      stop()
      expect(crowd.said.messages - before.messages).toBe(5 * CONTAINERS)
      expect(crowd.said.sights - before.sights).toBe(250)
      expect(crowd.said.bytes - before.bytes).toBeLessThan(12_500)
      // Nothing is said where there is no page.
      const last = { ...crowd.said }
      await crowd.second()
      expect(crowd.said).toEqual(last)
    }
  })

  it('is as much of 40,000 connections as of 10,000, but for digits', async () => {
    const [some, more] = [await toldInASecond(MANY), await toldInASecond(4 * MANY)]
    expect(more.lines).toBe(some.lines)
    // Numbers of ten containers, of five lines and of four spans.
    expect(Math.abs(more.bytes - some.bytes)).toBeLessThan(100)
    expect(some.bytes).toBeLessThan(75_000)
  })

  it('at first 2000 connections and the number of all, however many there are', async () => {
    const first = async (count: number): Promise<number> => {
      const crowd = new Crowd(count)
      crowd.counted.subscribe(() => {})
      await new Promise(resolve => setImmediate(resolve))
      return crowd.told.bytes
    }
    const some = await first(MANY)
    expect(some).toBeGreaterThan(2000 * 32)
    expect(Math.abs((await first(4 * MANY)) - some)).toBeLessThan(100)
  })
})

describe.skipIf(CHROMIUM === undefined)(`a page of 10,000 connections: ${CHROMIUM_NOTE}`, () => {
  const crowd = new Crowd(MANY)
  let admin: import('../../src/supervisor/admin/admin.ts').Admin
  let browser: Browser

  beforeAll(async () => {
    // Beside the built one is the page that was built.
    const built = new URL('../../dist/src/supervisor/admin/admin.js', import.meta.url).href
    const { Admin } = (await import(built)) as typeof import('../../src/supervisor/admin/admin.ts')
    const source = { tally: crowd.tally, status: () => crowd.status(), observatory: crowd.counted }
    admin = await Admin.open({ host: '127.0.0.1', port: 0 }, () => source)
    browser = await Browser.open()
    await browser.show({ width: 1100, height: 900 })
    await browser.go(admin.page)
    await browser.until(`document.querySelector('#link').textContent === 'connected'`)
    await browser.until(`/^100 of 2000 that are known/.test(document.querySelector('#list-hint').innerText)`)
    // The first state is shown, though so long a list comes with it.
    await browser.until(`/^connections\\n10000$/m.test(document.querySelector('#figures').innerText)`)
    // From here on no more is told at once than on average.
    await crowd.second(caughtUp)
  })
  afterAll(async () => {
    await browser?.close()
    admin?.close()
  })

  const nodes = () => browser.evaluate<number>(`document.querySelectorAll('*').length`)
  /** Until what was told last is shown. */
  const caughtUp = () => {
    const hint = `; ${crowd.told.missed} steps came too fast`
    return browser.until(`document.querySelector('#list-hint').innerText.includes('${hint}')`)
  }

  it('shows how many there are, in all and in each container', async () => {
    await browser.until(`/^connections\\n10000$/m.test(document.querySelector('#figures').innerText)`)
    const places = await browser.evaluate<string>(`document.querySelector('#places-text').textContent`)
    const each = Array.from({ length: CONTAINERS }, (_, number) => `echo-${number + 1} 1000`)
    expect(places).toBe(`10000 connections in 10 containers: ${each.join(', ')}`)
  })

  it('while all of them move, it has as many nodes as before, and knows 2000 of them', async () => {
    const [before, { missed }] = [await nodes(), { ...crowd.told }]
    for (let second = 0; second < 3; second++) await crowd.second(caughtUp)
    expect(crowd.told.missed - missed).toBe(3 * (2 * MANY - 250))
    expect(await nodes()).toBe(before)
    expect(await browser.evaluate(`document.querySelectorAll('#connections tr').length`)).toBe(100)
    const hint = await browser.evaluate<string>(`document.querySelector('#list-hint').innerText`)
    expect(hint).toMatch(/^100 of 2000 that are known/)
    await browser.until(`/^connections\\n10000$/m.test(document.querySelector('#figures').innerText)`)
    expect(await browser.evaluate(`document.querySelector('#connections').innerText`)).toMatch(/echo-\d/)
  })

  it('answers a click and a key, while they move on', async () => {
    await browser.evaluate(`document.querySelector('#connections button').click()`)
    await crowd.second(caughtUp)
    await browser.until(`/requests, moves/.test(document.querySelector('#life').innerText)`)
    expect(await browser.evaluate(`document.querySelector('#life').innerText`)).toMatch(/arrived in echo-\d+/)
    await browser.press('Escape')
    await browser.until(`!document.querySelector('#life').open`)
  })

  it('has said nothing on the console', () => {
    expect(browser.errors).toEqual([])
  })
})
