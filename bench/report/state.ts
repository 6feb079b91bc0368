import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { drawn, fieldsIn } from '../../src/trace/drawing.ts'
import { FORMAT_VERSION, layoutOf } from '../../src/transfer/envelope.ts'
import { annotate, fromHex } from '../../src/wire/index.ts'
import { RESULTS } from '../harness/results.ts'
import { escaped, section, tableOf } from './html.ts'

/** The repository's folder. */
const ROOT = fileURLToPath(new URL('../..', `file://${RESULTS}/`))
/** Of the golden vectors, the one that is shown: what most connections are when they move. */
const SHOWN = 'an idle HTTPS connection'
/** Of a field's bytes, so many hexadecimal digits have room. */
const DIGITS = 48

interface Vectors {
  readonly vectors: readonly { readonly name: string; readonly bytes: string }[]
}

/**
 * What an idle connection is in bytes, each with what it says: a golden vector of the project, whose secrets
 * are masked.
 */
export function stateSection(): string {
  const file = `vectors/transfer/envelope-v${FORMAT_VERSION}.json`
  const { vectors } = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as Vectors
  const bytes = fromHex(vectors.find(({ name }) => name === SHOWN)!.bytes)
  const rows = drawn(bytes, fieldsIn(annotate(layoutOf(FORMAT_VERSION), bytes, 'masked'))).map(
    ({ field, beside, value }) => [
      `${'\u2003'.repeat(field.depth)}${field.name}`,
      `${field.offset}`,
      `${field.length}`,
      beside,
      value.length > DIGITS ? `${value.slice(0, DIGITS)}…` : value,
    ],
  )
  return section('What moves, byte by byte', [
    `<p>${escaped(SHOWN)}, ${bytes.length} bytes before it is sealed (${file}).</p>`,
    tableOf(['field', 'at', 'bytes', 'the first of them', 'value'], rows),
  ])
}
