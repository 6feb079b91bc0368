import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { CHARACTER, type Drawing, NARROW, WIDE } from '../../bench/report/drawing.ts'
import { figuresIn, saveFigure } from '../../bench/report/figures.ts'
import { ONLY_FOR } from '../../bench/report/migration-figures.ts'
import { NAMES } from '../../bench/report/names.ts'
import { pdf } from '../../bench/report/pdf.ts'
import { migrationResult, otherResult } from './sample.ts'

const run = promisify(execFile)
const directory = mkdtempSync(join(tmpdir(), 'hotpotato-figures-'))
afterAll(() => rmSync(directory, { recursive: true }))

const results = [migrationResult(), otherResult()]
const figures = results.flatMap(result => figuresIn(result).map(one => ({ name: one.name, one, result })))
const FIGURE = fileURLToPath(new URL('../../dist/bench/figure/main.js', import.meta.url))

describe('figures', () => {
  it('have names of their own, and those of bench:migration say what is to be measured', () => {
    const names = figures.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    const own = names.filter(name => name.startsWith('migration-'))
    expect(own).toHaveLength(10)
    for (const name of own) expect(ONLY_FOR, name).toHaveProperty(name)
    for (const { name, result } of figures) expect(NAMES[result.bench]).toContain(name)
    for (const [bench, all] of Object.entries(NAMES))
      for (const name of all) expect(name.startsWith(`${bench}-`), name).toBe(true)
  })

  it.each(figures)('$name: no text leaves the picture, on a screen or on a phone', ({ one }) => {
    for (const width of [WIDE, NARROW]) {
      const drawing = one.picture(width)!
      expect(drawing.width).toBe(width)
      for (const { text, from, to } of textsOf(drawing)) {
        expect(from, text).toBeGreaterThanOrEqual(-4)
        expect(to, text).toBeLessThanOrEqual(width + 4)
      }
    }
  })

  it.each(figures)(
    '$name: as SVG, PDF and CSV, with where and how it was measured',
    ({ one, result, name }) => {
      const files = saveFigure(one, result, directory)
      expect(files.map(file => file.slice(directory.length + 1))).toEqual(
        ['svg', 'pdf', 'csv'].map(ending => `${name}.${ending}`),
      )
      const [svg, document, csv] = files.map(file => readFileSync(file)) as [Buffer, Buffer, Buffer]
      const text = svg.toString()
      expect(text).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="760" height="\d+" viewBox=/)
      expect(text).toContain(`npm run bench:figure -- ${name}`)
      expect(text).toContain('Node 20, OpenSSL 3')
      expect(text).not.toMatch(/NaN|Infinity|undefined|<b>|var\(/)
      checkPdf(document)
      const lines = csv.toString().trimEnd().split('\r\n')
      expect(lines).toHaveLength(one.of.length + 1)
      expect(lines[0]).toMatch(/^bench,name,.*,date,mode,commit,modified,cpu,cores,kernel,node,openssl,v8$/)
    },
  )

  it('a PDF has its text by character codes, Greek letters and arrows included', () => {
    const drawing: Drawing = {
      width: 100,
      height: 50,
      label: '',
      legend: [],
      shapes: [{ kind: 'words', at: [10, 20], text: 'µs → (α)', anchor: 'end' }],
    }
    const text = Buffer.from(pdf(drawing, 'a title', '2026-01-02T03:04:05.000Z')).toString('latin1')
    // "µs " in Helvetica, the arrow in Symbol, " (", alpha, ")".
    const helvetica = '/F1 12 Tf <b57320> Tj /F2 12 Tf <ae> Tj /F1 12 Tf <2028> Tj /F2 12 Tf <61> Tj'
    expect(text).toContain(`${helvetica} /F1 12 Tf <29> Tj ET`)
    // The text ends at 10: (576 + 500 + 278 + 987 + 278 + 333 + 631 + 333) * 0.012 before it.
    expect(text).toContain('1 0 0 1 -36.992 30 Tm')
    expect(text).toContain('/CreationDate (D:20260102030405Z)')
  })

  it('a name that is none of a figure is refused', async () => {
    for (const name of ['nonsense', 'migration-nonsense', 'failover-nonsense'])
      await expect(run(process.execPath, [FIGURE, name]), name).rejects.toMatchObject({
        code: 2,
        stderr: expect.stringMatching(new RegExp(`^no bench has a figure ${name}\n\nusage: `)),
      })
    const nowhere = [FIGURE, 'migration-open', '--output', '/dev/null/nowhere']
    await expect(run(process.execPath, nowhere)).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^--output \/dev\/null\/nowhere cannot be written: .*\n$/),
    })
    await expect(run(process.execPath, [FIGURE])).rejects.toMatchObject({ code: 2 })
  })

  it.skipIf(process.env.HOTPOTATO_LONG !== '1')(
    'npm run bench:figure measures and draws one (npm run test:long)',
    { timeout: 300_000 },
    async () => {
      const out = join(directory, 'measured')
      const words = ['migration-alpha', '--quick', '--rounds', '2', '--output', out, '--alpha', '0,100']
      const { stdout } = await run(process.execPath, [FIGURE, ...words])
      expect(stdout).toContain('drawn: ')
      expect(readdirSync(out).sort()).toEqual(['csv', 'pdf', 'svg'].map(one => `migration-alpha.${one}`))
    },
  )
})

/** Where each text that lies across begins and ends, about. */
function textsOf({ shapes }: Drawing): { text: string; from: number; to: number }[] {
  return shapes.flatMap(shape => {
    if (shape.kind !== 'words' || shape.upright) return []
    const { at, text, anchor } = shape
    // Digits and small letters are narrower than the average that room is kept for.
    const wide = text.length * CHARACTER * 0.9
    const from = at[0] - (anchor === 'middle' ? wide / 2 : anchor === 'end' ? wide : 0)
    return [{ text, from, to: from + wide }]
  })
}

/** Every object lies where the table says, and every stream is as long as it says. */
function checkPdf(document: Buffer): void {
  const text = document.toString('latin1')
  expect(text).toMatch(/^%PDF-1\.4\n/)
  expect(text).toMatch(/%%EOF\n$/)
  const table = Number(/startxref\n(\d+)\n/.exec(text)![1])
  expect(text.slice(table, table + 5)).toBe('xref\n')
  const offsets = [...text.slice(table).matchAll(/^(\d{10}) 00000 n $/gm)].map(([, at]) => Number(at))
  expect(offsets).toHaveLength(7)
  for (const [index, at] of offsets.entries())
    expect(text.slice(at).startsWith(`${index + 1} 0 obj\n`)).toBe(true)
  const [, length, content] = /<< \/Length (\d+) >>\nstream\n(.*?)\nendstream/s.exec(text)!
  expect(content).toHaveLength(Number(length))
  expect(content).not.toMatch(/NaN|Infinity|undefined/)
}
