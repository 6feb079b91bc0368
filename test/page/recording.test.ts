import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withRecording } from '../../src/trace/embedded.ts'
import { type Recording, readRecording } from '../../src/trace/recording.ts'
import { Browser } from '../support/browser.ts'
import { CHROMIUM, CHROMIUM_NOTE } from '../support/chromium.ts'
import { recordedTrace } from '../support/recorded-trace.ts'
import { Certificates, hotpotato, Server } from '../support/tls-programs.ts'
import { records, traces } from '../support/traces.ts'

/*
 * A page of `connect --record FILE.html` in a real browser, opened as a file: of a connection to `serve`, and
 * of the traces of RFC 8448.
 */

const AXE = (() => {
  try {
    return createRequire(import.meta.url).resolve('axe-core/axe.min.js')
  } catch {
    return undefined
  }
})()
const AXE_NOTE = AXE === undefined ? 'SKIPPED: there is no axe-core; get it with: npm ci' : 'axe-core'
/** Where pictures go, if they are wanted (`npm run docs:pictures`), and of which screens. */
const PICTURES = process.env.HOTPOTATO_PICTURES
const DRAWN: Readonly<Record<string, { readonly file: string; readonly where: string }>> = {
  'a desk': { file: 'recording.png', where: '#records' },
  'the dark': { file: 'key-schedule.png', where: '#schedule' },
}

