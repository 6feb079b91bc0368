import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { decodeEnvelope, encodeEnvelope, freshEnvelope, OLDEST_VERSION } from '../../src/transfer/envelope.ts'
import {
  ENVELOPE_EXTENSIONS,
  type ExtensionName,
  type ExtensionRow,
  type ExtensionValues,
  extensionOf,
  RETIRED_EXTENSIONS,
  waitsOf,
  waitsValues,
  withExtension,
  writeExtensions,
} from '../../src/transfer/extensions.ts'
import { DecodeError } from '../../src/wire/index.ts'

/** One value of each. */
const VALUES: Required<ExtensionValues> = {
  leg: { received: 2 ** 40 },
  slot: { gateway: 5, cookie: new Uint8Array(8).fill(4), slot: 6, sequence: 7, received: 2 ** 40, sent: 3 },
  timers: { running: [{ name: 'headers', left: 70 }] },
  rates: { requests: [{ streamId: 3, left: 20, counted: 9 }] },
  trifles: { inARow: 31, spent: 99_999 },
  client: { remoteAddress: '2001:db8::7' },
  hibernation: { cookie: new Uint8Array(8).fill(5), read: 2 ** 40, written: 8 },
}
const NAMES = Object.keys(ENVELOPE_EXTENSIONS) as ExtensionName[]
const ROWS: readonly ExtensionRow[] = Object.values(ENVELOPE_EXTENSIONS)

const FRESH = freshEnvelope(new Uint8Array(16), 1, undefined)
const UNKNOWN = { type: 0xff01, data: Uint8Array.of(1, 2, 3) }

describe('the table of extensions', () => {
  it('gives a number once, and none that was another', () => {
    const numbers = [...ROWS.map(({ type }) => type), ...RETIRED_EXTENSIONS]
    expect([...new Set(numbers)]).toEqual(numbers)
  })

  it('has no critical one that a container of a format that is read may not know', () => {
    expect(ROWS.filter(({ critical, since }) => critical && since > OLDEST_VERSION)).toEqual([])
  })

  it('is the one place with their numbers', () => {
    const source = fileURLToPath(new URL('../../src', import.meta.url))
    const wrong = ['transfer', 'containers', 'gateway'].flatMap(folder =>
      readdirSync(`${source}/${folder}`, { recursive: true, encoding: 'utf8' })
        .map(name => `${folder}/${name}`)
        .filter(name => name.endsWith('.ts') && name !== 'transfer/extensions.ts')
        .filter(name => /\btype(:| ===) \d/.test(readFileSync(`${source}/${name}`, 'utf8'))),
    )
    expect(wrong).toEqual([])
  })
})

describe('what an envelope says besides its fields', () => {
  const envelope = { ...FRESH, extensions: [...writeExtensions(VALUES), UNKNOWN] }

  it.each(NAMES)('is read again, or is not there: %s', name => {
    const carried = decodeEnvelope(encodeEnvelope(envelope))
    expect(extensionOf(carried, name)).toEqual(VALUES[name])
    const alone = writeExtensions({ [name]: VALUES[name] })
    expect(alone).toEqual([{ type: ENVELOPE_EXTENSIONS[name].type, data: alone[0]!.data }])
    expect(extensionOf(FRESH, name)).toBeUndefined()
  })

  it.each(NAMES)('is refused if it is none: %s', name => {
    const { type } = ENVELOPE_EXTENSIONS[name]
    const extensions = [{ type, data: new Uint8Array(5).fill(0xff) }]
    expect(() => extensionOf({ extensions }, name)).toThrow(DecodeError)
  })

  it.each(NAMES)('is changed without touching the rest: %s', name => {
    const other = writeExtensions({ ...VALUES, [name]: undefined })
    expect(withExtension(other, name, VALUES[name])).toEqual(other)
    const emptied = withExtension(envelope.extensions, name, VALUES[name])
    expect(emptied).toEqual(envelope.extensions)
  })

  it('takes the order of the table, and nothing of what there is not', () => {
    expect(writeExtensions(VALUES).map(({ type }) => type)).toEqual(ROWS.map(({ type }) => type))
    expect(writeExtensions(waitsValues({ timers: { running: [] }, rates: [] }))).toEqual([])
    expect(waitsOf(FRESH)).toEqual({ timers: { running: [] }, rates: [] })
    expect(waitsOf(envelope)).toEqual({ timers: VALUES.timers, rates: VALUES.rates?.requests })
  })
})
