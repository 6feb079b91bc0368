import type { Measurement } from '../harness/measurement.ts'
import { figure } from '../harness/table.ts'
import { scaleOf } from './axis.ts'
import { CHARACTER, type Drawing, type Shape, tenth, WIDE } from './drawing.ts'

const RIGHT = 84
const ROW = 22
const BOTTOM = 24
/** Where there is no room beside the bars, names stand above them, in a line of so many pixels. */
const ABOVE = 15
/** The share of the width that names may take beside the bars. */
const WIDEST = 0.5

/** A bar with its name. */
export interface Bar {
  readonly name: string
  readonly of: Pick<Measurement, 'value' | 'interval' | 'unit'>
}

/** One bar for each, from zero, with its 95 % interval as a whisker; undefined without one above zero. */
export function bars(rows: readonly Bar[], width = WIDE): Drawing | undefined {
  const ends = rows.flatMap(({ of: { value, interval } }) => [value, interval?.[1] ?? value])
  if (!(Math.max(0, ...ends) > 0)) return undefined
  const names = Math.max(...rows.map(({ name }) => name.length)) * CHARACTER + 12
  const beside = names <= width * WIDEST
  const left = beside ? names : 4
  const row = beside ? ROW : ROW + ABOVE
  const height = rows.length * row + BOTTOM
  const scale = scaleOf({ label: '', from: 0 }, [0, ...ends], width - left - RIGHT)
  const at = (value: number): number => tenth(left + scale.at(value))
  const step = scale.ticks.length > 4 && !beside ? 2 : 1
  const ticks = scale.ticks.flatMap(({ at: place, text }, index): Shape[] => {
    const x = Math.round(left + place)
    const line: Shape = { kind: 'line', as: 'grid', from: [x, 0], to: [x, height - 20] }
    return index % step === 0
      ? [line, { kind: 'words', at: [x, height - 6], text, anchor: 'middle' }]
      : [line]
  })
  const drawn = rows.flatMap(({ name, of: { value, interval, unit } }, index): Shape[] => {
    const top = index * row + (beside ? 0 : ABOVE)
    const end = at(Math.max(value, interval?.[1] ?? value))
    return [
      beside
        ? { kind: 'words', at: [tenth(left - 8), top + 15], text: name, anchor: 'end' }
        : { kind: 'words', at: [left, top - 1], text: name },
      {
        kind: 'bar',
        at: [at(0), top + 3],
        width: Math.max(0.5, tenth(scale.at(value))),
        height: ROW - 6,
        said: `${name}: ${figure(value)} ${unit}`,
      },
      ...(interval === undefined ? [] : [whisker([at(interval[0]), top + 11], [at(interval[1]), top + 11])]),
      { kind: 'words', at: [tenth(end + 6), top + 15], text: figure(value) },
    ]
  })
  const label = rows.map(({ name, of }) => `${name} ${figure(of.value)} ${of.unit}`).join(', ')
  return { width, height, label, shapes: [...ticks, ...drawn], legend: [] }
}

function whisker(from: readonly [number, number], to: readonly [number, number]): Shape {
  return { kind: 'line', as: 'whisker', from, to }
}
