import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { HpackDecoder, HpackEncoder } from '../../../../src/http/h2/index.ts'
import { Output } from '../../../../src/http/h2/output.ts'
import type { Field } from '../../../../src/http/message.ts'
import { fromHex } from '../../../../src/wire/index.ts'

interface Case {
  readonly header_table_size?: number
  readonly wire?: string
  readonly headers: readonly Readonly<Record<string, string>>[]
}

const FOLDER = new URL('../../../../vectors/hpack', import.meta.url).pathname
const encoders = readdirSync(FOLDER, { withFileTypes: true }).filter(entry => entry.isDirectory())

const stories = encoders.flatMap(({ name }) =>
  readdirSync(join(FOLDER, name)).map(file => {
    const { cases } = JSON.parse(readFileSync(join(FOLDER, name, file), 'utf8')) as { cases: Case[] }
    return { name: `${name}/${file}`, cases }
  }),
)

const fieldsOf = ({ headers }: Case): Field[] => headers.flatMap(field => Object.entries(field))

describe('HPACK stories', () => {
  it('are there', () => {
    expect(stories.length).toBeGreaterThanOrEqual(30)
  })

  it.each(stories.filter(story => story.cases[0]?.wire !== undefined))('are decoded: $name', ({ cases }) => {
    const decoder = new HpackDecoder()
    for (const one of cases) {
      if (one.header_table_size !== undefined) decoder.setLimit(one.header_table_size)
      expect(decoder.decode(fromHex(one.wire!)).map(entry => entry.field)).toEqual(fieldsOf(one))
    }
  })

  it.each(stories.filter(story => story.name.startsWith('raw-data')))('go round: $name', ({ cases }) => {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    let encoded = 0
    let plain = 0
    for (const [i, one] of cases.entries()) {
      // The peer changes its mind now and then; the encoder has to say so in the next block.
      if (i % 7 === 3) {
        encoder.setLimit(0)
        encoder.setLimit(i % 2 === 0 ? 4096 : 512)
        decoder.setLimit(i % 2 === 0 ? 4096 : 512)
      }
      const output = new Output()
      encoder.encode(output, fieldsOf(one))
      encoded += output.length
      for (const [name, value] of fieldsOf(one)) plain += name.length + value.length
      expect(decoder.decode(output.take()).map(entry => entry.field)).toEqual(fieldsOf(one))
      expect(decoder.export().entries).toEqual(encoder.export().entries)
    }
    expect(encoded).toBeLessThan(plain * 0.8)
  })
})
