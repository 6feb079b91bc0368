import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scaleOf, tickText } from '../../bench/report/axis.ts'
import { plot } from '../../bench/report/plot.ts'
import { svg } from '../../bench/report/svg.ts'
import { CHROMIUM } from '../support/chromium.ts'
import { LONG } from '../support/long.ts'
import { migrationResult, otherResult } from './sample.ts'
import { faultsOf } from './schema.ts'

const REPORT = fileURLToPath(new URL('../../dist/bench/report/main.js', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'hotpotato-report-'))
const page = join(directory, 'report.html')
const result = migrationResult()
afterAll(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))

describe('npm run bench:report', () => {
  beforeAll(async () => {
    const file = join(directory, 'migration-2026-01-01T00-00-00Z.json')
    writeFileSync(file, JSON.stringify(result))
    await promisify(execFile)(process.execPath, [REPORT, '--output', page, file])
  })

  it('one file without a script, a link or an address', () => {
    expect(faultsOf(result)).toEqual([])
    const html = readFileSync(page, 'utf8')
    expect(html).not.toMatch(/<script|<link (?!rel="icon" href="data:,")|https?:|url\(|@import|src=/)
    // Two distributions, two beside engines, two waterfalls, four sweeps, each for a screen and for a phone;
    // keys of legends apart.
    expect(html.match(/<svg [^>]*role="img"/g)).toHaveLength(20)
    expect(html.match(/<div class="narrow"><svg viewBox="0 0 380 /g)).toHaveLength(10)
    expect(html).not.toMatch(/NaN|Infinity|undefined/)
    expect(html).toContain('prefers-color-scheme: dark')
    expect(html).toContain('@media print')
  })

  it('the bytes of an idle connection are drawn as inspect draws them, secrets masked', () => {
    const html = readFileSync(page, 'utf8')
    expect(html).toMatch(/What moves, byte by byte[\s\S]*an idle HTTPS connection, \d+ bytes/)
    expect(html).toMatch(/<th>\s*sequence_number<\/th><td>\d+<\/td><td>8<\/td>/)
    expect(html).toMatch(/traffic_secret<\/th>(<td>[^<]*<\/td>){3}<td>\(secret\)</)
  })

  it('what a result says is text, not HTML', () => {
    const html = readFileSync(page, 'utf8')
    expect(html).toContain('&lt;b&gt;CPU&lt;/b&gt;')
    expect(html).not.toContain('<b>CPU')
  })

  it('a file that is no result ends it with a message', async () => {
    const file = join(directory, 'nonsense.json')
    writeFileSync(file, '{"format":1}')
    const refused = promisify(execFile)(process.execPath, [REPORT, '--output', page, file])
    await expect(refused).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not a result of format 2'),
    })
  })

  it.skipIf(CHROMIUM === undefined)(
    `${CHROMIUM ?? 'chromium (not installed)'} shows it without an error`,
    { timeout: 240_000 },
    async () => {
      // Chromium writes what a page says on its console to standard error, marked as such.
      const { html, console } = await load(pathToFileURL(page).href)
      expect(html).toContain('<h2>Where each microsecond goes</h2>')
      expect(html.match(/<path/g)!.length).toBeGreaterThan(10)
      expect(console).toEqual([])
      // The check itself must be able to fail.
      const bad = join(directory, 'bad.html')
      writeFileSync(bad, '<!doctype html><script>nonsense()</script>')
      expect((await load(pathToFileURL(bad).href)).console.join()).toContain('nonsense is not defined')
    },
  )

  it.skipIf(CHROMIUM === undefined || !LONG)(
    `${CHROMIUM ?? 'chromium (not installed)'} shows it dark if asked to, and prints it black on white`,
    { timeout: 240_000 },
    async () => {
      // What the page comes to look like, said by a script that only this copy has.
      const copy = join(directory, 'copy.html')
      const says = `<script>
const bar = document.querySelector('svg .bar')
const look = () => getComputedStyle(document.body).backgroundColor + ' ' + getComputedStyle(bar).fill
document.title = look()
</script>`
      writeFileSync(copy, readFileSync(page, 'utf8').replace('</body>', `${says}</body>`))
      const light = await load(pathToFileURL(copy).href)
      const dark = await load(pathToFileURL(copy).href, ['--force-dark-mode'])
      expect([light.console, dark.console]).toEqual([[], []])
      expect(light.html).toContain('<title>rgb(255, 255, 255) rgb(11, 98, 196)</title>')
      expect(dark.html).toContain('<title>rgb(20, 20, 22) rgb(108, 178, 255)</title>')
      // What holds for paper, on a dark screen.
      writeFileSync(copy, readFileSync(copy, 'utf8').replace('@media print', '@media all'))
      const paper = await load(pathToFileURL(copy).href, ['--force-dark-mode'])
      expect(paper.html).toContain('<title>rgb(255, 255, 255) rgb(11, 98, 196)</title>')
      const pdf = join(directory, 'page.pdf')
      const printed = await load(pathToFileURL(page).href, ['--force-dark-mode', `--print-to-pdf=${pdf}`])
      expect(printed.console).toEqual([])
      expect(readFileSync(pdf).subarray(0, 5).toString('latin1')).toBe('%PDF-')
    },
  )

  it('benches without sections of their own: pictures of what has several values, and tables', async () => {
    const file = join(directory, 'other-2026-01-01T00-00-00Z.json')
    const other = { ...otherResult(), parameters: {}, skipped: [], goals: [] }
    expect(faultsOf(other)).toEqual([])
    writeFileSync(file, JSON.stringify(other))
    const out = join(directory, 'other.html')
    await promisify(execFile)(process.execPath, [REPORT, '--output', out, file])
    const html = readFileSync(out, 'utf8')
    // A line over the connections, curves, bars.
    expect(html.match(/<svg [^>]*role="img"/g)).toHaveLength(6)
    expect(html).toContain('<section id="failover-measurements">')
    expect(html).toContain('from the kill until &lt;all&gt; are answered (ms)')
    expect(html).not.toMatch(/NaN|Infinity|undefined/)
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })
})

/** Opens a page. @returns what it came to be, and the lines of its console */
function load(url: string, more: readonly string[] = []): Promise<{ html: string; console: string[] }> {
  const profile = mkdtempSync(join(directory, 'profile-'))
  const words = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
    '--enable-logging=stderr',
    '--v=0',
    `--user-data-dir=${profile}`,
    '--virtual-time-budget=5000',
    '--dump-dom',
    ...more,
    url,
  ]
  const browser = spawn('chromium', words, { stdio: ['ignore', 'pipe', 'pipe'] })
  let [html, errors] = ['', '']
  browser.stdout.on('data', (chunk: Buffer) => {
    html += chunk.toString()
  })
  browser.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const deadline = setTimeout(() => browser.kill('SIGKILL'), 25_000)
  return new Promise(resolve =>
    browser.once('close', () => {
      clearTimeout(deadline)
      resolve({ html, console: errors.split('\n').filter(line => line.includes(':CONSOLE')) })
    }),
  )
}