describe.skipIf(CHROMIUM === undefined)(`the page of a recording: ${CHROMIUM_NOTE}`, () => {
  let files: Certificates
  let server: Server
  let browser: Browser
  let address = ''
  let recording: Recording

  beforeAll(async () => {
    files = await Certificates.make()
    server = await Server.serve([
      ...['--cert', files.file('localhost.crt'), '--key', files.file('localhost.key')],
      ...['--early-data', '1000'],
    ])
    const page = files.file('session.html')
    const made = await hotpotato(
      [
        ...['connect', `localhost:${server.port}`, '--ca', files.file('ca.crt'), '--record', page],
        ...['--resume', '--key-update', '--quiet'],
      ],
      'GET /tls HTTP/1.0\r\n\r\n',
    )
    expect([made.status, made.stderr]).toEqual([0, ''])
    address = pathToFileURL(page).href
    recording = readRecording(recordingIn(readFileSync(page, 'utf8')))
    browser = await Browser.open()
    await browser.show({ width: 1100, height: 900 })
  })
  afterAll(async () => {
    await browser?.close()
    server?.stop()
    files?.remove()
  })

  const open = async (url = address): Promise<void> => {
    await browser.go(url)
    await browser.until(`location.href === ${JSON.stringify(url)} && document.querySelector('#tree li')`)
  }
  /** Opens what has that text in its summary, and gives what it shows then. */
  const unfold = (where: string, text: string): Promise<string> =>
    browser.evaluate(`(async () => {
      const all = [...document.querySelectorAll('${where} details')]
      const details = all.find(one => one.querySelector('summary').textContent.includes('${text}'))
      if (!details.open) {
        const toggled = new Promise(resolve => details.addEventListener('toggle', resolve, { once: true }))
        details.open = true
        await toggled
      }
      return details.innerText
    })()`)

  it('opens without a network, with both connections, the last one first', async () => {
    await open()
    const options = `[...document.querySelectorAll('#connection option')].map(one => one.textContent)`
    expect(await browser.evaluate(options)).toEqual(['1: a handshake', '2: a resumption'])
    expect(await browser.evaluate(`document.querySelector('#connection').value`)).toBe('1')
    expect(await browser.evaluate(`document.querySelector('#banner').innerText`)).toMatch(/secrets/)
    expect(await browser.evaluate(`document.querySelector('#record-list').innerText`)).not.toMatch(
      /certificate_verify/,
    )
    await browser.evaluate(`(choice => {
      choice.value = '0'
      choice.dispatchEvent(new Event('change'))
    })(document.querySelector('#connection'))`)
    await browser.until(`/certificate_verify/.test(document.querySelector('#record-list').innerText)`)
    expect(browser.requests.filter(url => !/^(file|data|about):/.test(url))).toEqual([])
  })

  it('shows a record sealed and in clear, and marks the bytes of a field', async () => {
    await open()
    const text = await unfold('#record-list', 'encrypted_extensions')
    expect(text).toMatch(/On the wire, \d+ bytes/)
    expect(text).toMatch(/RFC 8446 §4.3.1/)
    expect(text).toMatch(/Record number 0 \(RFC 8446 §5.3\) under\s+server_handshake_traffic_secret/)
    const message = recording.connections[1]!.events.find(
      one => one.kind === 'message' && one.type === 'encrypted_extensions',
    ) as { bytes: string }
    expect(spaceless(text)).toContain(message.bytes)
    const marked = await browser.evaluate<string[]>(`(() => {
      const table = document.querySelector('#record-list details[open] .annotated')
      return [...table.querySelectorAll('button')].slice(0, 2).map(button => {
        button.click()
        const { textContent } = document.querySelector('#record-list details[open] mark')
        return button.textContent + ' ' + textContent + ' ' + button.getAttribute('aria-pressed')
      })
    })()`)
    expect(marked).toEqual([
      'msg_type 08 true',
      `length ${message.bytes.slice(2, 8).replace(/..(?=.)/g, '$& ')} true`,
    ])
    expect(
      await browser.evaluate(`document.querySelectorAll('#record-list [aria-pressed="true"]').length`),
    ).toBe(1)
  })

  it('leads from a record to its secret, whose arrow is shown with the HkdfLabel', async () => {
    await open()
    await unfold('#record-list', 'encrypted_extensions')
    await browser.evaluate(`[...document.querySelectorAll('#record-list button')].find(button =>
      button.textContent === 'server_handshake_traffic_secret').click()`)
    await browser.until(`/HKDF-Expand-Label/.test(document.querySelector('#tree details[open]')?.innerText)`)
    const text = await browser.evaluate<string>(`document.querySelector('#tree details[open]').innerText`)
    expect(text).toContain('HKDF-Expand-Label(handshake_secret, "s hs traffic", context)')
    expect(text).toContain('gives the same')
    expect(text).toMatch(/Key and iv \(RFC 8446 §7.3\)/)
    expect(await browser.evaluate(`document.activeElement.textContent`)).toMatch(
      /^server_handshake_traffic_secret · opens \d+ record/,
    )
  })

  it('draws the whole schedule, and what this connection has of it', async () => {
    await open()
    const tree = await browser.evaluate<string>(`document.querySelector('#tree').innerText`)
    expect(tree).toMatch(/client_early_traffic_secret · not in this connection/)
    expect(tree).toMatch(/server_application_traffic_secret_1 · opens \d+ record/)
    const path = await browser.evaluate<string[]>(`(() => {
      const names = []
      for (let item = document.querySelector('#secret-client-application-traffic-secret-1, ' +
        '#secret-client_application_traffic_secret_1'); item; item = item.parentElement.closest('#tree li'))
        names.unshift(item.id)
      return names
    })()`)
    expect(path).toEqual([
      ...['secret-early_secret', 'secret-handshake_secret', 'secret-master_secret'],
      ...['secret-client_application_traffic_secret_0', 'secret-client_application_traffic_secret_1'],
    ])
  })

  it('shows the bytes of the session, and what has changed in them', async () => {
    await open()
    const text = await unfold('#states', 'after the handshake')
    expect(spaceless(text)).toContain(recording.connections[1]!.states[0]!.bytes)
    expect(text).toMatch(/traffic_secret/)
    expect(await browser.evaluate(`document.querySelector('#states').innerText`)).toMatch(
      /read › .*sequence_number\s+0\s+[1-9]/,
    )
  })

  it('says of a file that it is no recording, and of a fault in one where it is', async () => {
    await open()
    const pick = (text: string) =>
      browser.evaluate(`(() => {
        const transfer = new DataTransfer()
        transfer.items.add(new File([${JSON.stringify(text)}], 'a.json'))
        const input = document.querySelector('#file')
        input.files = transfer.files
        input.dispatchEvent(new Event('change'))
      })()`)
    await pick('{}')
    await browser.until(`/^this is no recording: /.test(document.querySelector('#fault').textContent)`)
    await pick(JSON.stringify({ ...recording, title: '<img src=x onerror=alert(1)>' }))
    await browser.until(`document.querySelector('#title').textContent.startsWith('<img')`)
    expect(await browser.evaluate(`document.querySelectorAll('img').length`)).toBe(0)
  })

  it('gives the recording as files, the page among them, which opens as this one does', async () => {
    await open()
    const saved = await browser.evaluate<Record<string, string>>(`(async () => {
      const files = {}
      const blobs = []
      URL.createObjectURL = blob => (blobs.push(blob), '#')
      for (const button of document.querySelectorAll('#takes button')) {
        button.click()
        files[button.textContent] = await blobs.pop().text()
      }
      return files
    })()`)
    expect(Object.keys(saved)).toHaveLength(4)
    expect(saved['key log']).toMatch(/^SERVER_TRAFFIC_SECRET_0 [0-9a-f]{64} [0-9a-f]{64}$/m)
    expect(readRecording(saved.JSON!)).toEqual(recording)
    const again = files.file('again.html')
    writeFileSync(again, saved['this page with the recording in it']!)
    await open(pathToFileURL(again).href)
    expect(await browser.evaluate(`document.querySelectorAll('#record-list li').length`)).toBeGreaterThan(5)
  })

  it('that lies on a web server asks for nothing more, and is no page of lessons', async () => {
    const asked: (string | undefined)[] = []
    const site = createServer(({ url }, response) => {
      asked.push(url)
      response.setHeader('content-type', 'text/html').end(readFileSync(files.file('session.html')))
    })
    await once(site.listen(0, '127.0.0.1'), 'listening')
    const { port } = site.address() as AddressInfo
    await open(`http://127.0.0.1:${port}/session.html`)
    expect(await browser.evaluate(`document.querySelector('#teach').hidden`)).toBe(true)
    expect(await browser.evaluate(`document.querySelector('#banner').innerText`)).toMatch(/^This recording/)
    expect(asked).toEqual(['/session.html'])
    site.close()
    site.closeAllConnections()
  })

  it.each(traces)('shows RFC 8448 §$section, $title, with the bytes that the text prints', async one => {
    const page = files.file(`${one.name}.html`)
    const empty = readFileSync(new URL('../../dist/src/page/recording.html', import.meta.url), 'utf8')
    writeFileSync(page, withRecording(empty, JSON.stringify(recordedTrace(one))))
    await open(pathToFileURL(page).href)
    const shown = await browser.evaluate<string[]>(`(async () => {
      const texts = []
      for (const details of document.querySelectorAll('#record-list details')) {
        const toggled = new Promise(resolve => details.addEventListener('toggle', resolve, { once: true }))
        details.open = true
        await toggled
        for (const view of [...details.querySelectorAll('.sides .hex')]) texts.push(view.textContent)
      }
      return texts
    })()`)
    const seen = shown.map(spaceless).map(text => (text === 'nobytes' ? '' : text))
    for (const side of ['client', 'server'] as const)
      for (const { record, payload } of records(one, side)) {
        const at = seen.indexOf(Buffer.from(record).toString('hex'))
        expect(seen[at + 1]).toBe(Buffer.from(payload).toString('hex'))
      }
  })

  it('is used by keys alone', async () => {
    await open()
    await browser.evaluate('scrollTo(0, 0); document.activeElement?.blur()')
    await browser.press('Tab')
    expect(await browser.evaluate('document.activeElement.className')).toBe('skip')
    await browser.press('Enter')
    await browser.until(`location.hash === '#records'`)
    await browser.press('Tab')
    await browser.until(`document.activeElement.matches('#record-list summary')`)
    await browser.press('Enter')
    await browser.until(`document.querySelector('#record-list details[open] .annotated') !== null`)
    for (let tabs = 0; tabs < 10; tabs++) {
      await browser.press('Tab')
      if (await browser.evaluate(`document.activeElement.matches('.annotated button')`)) break
    }
    await browser.press('Enter')
    await browser.until(`document.querySelector('#record-list mark') !== null`)
  })

  const screens = [
    ['a desk', { width: 1100, height: 900 }],
    ['a phone', { width: 360, height: 740 }],
    ['the dark', { width: 1100, height: 900, dark: true }],
  ] as const
  describe(AXE_NOTE, () => {
    it.skipIf(AXE === undefined).each(screens)('finds no fault on %s', async (name, screen) => {
      await browser.show(screen)
      await open()
      await unfold('#record-list', 'server_hello')
      await unfold('#record-list', 'application_data')
      await unfold('#tree', 'handshake_secret')
      await unfold('#tree', 'server_handshake_traffic_secret')
      await unfold('#tree', 'client_early_traffic_secret')
      await unfold('#states', 'after the handshake')
      await browser.evaluate(`document.querySelectorAll('#record-list .annotated button')[3].click()`)
      await browser.evaluate(readFileSync(AXE!, 'utf8'))
      const check = `axe.run().then(({ violations }) => violations.map(({ id, nodes }) =>
        id + ': ' + nodes.map(({ target, failureSummary }) => target + ' ' + failureSummary).join('; ')))`
      expect(await browser.evaluate(check)).toEqual([])
      expect(await browser.evaluate('document.documentElement.scrollWidth > innerWidth')).toBe(false)
      const picture = DRAWN[name]
      if (PICTURES === undefined || picture === undefined) return
      const { file, where } = picture
      await browser.evaluate(`document.querySelector('${where}').scrollIntoView({ behavior: 'instant' })`)
      mkdirSync(PICTURES, { recursive: true })
      writeFileSync(join(PICTURES, file), await browser.picture())
    })
  })

  it('has said nothing on the console', () => {
    expect(browser.errors).toEqual([])
  })
})

function spaceless(text: string): string {
  return text.replace(/\s+/g, '')
}

function recordingIn(page: string): string {
  return /<script type="application\/json" id="recording">([\s\S]*?)<\/script>/.exec(page)![1]!
}
