import { scaleOf } from './axis.ts'
import { type Drawing, type Shape, tenth, WIDE } from './drawing.ts'

/** One step of several that follow each other. */
export interface Step {
  readonly name: string
  readonly title: string
  readonly value: number
}

const LEFT = 92
const RIGHT = 72
const ROW = 22
const TOP = 24

/** Each step begins where the one before ends; undefined for nothing. @param unit of the values */
export function waterfall(steps: readonly Step[], unit: string, width = WIDE): Drawing | undefined {
  const whole = steps.reduce((sum, { value }) => sum + value, 0)
  if (!(whole > 0)) return undefined
  const height = TOP + steps.length * ROW + 24
  const scale = scaleOf({ label: unit, from: 0 }, [0, whole], width - LEFT - RIGHT)
  const ticks = scale.ticks.flatMap(({ at, text }): Shape[] => {
    const place = Math.round(LEFT + at)
    return [
      { kind: 'line', as: 'grid', from: [place, TOP], to: [place, height - 20] },
      { kind: 'words', at: [place, height - 6], text, anchor: 'middle' },
    ]
  })
  let before = 0
  const rows = steps.flatMap(({ name, title, value }, index): Shape[] => {
    const begin = tenth(LEFT + scale.at(before))
    before += value
    const end = tenth(LEFT + scale.at(before))
    const top = TOP + index * ROW
    return [
      { kind: 'words', at: [LEFT - 8, top + 15], text: name, anchor: 'end' },
      {
        kind: 'bar',
        at: [begin, top + 3],
        width: Math.max(0.5, tenth(end - begin)),
        height: ROW - 6,
        said: `${name}: ${value.toFixed(1)} ${unit}; ${title}`,
      },
      { kind: 'words', at: [tenth(end + 6), top + 15], text: value.toFixed(1) },
    ]
  })
  const label = `${whole.toFixed(1)} ${unit} in ${steps.length} steps`
  const said: Shape = { kind: 'words', at: [LEFT, 14], text: label, name: true }
  return { width, height, label, shapes: [said, ...ticks, ...rows], legend: [] }
}