describe('the pictures', () => {
  it('linear axes begin and end at round values', () => {
    const { ticks, at } = scaleOf({ label: '', from: 0 }, [3, 97], 100)
    expect(ticks.map(({ text }) => text)).toEqual(['0', '20', '40', '60', '80', '100'])
    expect(at(50)).toBe(50)
    expect(scaleOf({ label: '' }, [5, 5], 100).ticks.length).toBeGreaterThan(1)
  })

  it('logarithmic axes', () => {
    const { ticks, at } = scaleOf({ label: '', log: true }, [10, 1000], 100)
    expect(ticks.map(({ text }) => text)).toEqual(['10', '30', '100', '300', '1000'])
    expect(at(100)).toBeCloseTo(50)
    expect(at(0)).toBe(0)
    expect(tickText(20_000)).toBe('20 k')
    expect(tickText(0.5)).toBe('0.5')
  })

  it('a plot has a line for each that has points, and nothing without any', () => {
    const [x, y] = [{ label: 'x' }, { label: 'y' }]
    expect(plot({ x, y, lines: [{ name: 'none', points: [] }] })).toBeUndefined()
    const points = [
      { x: 1, y: 2, low: 1, high: 3 },
      { x: 2, y: 4 },
    ]
    const picture = svg(plot({ x, y, lines: [{ name: 'a <b>', points }] })!)
    expect(picture).toContain('a &lt;b&gt;')
    expect(picture.match(/<circle/g)).toHaveLength(2)
    expect(picture).not.toMatch(/NaN|Infinity|undefined/)
  })
})
