import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Browser } from '../support/browser.ts'
import { CHROMIUM, CHROMIUM_NOTE } from '../support/chromium.ts'
import { Platform } from '../support/platform.ts'
import { Teaching } from '../support/teach.ts'
import { has } from '../support/tls-programs.ts'

/*
 * In the page of lessons: a live connection that is moved and broken, and clients that are not its own.
 */

const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions: { echo: { hosts: [echo.local], duplicate: true, replicas: 2 } }
`

const AXE = (() => {
  try {
    return createRequire(import.meta.url).resolve('axe-core/axe.min.js')
  } catch {
    return undefined
  }
})()
const AXE_NOTE = AXE === undefined ? 'SKIPPED: there is no axe-core; get it with: npm ci' : 'axe-core'
const PICTURES = process.env.HOTPOTATO_PICTURES

describe.skipIf(CHROMIUM === undefined)(`live lessons: ${CHROMIUM_NOTE}`, () => {
  let platform: Platform
  let teaching: Teaching
  let browser: Browser

  beforeAll(async () => {
    platform = await Platform.start({ config: CONFIG })
    teaching = await Teaching.open(platform.directory)
    browser = await Browser.open()
    await browser.show({ width: 1100, height: 900 })
    await browser.go(teaching.address)
    await browser.until(`document.querySelectorAll('#container option').length === 2`)
  })
  afterAll(async () => {
    await browser?.close()
    await teaching?.close()
    await platform?.stop()
  })

  const press = async (id: string): Promise<string> => {
    await browser.evaluate(`document.querySelector('#lesson').textContent = ''`)
    await browser.evaluate(`document.querySelector('#${id}').click()`)
    await browser.until(`!document.querySelector('#all').disabled`)
    return text('#lesson')
  }
  const text = (where: string) => browser.evaluate<string>(`document.querySelector('${where}').innerText`)
  const rows = () =>
    browser.evaluate<string[][]>(`[...document.querySelectorAll('#custody div:first-of-type tbody tr')]
      .map(row => [...row.children].map(cell => cell.textContent))`)
  const choose = (name: string) =>
    browser.evaluate(`document.querySelector('#container').value = ${JSON.stringify(name)}`)
  const other = (name: string) => (name === 'echo-1' ? 'echo-2' : 'echo-1')

  it('a move shows its rows of custody, and what both containers tell', async () => {
    expect(await press('live-ask')).toMatch(/^Send a request: echo-\d has answered with 200/)
    const from = (await rows()).at(-1)![1]!
    await choose(other(from))
    expect(await press('move')).toMatch(
      new RegExp(`^Move to ${other(from)}: moved from ${from} to ${other(from)}`),
    )
    expect((await rows()).slice(-3).map(([, owner]) => owner)).toEqual([from, other(from), other(from)])
    expect(await text('#custody')).toMatch(new RegExp(`left ${from} for ${other(from)} by order`))
    expect(await text('#custody')).toMatch(new RegExp(`arrived in ${other(from)}`))
  })

  it('headings stand over their cells: of words, and of numbers', async () => {
    await browser.evaluate(`document.querySelector('#record-list details:not([open]) summary').click()`)
    await browser.until(`document.querySelector('#record-list details[open] .annotated') !== null`)
    const tables = await browser.evaluate<[string[], string[]][]>(`[...document.querySelectorAll('table')]
      .filter(({ tHead, tBodies }) => tHead !== null && tBodies[0].rows.length > 0)
      .map(({ tHead, tBodies }) => [tHead.rows[0], tBodies[0].rows[0]]
        .map(({ cells }) => [...cells].map(cell => getComputedStyle(cell).textAlign)))`)
    for (const [heads, cells] of tables) expect(heads).toEqual(cells)
    const kinds = tables.map(([heads]) => heads.join(' '))
    expect(kinds).toContain('left right right left')
    expect(kinds).toContain('left left left left left left')
    await browser.evaluate(`document.querySelector('#record-list details[open] summary').click()`)
  })

  it('a KeyUpdate now is in the records of the same connection', async () => {
    await press('live-key-update')
    expect(await text('#record-list')).toMatch(/key_update/)
    expect(await text('#tree')).toMatch(/client_application_traffic_secret_1/)
  })

  it('the kill of its container says whom it kills, and shows the successor', async () => {
    expect(await text('#kill-says')).toMatch(/The process of that container gets SIGKILL, and no other/)
    const at = (await rows()).at(-1)![1]!
    await choose(at)
    expect(await press('kill')).toMatch(new RegExp(`^Kill ${at}: ${at} was killed; .*Its checkpoint: record`))
    expect((await rows()).at(-1)![1]).not.toBe(at)
    expect(await text('#custody')).toMatch(/took it over from one that died/)
  })

  it('a flipped bit ends it, and the page says with which alert', async () => {
    expect(await press('live-flip')).toMatch(/bad_record_mac/)
    expect(await text('#custody')).toMatch(/ended[\s\S]*no container/)
  })

  it('an expired ticket is offered, and the server makes a full handshake', async () => {
    await press('lesson-stale')
    expect(await text('#record-list')).toMatch(/certificate_verify/)
    expect(await text('#command')).toMatch(/--resume --stale/)
  })

  it.skipIf(!has('curl'))(
    'your own curl is shown while it goes on, and what is open stays open',
    async () => {
      expect(await press('invite')).toMatch(/it listens. Type curl /)
      const [program, ...words] = (await text('#guest-command')).split(' ')
      const ask = () => promisify(execFile)(program!, ['-sS', ...words])
      expect((await ask()).stdout).toBe('hello\n')
      // Until then it is the lesson before that is shown.
      await browser.until(`/seen from the server/.test(document.querySelector('#states').innerText)`)
      expect(await text('#record-list')).toMatch(/client_hello/)
      expect(await text('#tree')).toMatch(/client_handshake_traffic_secret · opens \d+ record/)
      await browser.evaluate(`document.querySelector('#record-list summary').focus()`)
      await browser.press('Enter')
      await browser.until(`document.querySelector('#record-list details[open] .annotated') !== null`)
      // It has been chosen, so the next one does not take its place.
      await ask()
      await browser.until(`document.querySelectorAll('#connection option').length === 2`)
      await browser.evaluate(`(choice => {
      choice.value = '0'
      choice.dispatchEvent(new Event('change'))
    })(document.querySelector('#connection'))`)
      await browser.evaluate(`document.querySelector('#record-list summary').click()`)
      await ask()
      await browser.until(`document.querySelectorAll('#connection option').length === 3`)
      expect(await browser.evaluate(`document.querySelector('#connection').value`)).toBe('0')
      expect(await browser.evaluate(`document.querySelectorAll('#record-list details[open]').length`)).toBe(1)
    },
  )

  it('your own browser, too: what it says of an authority that it does not know', async () => {
    await press('invite')
    const guest = await Browser.open()
    await guest.go(await text('#guest-address'))
    await browser.until(`/alert certificate_unknown/.test(document.querySelector('#record-list').innerText)`)
    await guest.close()
  })

  it('another lesson takes its place, and stays', async () => {
    await press('invite')
    await press('lesson-full')
    const [program, ...words] = (await text('#guest-command')).split(' ')
    await promisify(execFile)(program!, ['-sS', ...words])
    await new Promise(resolve => setTimeout(resolve, 1500))
    expect(await text('#states')).toMatch(/seen from the client/)
  })

  const screens = [
    ['a desk', { width: 1100, height: 900 }],
    ['a phone', { width: 360, height: 740 }],
    ['the dark', { width: 1100, height: 900, dark: true }],
  ] as const
  describe(AXE_NOTE, () => {
    it.skipIf(AXE === undefined).each(screens)('finds no fault on %s', async (name, screen) => {
      await browser.show(screen)
      await press('live-ask')
      await press('invite')
      const at = (await rows()).at(-1)![1]!
      await choose(other(at))
      await press('move')
      await browser.evaluate(readFileSync(AXE!, 'utf8'))
      const check = `axe.run().then(({ violations }) => violations.map(({ id, nodes }) =>
        id + ': ' + nodes.map(({ target, failureSummary }) => target + ' ' + failureSummary).join('; ')))`
      expect(await browser.evaluate(check)).toEqual([])
      expect(await browser.evaluate('document.documentElement.scrollWidth > innerWidth')).toBe(false)
      if (PICTURES === undefined || name !== 'a desk') return
      await browser.evaluate(`document.querySelector('#deeds').scrollIntoView({ behavior: 'instant' })`)
      mkdirSync(PICTURES, { recursive: true })
      writeFileSync(join(PICTURES, 'live.png'), await browser.picture())
    })
  })

  it('is used by keys alone', async () => {
    await browser.evaluate(`document.querySelector('#live-ask').focus()`)
    await browser.press('Enter')
    await browser.until(`/^Send a request: echo/.test(document.querySelector('#lesson').innerText)`)
    expect(await browser.evaluate('document.activeElement.id')).toBe('live-ask')
  })

  it('has said nothing on the console, and asked no other place', () => {
    const { origin } = new URL(teaching.address)
    const elsewhere = browser.requests.filter(url => !url.startsWith(origin) && !/^(data|about):/.test(url))
    expect([elsewhere, browser.errors]).toEqual([[], []])
  })
})
