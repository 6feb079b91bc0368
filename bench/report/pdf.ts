import { type Drawing, type Place, type Shape, TEXT } from './drawing.ts'
import { DASHES, FAINT, GRID, INK, ON_WHITE } from './palette.ts'

/*
 * A drawing as PDF 1.4 (ISO 32000-1): one page as large as the drawing, lines and text as vectors. Text is in
 * Helvetica, which every reader has and which is not embedded; what is not in its encoding is in Symbol.
 */

/** Thousandths of the size that the characters from space to tilde are wide, of Helvetica. */
const WIDTHS = [
  278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
  556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
  500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469,
  556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500,
  278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
]
/** Of characters beyond: which font, code and width. The codes are those of WinAnsiEncoding and of Symbol. */
const BEYOND: Readonly<Record<string, readonly [font: 'F1' | 'F2', code: number, width: number]>> = {
  µ: ['F1', 0xb5, 576],
  '·': ['F1', 0xb7, 278],
  '×': ['F1', 0xd7, 584],
  '±': ['F1', 0xb1, 584],
  '–': ['F1', 0x96, 556],
  '…': ['F1', 0x85, 1000],
  α: ['F2', 0x61, 631],
  '→': ['F2', 0xae, 987],
  '≤': ['F2', 0xa3, 549],
  '≥': ['F2', 0xb3, 549],
}
const UNKNOWN = ['F1', 0x3f, 556] as const

/** @param title of the document @param made when, ISO 8601 */
export function pdf(drawing: Drawing, title: string, made: string): Uint8Array {
  const { width, height, shapes } = drawing
  const content = shapes.map(shape => operatorsOf(shape, height)).join('\n')
  const fonts = '/F1 5 0 R /F2 6 0 R'
  const page = `/Type /Page /Parent 2 0 R /MediaBox [0 0 ${width} ${height}] /Contents 4 0 R`
  const date = `D:${made.slice(0, 19).replaceAll(/[-:T]/g, '')}Z`
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    `<< ${page} /Resources << /Font << ${fonts} >> >> >>`,
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>',
    '<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>',
    `<< /Title ${utf16(title)} /CreationDate (${date}) /Producer (hotpotato) >>`,
  ]
  let file = '%PDF-1.4\n%\xe2\xe3\xcf\xd3\n'
  const offsets = objects.map((object, index) => {
    const at = file.length
    file += `${index + 1} 0 obj\n${object}\nendobj\n`
    return at
  })
  const table = offsets.map(at => `${String(at).padStart(10, '0')} 00000 n \n`).join('')
  const trailer = `<< /Size ${objects.length + 1} /Root 1 0 R /Info 7 0 R >>`
  const whole =
    `${file}xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}` +
    `trailer\n${trailer}\nstartxref\n${file.length}\n%%EOF\n`
  return Buffer.from(whole, 'latin1')
}

function operatorsOf(shape: Shape, height: number): string {
  // PDF counts from the bottom.
  const point = ([x, y]: Place): string => `${x} ${number(height - y)}`
  switch (shape.kind) {
    case 'line': {
      const [colour, width] = shape.as === 'grid' ? [GRID, 1] : [INK, 2]
      return `${stroke(colour, width)} ${point(shape.from)} m ${point(shape.to)} l S`
    }
    case 'bar': {
      const { at, width, height: tall } = shape
      return `${fill(ON_WHITE[0])} ${point([at[0], at[1] + tall])} ${width} ${tall} re f`
    }
    case 'curve': {
      const { style, points } = shape
      const path = points.map((one, index) => `${point(one)} ${index === 0 ? 'm' : 'l'}`).join(' ')
      return `${stroke(ON_WHITE[style]!, 2, DASHES[style])} ${path} S`
    }
    case 'dot': {
      const { style, at, spread } = shape
      const colour = ON_WHITE[style]!
      const line = ([from, to]: readonly [number, number]): string =>
        `${stroke(colour, 1)} ${point([at[0], from])} m ${point([at[0], to])} l S\n`
      return `${spread === undefined ? '' : line(spread)}${fill(colour)} ${circle(at[0], height - at[1])} f`
    }
    case 'words':
      return words(shape, height)
  }
}

function words(
  { at, text, anchor, name, upright }: Extract<Shape, { kind: 'words' }>,
  height: number,
): string {
  const glyphs = [...text].map(glyphOf)
  const wide = (glyphs.reduce((sum, [, , width]) => sum + width, 0) * TEXT) / 1000
  const back = anchor === 'middle' ? wide / 2 : anchor === 'end' ? wide : 0
  const [x, y] = upright ? [at[0], height - at[1] - back] : [at[0] - back, height - at[1]]
  const matrix = upright ? '0 1 -1 0' : '1 0 0 1'
  const runs: string[] = []
  for (const [index, [font, code]] of glyphs.entries()) {
    if (index === 0 || glyphs[index - 1]![0] !== font) runs.push(`/${font} ${TEXT} Tf <`)
    runs.push(code.toString(16).padStart(2, '0'))
    if (glyphs[index + 1]?.[0] !== font) runs.push('> Tj ')
  }
  return `${fill(name ? FAINT : INK)} BT ${matrix} ${number(x)} ${number(y)} Tm ${runs.join('')}ET`
}

function glyphOf(character: string): readonly [font: string, code: number, width: number] {
  const code = character.charCodeAt(0)
  const width = WIDTHS[code - 0x20]
  return width === undefined ? (BEYOND[character] ?? UNKNOWN) : ['F1', code, width]
}

/** A circle of four Bézier curves; 0.5523 of the radius is as near as they come. */
function circle(x: number, y: number): string {
  const [r, k] = [3.5, 3.5 * 0.5523]
  const at = (...values: readonly number[]): string => values.map(number).join(' ')
  return [
    `${at(x + r, y)} m`,
    `${at(x + r, y + k, x + k, y + r, x, y + r)} c`,
    `${at(x - k, y + r, x - r, y + k, x - r, y)} c`,
    `${at(x - r, y - k, x - k, y - r, x, y - r)} c`,
    `${at(x + k, y - r, x + r, y - k, x + r, y)} c`,
  ].join(' ')
}

function stroke(colour: string, width: number, dash: readonly number[] = []): string {
  return `${rgb(colour)} RG ${width} w [${dash.join(' ')}] 0 d`
}

function fill(colour: string): string {
  return `${rgb(colour)} rg`
}

function rgb(colour: string): string {
  return [1, 3, 5].map(at => number(Number.parseInt(colour.slice(at, at + 2), 16) / 255)).join(' ')
}

function number(value: number): string {
  return String(Math.round(value * 1000) / 1000)
}

/** A text string outside of a page: UTF-16 with its mark. */
function utf16(text: string): string {
  const units = [0xfeff, ...Array.from({ length: text.length }, (_, i) => text.charCodeAt(i))]
  return `<${units.map(unit => unit.toString(16).padStart(4, '0')).join('')}>`
}
