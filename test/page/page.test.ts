import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.ts'
import { CHROMIUM, CHROMIUM_NOTE } from '../support/chromium.ts'
import { Client } from '../support/client.ts'
import { hotpotato, Platform } from '../support/platform.ts'

/*
 * The page of `hotpotato ui` in a real browser, over a real platform whose connections move.
 */

const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
duplicate: true
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300 } }
functions: { echo: { hosts: [echo.local], replicas: 2 }, hello: {} }
`

const AXE = (() => {
  try {
    return createRequire(import.meta.url).resolve('axe-core/axe.min.js')
  } catch {
    return undefined
  }
})()
const AXE_NOTE = AXE === undefined ? 'SKIPPED: there is no axe-core; get it with: npm ci' : 'axe-core'

/** Where pictures go, if they are wanted: `npm run docs:pictures`. */
const PICTURES = process.env.HOTPOTATO_PICTURES

describe.skipIf(CHROMIUM === undefined)(`the page: ${CHROMIUM_NOTE}`, () => {
  let platform: Platform
  let browser: Browser
  let address = ''
  let client: Client

  beforeAll(async () => {
    platform = await Platform.start({ config: CONFIG, environment: { HOTPOTATO_CARRIER: 'fd' } })
    address = (await hotpotato(platform.directory, ['ui', '--print'])).stdout.trim()
    browser = await Browser.open()
    await browser.show({ width: 1100, height: 900 })
    client = await Client.open({
      port: platform.https,
      tls: { ca: platform.ca, serverName: 'echo.local' },
    })
    await client.request('/echo')
    await browser.go(address)
    await browser.until(`document.querySelector('#link').textContent === 'connected'`)
    // No sooner: what is shown first is no shift.
    await browser.evaluate(`
      globalThis.shifts = []
      new PerformanceObserver(list => {
        for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) shifts.push(value)
      }).observe({ type: 'layout-shift', buffered: false })`)
  })
  afterAll(async () => {
    await browser?.close()
    await platform?.stop()
  })

  const rows = (): Promise<string[]> =>
    browser.evaluate(`[...document.querySelectorAll('#connections tr')].map(row => row.innerText)`)

  it('shows a connection that was there before, and where it goes', async () => {
    await browser.until(`document.querySelectorAll('#connections tr').length === 1`)
    expect((await rows())[0]).toMatch(/was there/)
    const { container } = await client.request('/hello')
    expect(container).toBe('hello-1')
    // What is told first is that it has left for hello-1.
    await browser.until(`/arrived in hello-1/.test(document.querySelector('#connections').innerText)`)
    expect(await rows()).toHaveLength(1)
  })

  it('shows moves by order, how long they take, and each container with its connections', async () => {
    const { container: from } = await client.request('/echo')
    const to = from === 'echo-1' ? 'echo-2' : 'echo-1'
    const { connections } = await platform.order<{ connections: { id: string }[] }>('status connections')
    await platform.order(`move ${connections[0]!.id} ${to}`)
    await browser.until(`/arrived in ${to}/.test(document.querySelector('#connections').innerText)`)
    await browser.until(`/a move, p50 · p99\\n[\\d.]+ (µs|ms|s) · /.test(document.body.innerText)`)
    await browser.until(`/${to}\\s+echo\\s+ready\\s+1/.test(document.querySelector('#containers').innerText)`)
    // Containers are counted one after the other: for a moment it may be in two of them.
    await browser.until(
      `/^1 connection in 3 containers: /.test(document.querySelector('#places-text').textContent)`,
    )
  })

  it('tells one connection’s life at a click in the table, and on the canvas', async () => {
    await browser.evaluate(`document.querySelector('#connections button').click()`)
    await browser.until(`/requests, moves/.test(document.querySelector('#life').innerText)`)
    const life = await browser.evaluate<string>(`document.querySelector('#life').innerText`)
    expect(life).toMatch(/left echo-\d for echo-\d by order/)
    expect(life).toMatch(/frozen in [\d.]+ (µs|ms|s), handed over in [\d.]+ (µs|ms|s)/)
    expect(life).toMatch(/set up in [\d.]+ (µs|ms|s)/)
    expect(life).toContain('TLS_AES_128_GCM_SHA256')
    await browser.press('Escape')
    await browser.until(`!document.querySelector('#life').open`)
    // The one potato lies in the middle of its place; it is looked for where the canvas has its colour.
    const spot = await browser.evaluate<{ x: number; y: number }>(`(async () => {
      const canvas = document.querySelector('#places')
      canvas.scrollIntoView({ block: 'center', behavior: 'instant' })
      for (let tries = 0; tries < 100; tries++) {
        await new Promise(resolve => setTimeout(resolve, 1500))
        const { width, height } = canvas
        const { data } = canvas.getContext('2d').getImageData(0, 0, width, height)
        const { left, top } = canvas.getBoundingClientRect()
        for (let at = 0; at < data.length; at += 4)
          if (data[at] === 185 && data[at + 1] === 128 && data[at + 2] === 61 && data[at + 3] === 255)
            return { x: left + ((at / 4) % width), y: top + Math.floor(at / 4 / width) + 3 }
      }
    })()`)
    await browser.click(spot.x, spot.y)
    await browser.until(`document.querySelector('#life').open && /by order/.test(life.innerText)`)
    await browser.press('Escape')
  })

  it('shows that a connection outlives its container', async () => {
    const { container } = await client.request('/echo')
    await platform.kill(container!)
    await browser.until(`/took it over/.test(document.querySelector('#connections').innerText)`)
    expect((await client.request('/echo')).status).toBe(200)
    await browser.until(`/taken over\\n[1-9]/.test(document.body.innerText)`)
    await browser.until(`/checkpoints\\n[1-9]/.test(document.body.innerText)`)
  })

  it('shows the end of a connection, and that of the platform’s word', async () => {
    const other = await Client.open({ port: platform.http })
    await other.request('/hello')
    await browser.until(`/opened in|hello-1/.test(document.querySelector('#connections').innerText)`)
    await other.close()
    await browser.until(`document.querySelector('#connections tr.gone') !== null`)
    await browser.until(`document.querySelector('#connections tr.gone') === null`)
  })

  it('keeps the token out of the address, and asks no other place', async () => {
    expect(await browser.evaluate('location.href')).toBe(address.replace(/#.*/, ''))
    await browser.evaluate('location.reload()')
    await browser.until(`document.querySelector('#link')?.textContent === 'connected'`)
    const origin = new URL(address).origin
    const elsewhere = browser.requests.filter(url => !url.startsWith(origin) && !/^(data|about):/.test(url))
    expect(elsewhere).toEqual([])
  })

  it('moves nothing about as figures and rows come', async () => {
    await browser.evaluate(`
      globalThis.shifts = []
      new PerformanceObserver(list => {
        for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) shifts.push(value)
      }).observe({ type: 'layout-shift', buffered: true })`)
    for (const path of ['/hello', '/echo', '/hello', '/echo']) await client.request(path)
    await browser.until(`/echo-\\d/.test(document.querySelector('#connections').innerText)`)
    await browser.until(`document.querySelectorAll('#containers tr').length === 3`)
    expect(await browser.evaluate('shifts')).toEqual([])
  })

  it('is used by keys alone', async () => {
    await browser.evaluate('scrollTo(0, 0); document.activeElement?.blur()')
    await browser.press('Tab')
    expect(await browser.evaluate('document.activeElement.className')).toBe('skip')
    await browser.press('Enter')
    await browser.until(`location.hash === '#list'`)
    for (let tabs = 0; tabs < 4; tabs++) {
      await browser.press('Tab')
      if (await browser.evaluate(`document.activeElement.matches('#connections button')`)) break
    }
    await browser.press('Enter')
    await browser.until(`document.querySelector('#life').open`)
    await browser.press('Escape')
    await browser.until(`document.activeElement.matches('#connections button')`)
  })

  const screens = [
    ['a desk', { width: 1100, height: 900 }],
    ['a phone', { width: 360, height: 740 }],
    ['the dark', { width: 1100, height: 900, dark: true }],
    ['one who wants no motion', { width: 1100, height: 900, still: true }],
  ] as const
  describe(AXE_NOTE, () => {
    it.skipIf(AXE === undefined).each(screens)('finds no fault on %s', async (name, screen) => {
      await browser.show(screen)
      await client.request('/hello')
      await client.request('/echo')
      await browser.evaluate(readFileSync(AXE!, 'utf8'))
      const check = `axe.run().then(({ violations }) => violations.map(({ id, nodes }) =>
        id + ': ' + nodes.map(({ target, failureSummary }) => target + ' ' + failureSummary).join('; ')))`
      expect(await browser.evaluate(check)).toEqual([])
      await browser.evaluate(`document.querySelector('#connections button').click()`)
      await browser.until(`/cipher|protocol/.test(document.querySelector('#life').innerText)`)
      expect(await browser.evaluate(check)).toEqual([])
      await browser.press('Escape')
      const wide = await browser.evaluate('document.documentElement.scrollWidth > innerWidth')
      expect(wide).toBe(false)
      if (PICTURES === undefined || name !== 'a desk') return
      mkdirSync(PICTURES, { recursive: true })
      await browser.evaluate('scrollTo(0, 0)')
      writeFileSync(join(PICTURES, 'page.png'), await browser.picture())
    })
  })

  it('has said nothing on the console', () => {
    expect(browser.errors).toEqual([])
  })
})
