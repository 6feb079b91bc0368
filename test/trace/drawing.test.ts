import { describe, expect, it } from 'vitest'
import { differences } from '../../src/trace/difference.ts'
import { drawn, drawnLines, fieldsIn } from '../../src/trace/drawing.ts'
import { annotate, hex, opaque, struct, uint8, uint16, vector } from '../../src/wire/index.ts'

const Thing = struct('Thing', {
  kind: uint8,
  numbers: vector(uint16, 0, 255),
  words: opaque(0, 255),
})

const bytesFor = (words: string): Uint8Array =>
  Uint8Array.from([7, 4, 0, 1, 0, 2, words.length, ...Buffer.from(words)])

describe('annotated bytes, drawn', () => {
  const bytes = bytesFor('abc')
  const fields = fieldsIn(annotate(Thing, bytes))

  it('have their bytes beside what these say, and a value without its length', () => {
    const all = drawn(bytes, fields).map(({ field, beside, value }) => [field.name, beside, value])
    expect(all).toContainEqual(['kind', '07', '7'])
    expect(all).toContainEqual(['numbers', '0400010002', '1, 2'])
    expect(all).toContainEqual(['words', '', hex(Buffer.from('abc'))])
  })

  it('are the same from bytes and from hexadecimal', () => {
    expect(drawn(hex(bytes), fields)).toEqual(drawn(bytes, fields))
  })

  it('are lines that say where each field is', () => {
    const lines = drawnLines(bytes, fields, { label: 'name' })
    expect(lines.find(line => line.includes('numbers'))).toMatch(/^ +1 +5 {2}0400010002 +numbers = 1, 2$/)
    expect(lines.find(line => line.includes('words'))).toMatch(/^ +6 +4 +words = 616263$/)
  })

  it('go on in the next line where they are long', () => {
    const long = bytesFor('x'.repeat(100))
    const lines = drawnLines(long, fieldsIn(annotate(Thing, long)), { label: 'name', columns: 110 })
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(110)
    const said = lines.map(line => line.trim()).join('')
    expect(said.endsWith('78'.repeat(100))).toBe(true)
  })

  it('say where reading stopped', () => {
    const cut = bytes.subarray(0, 8)
    const lines = drawnLines(cut, fieldsIn(annotate(Thing, cut)), { label: 'name' })
    expect(lines.at(-1)).toMatch(/^ +stopped at byte \d+: /)
  })

  it('show what has changed, without lengths', () => {
    const other = bytesFor('xyz!')
    const change = differences(
      { bytes: hex(bytes), ...fields },
      { bytes: hex(other), ...fieldsIn(annotate(Thing, other)) },
    )
    expect(change.map(({ before, after }) => [before, after])).toEqual([['616263', '78797a21']])
  })
})
