import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { AlertDescription } from '../../src/tls13/alert.ts'
import { TlsReasons } from '../../src/tls13/reasons.ts'

const SOURCE = fileURLToPath(new URL('../../src/', import.meta.url))

/** Where an error of TLS is made: behind the alert, and the origin if it is named, stands the reason. */
const SITE = new RegExp(
  [
    /\b(?:peerError|configurationError|new TlsError)\(\s*/,
    /[^,]+,\s*(?:'(?:peer|local|configuration)',\s*)?'(\w+)'/,
  ]
    .map(({ source }) => source)
    .join(''),
  'g',
)

const names = Object.keys(TlsReasons)

describe('a reason of TLS', () => {
  it('is given by at least one site', () => {
    const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter(name =>
      name.endsWith('.ts'),
    )
    const texts = files.map(file => readFileSync(`${SOURCE}${file}`, 'utf8'))
    const given = texts.flatMap(text => [...text.matchAll(SITE)].map(([, name]) => name!))
    expect(given.length).toBeGreaterThan(names.length)
    expect(names.filter(name => !given.includes(name))).toEqual([])
  })

  it('has a name in snake_case that no alert has, and one sentence of its own', () => {
    expect(names.filter(name => !/^[a-z]+(_[a-z]+)*$/.test(name))).toEqual([])
    expect(names.filter(name => name in AlertDescription)).toEqual([])
    const sentences = Object.values(TlsReasons)
    expect(sentences.filter(sentence => !/^[A-Za-z_]+ .*\.$/.test(sentence))).toEqual([])
    expect(new Set(sentences).size).toBe(sentences.length)
  })
})
