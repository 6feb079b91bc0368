import type { Measurement } from '../harness/measurement.ts'
import { figure } from '../harness/table.ts'
import { scaleOf } from './axis.ts'
import { escaped } from './html.ts'

const WIDTH = 760
const RIGHT = 84
const ROW = 22
const BOTTOM = 24
/** Pixels of a character, about, and the most that names may take. */
const CHARACTER = 6.4
const WIDEST = 380

/** One bar for each, from zero, with its 95 % interval as a whisker. Empty without one above zero. */
export function bars(rows: readonly { readonly name: string; readonly of: Measurement }[]): string {
  const ends = rows.flatMap(({ of: { value, interval } }) => [value, interval?.[1] ?? value])
  if (!(Math.max(0, ...ends) > 0)) return ''
  const left = Math.min(WIDEST, Math.max(...rows.map(({ name }) => name.length)) * CHARACTER + 12)
  const height = rows.length * ROW + BOTTOM
  const scale = scaleOf({ label: '', from: 0 }, [0, ...ends], WIDTH - left - RIGHT)
  const at = (value: number): string => (left + scale.at(value)).toFixed(1)
  const ticks = scale.ticks.map(({ at: place, text }) => {
    const x = Math.round(left + place)
    return `<line class="grid" x1="${x}" x2="${x}" y1="0" y2="${height - 20}"/><text x="${x}" y="${height - 6}" text-anchor="middle">${text}</text>`
  })
  const drawn = rows.map(({ name, of: { value, interval, unit } }, index) => {
    const top = index * ROW
    const whisker =
      interval === undefined
        ? ''
        : `<line class="whisker" x1="${at(interval[0])}" x2="${at(interval[1])}" y1="${top + 11}" y2="${top + 11}"/>`
    const end = Math.max(value, interval?.[1] ?? value)
    return (
      `<text x="${(left - 8).toFixed(1)}" y="${top + 15}" text-anchor="end">${escaped(name)}</text>` +
      `<rect class="bar" x="${at(0)}" y="${top + 3}" width="${Math.max(0.5, scale.at(value)).toFixed(1)}" height="${ROW - 6}"><title>${escaped(`${name}: ${figure(value)} ${unit}`)}</title></rect>` +
      `${whisker}<text x="${(Number(at(end)) + 6).toFixed(1)}" y="${top + 15}">${figure(value)}</text>`
    )
  })
  const label = rows.map(({ name, of }) => `${name} ${figure(of.value)} ${of.unit}`).join(', ')
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(label)}">${ticks.join('')}${drawn.join('')}</svg>`
}
