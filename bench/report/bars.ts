import type { Measurement } from '../harness/measurement.ts'
import { figure } from '../harness/table.ts'
import { scaleOf } from './axis.ts'
import { bar, END, line, MIDDLE, svg, words } from './svg.ts'

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
    return line('grid', [x, 0], [x, height - 20]) + words([x, height - 6], text, MIDDLE)
  })
  const drawn = rows.map(({ name, of: { value, interval, unit } }, index) => {
    const top = index * ROW
    const whisker =
      interval === undefined ? '' : line('whisker', [at(interval[0]), top + 11], [at(interval[1]), top + 11])
    const end = Math.max(value, interval?.[1] ?? value)
    return (
      words([(left - 8).toFixed(1), top + 15], name, END) +
      bar([at(0), top + 3], scale.at(value), ROW - 6, `${name}: ${figure(value)} ${unit}`) +
      whisker +
      words([(Number(at(end)) + 6).toFixed(1), top + 15], figure(value))
    )
  })
  const label = rows.map(({ name, of }) => `${name} ${figure(of.value)} ${of.unit}`).join(', ')
  return svg(WIDTH, height, label, [...ticks, ...drawn])
}
