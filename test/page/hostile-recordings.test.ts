import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withRecording } from '../../src/trace/embedded.ts'
import { Browser } from '../support/browser.ts'
import { CHROMIUM, CHROMIUM_NOTE } from '../support/chromium.ts'

/*
 * Recordings that were made to break the page: it says in one line what is wrong, or shows what
 * it can, and stays usable.
 */

const PAGE = fileURLToPath(new URL('../../dist/src/page/recording.html', import.meta.url))

const field = (more: object = {}) => ({
  ...{ offset: 0, length: 1, depth: 0, name: 'one', notation: 'uint8 one' },
  ...more,
})
const state = (more: object = {}) => ({ at: 0, when: 'now', bytes: '00', fields: [field()], ...more })
const connection = (more: object = {}) => ({
  ...{ title: 'one', side: 'client', leftOut: 0, keyLog: [], events: [], states: [] },
  ...more,
})
const recording = (more: object = {}) => ({
  ...{ format: 'hotpotato-recording', version: 1, title: 'hostile', connections: [connection()] },
  ...more,
})
const withEvents = (...events: object[]) => recording({ connections: [connection({ events })] })
const withStates = (...states: object[]) => recording({ connections: [connection({ states })] })
const record = (more: object = {}) => ({
  ...{ kind: 'record', at: 0, side: 'client', index: 0, bytes: '00', type: 'handshake', content: '' },
  ...more,
})
const message = (more: object = {}) => ({
  ...{ kind: 'message', at: 0, side: 'client', type: 'finished', bytes: '00', fields: [field()] },
  ...more,
})
const secret = (name: string, from: unknown, more: object = {}) => ({
  ...{ kind: 'secret', at: 0, name, secret: '00' },
  step: {
    ...{ operation: 'HKDF-Expand-Label', hash: 'sha256', from, label: 'l' },
    ...{ context: { what: 'nothing', bytes: '' }, info: { bytes: '', fields: [] } },
  },
  ...more,
})
const text = (value: unknown): string => JSON.stringify(value)
const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))

/** What the page says of each; undefined: it is shown. */
const FILES: readonly (readonly [string, string, RegExp | undefined])[] = [
  ['nothing but a list within lists', '['.repeat(1e6), /^this is no recording: /],
  ['lists within lists', '['.repeat(1e5) + ']'.repeat(1e5), /^this is no recording: /],
  ['a number', '7', /^this is no recording: /],
  ['another version', text(recording({ version: { toString: 7 } })), /has version .*; version 1 is known$/],
  ['no connections', text(recording({ connections: [] })), /has no connections$/],
  ['connections that are none', text(recording({ connections: { length: 1 } })), /connections is no list$/],
  ['very many connections', text(recording({ connections: many(5000, () => connection()) })), /5000 items/],
  ['a title that is no text', text(recording({ title: {} })), /title is not string$/],
  ['an event of the kind __proto__', text(withEvents({ kind: '__proto__' })), /an event of a known kind$/],
  [
    'an event of the kind constructor',
    text(withEvents({ kind: 'constructor' })),
    /an event of a known kind$/,
  ],
  [
    'members of __proto__ alone',
    `{"format":"hotpotato-recording","version":1,"__proto__":${text(recording())}}`,
    /title is not string$/,
  ],
  [
    'a step that is none',
    text(withEvents(secret('a', 'b', { step: { operation: 'toString' } }))),
    /of HKDF$/,
  ],
  ['a seal that is null', text(withEvents(record({ sealed: null }))), /sealed is missing$/],
  [
    'a seal of other types',
    text(withEvents(record({ sealed: { secret: 7 } }))),
    /sealed: secret is not string$/,
  ],
  ['bytes that are none', text(withEvents(record({ bytes: '0g' }))), /bytes is not hex$/],
  [
    'a text that is none',
    text(withEvents(message({ fields: [field({ text: {} })] }))),
    /text is not string$/,
  ],
  [
    'a negative offset',
    text(withStates(state({ fields: [field({ offset: -1 })] }))),
    /offset is not number$/,
  ],
  [
    'a length beyond the bytes',
    text(withStates(state({ fields: [field({ length: 2 })] }))),
    /beyond the bytes$/,
  ],
  ['an offset without end', text(withStates(state({ fields: [field({ offset: 1e300 })] }))), /not number$/],
  [
    'a field very deep',
    text(withStates(state({ fields: [field({ depth: 1e9 })] }))),
    /depth is not number up to 64$/,
  ],
  ['very many fields', text(withStates(state({ fields: many(140_000, () => field()) }))), /140000 items/],
  ['many fields', text(withStates(state({ fields: many(100_000, () => field()) }))), undefined],
  ['many records', text(withEvents(...many(100_000, index => record({ index })))), undefined],
  [
    'a record of many bytes, that are all one',
    text(withEvents(record({ bytes: '00'.repeat(5e6), content: '00'.repeat(5e6) }))),
    undefined,
  ],
  [
    'a long chain of secrets',
    text(withEvents(...many(20_000, i => secret(`s${i}`, `s${i - 1}`)))),
    undefined,
  ],
  ['secrets that follow from each other', text(withEvents(secret('a', 'b'), secret('b', 'a'))), undefined],
  ['a secret that follows from itself', text(withEvents(secret('a', 'a'))), undefined],
  [
    'markup in its texts',
    text(recording({ title: '</script><script>document.title = 1</script>' })),
    undefined,
  ],
]

describe.skipIf(CHROMIUM === undefined)(`recordings made to break the page: ${CHROMIUM_NOTE}`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-hostile-'))
  let browser: Browser
  beforeAll(async () => {
    browser = await Browser.open()
    await browser.show({ width: 1100, height: 900 })
  })
  afterAll(async () => {
    await browser?.close()
    rmSync(directory, { recursive: true })
  })

  it.each(FILES)('%s', async (_, file, fault) => {
    const path = join(directory, 'hostile.html')
    writeFileSync(path, withRecording(readFileSync(PAGE, 'utf8'), file))
    await browser.go(pathToFileURL(path).href)
    await browser.until(
      `document.querySelector('#fault').textContent !== '' || !document.querySelector('#records').hidden`,
    )
    const said = await browser.evaluate<string>(`document.querySelector('#fault').textContent`)
    if (fault === undefined) expect(said).toBe('')
    else expect(said).toMatch(fault)
    expect(said).not.toContain('\n')
    expect(said.length).toBeLessThan(200)
    // All of it opens, and the page answers still.
    const all = `[...document.querySelectorAll('details')].slice(0, 40)`
    await browser.evaluate(`${all}.map(one => { one.open = true }).length`)
    expect(await browser.evaluate(`document.querySelectorAll('header h1').length`)).toBe(1)
    expect(await browser.evaluate('document.title')).not.toBe('1')
  })

  it('has said nothing on the console', () => {
    expect(browser.errors).toEqual([])
  })
})
