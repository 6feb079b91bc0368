import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.ts'
import { CHROMIUM, CHROMIUM_NOTE } from '../support/chromium.ts'
import { Platform } from '../support/platform.ts'
import { Teaching } from '../support/teach.ts'

/*
 * The page of `hotpotato ui --teach` in a real browser, over a real platform.
 */

const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions: { echo: { hosts: [echo.local] }, hello: {} }
`

const AXE = (() => {
  try {
    return createRequire(import.meta.url).resolve('axe-core/axe.min.js')
  } catch {
    return undefined
  }
})()
const AXE_NOTE = AXE === undefined ? 'SKIPPED: there is no axe-core; get it with: npm ci' : 'axe-core'

describe.skipIf(CHROMIUM === undefined)(`the page of lessons: ${CHROMIUM_NOTE}`, () => {
  let platform: Platform
  let teaching: Teaching
  let browser: Browser

  beforeAll(async () => {
    platform = await Platform.start({ config: CONFIG })
    teaching = await Teaching.open(platform.directory)
    browser = await Browser.open()
    await browser.show({ width: 1100, height: 900 })
    await browser.go(teaching.address)
    await browser.until(`document.querySelectorAll('#lessons button').length === 13`)
  })
  afterAll(async () => {
    await browser?.close()
    await teaching?.close()
    await platform?.stop()
  })

  const learn = async (id: string): Promise<void> => {
    await browser.evaluate(`document.querySelector('#lesson').textContent = ''`)
    await browser.evaluate(`document.querySelector('#lesson-${id}').click()`)
    await browser.until(`!document.querySelector('#all').disabled`)
  }
  const text = (where: string) => browser.evaluate<string>(`document.querySelector('${where}').innerText`)

  it('says that secrets are shown, and keeps the token out of the address', async () => {
    expect(await text('#banner')).toMatch(/^Teach mode: this page shows secrets/)
    expect(await browser.evaluate('location.href')).toBe(teaching.address.replace(/#.*/, ''))
    expect(await browser.evaluate(`document.querySelector('#records').hidden`)).toBe(true)
  })

  it('makes a connection at a button, and shows it with the command that does the same', async () => {
    await learn('retry')
    expect(await text('#lesson')).toBe('HelloRetryRequest: it is below')
    expect(await text('#record-list')).toMatch(/hello_retry_request/)
    expect(await text('#tree')).toMatch(/server_application_traffic_secret_0 · opens \d+ records/)
    expect(await text('#command')).toMatch(/npx --no hotpotato connect .* --key-shares ''/)
    expect(await text('#banner')).toMatch(/^Teach mode/)
  })

  it('shows what becomes of a record that was changed on its way', async () => {
    await learn('flip')
    expect(await text('#lesson')).toMatch(/^Flip a bit: TLS: bad_record_mac: alert/)
    expect(await text('#record-list')).toMatch(/bytes that are not understood[\s\S]*alert bad_record_mac/)
  })

  it('asks for nothing of any other place, and says nothing on the console', () => {
    const { origin } = new URL(teaching.address)
    const elsewhere = browser.requests.filter(url => !url.startsWith(origin) && !/^(data|about):/.test(url))
    expect([elsewhere, browser.errors]).toEqual([[], []])
  })

  describe(AXE_NOTE, () => {
    it.skipIf(AXE === undefined)('finds no fault', async () => {
      await browser.evaluate(readFileSync(AXE!, 'utf8'))
      const check = `axe.run().then(({ violations }) => violations.map(({ id, nodes }) =>
        id + ': ' + nodes.map(({ target, failureSummary }) => target + ' ' + failureSummary).join('; ')))`
      expect(await browser.evaluate(check)).toEqual([])
    })
  })
})
