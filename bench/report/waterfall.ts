import { scaleOf } from './axis.ts'
import { bar, END, line, MIDDLE, NAME, svg, words } from './svg.ts'

/** One step of several that follow each other. */
export interface Step {
  readonly name: string
  readonly title: string
  readonly value: number
}

const WIDTH = 760
const LEFT = 92
const RIGHT = 72
const ROW = 22
const TOP = 24

/** Each step begins where the one before ends. @param unit of the values */
export function waterfall(steps: readonly Step[], unit: string): string {
  const whole = steps.reduce((sum, { value }) => sum + value, 0)
  if (!(whole > 0)) return ''
  const height = TOP + steps.length * ROW + 24
  const scale = scaleOf({ label: unit, from: 0 }, [0, whole], WIDTH - LEFT - RIGHT)
  const ticks = scale.ticks.map(({ at, text }) => {
    const place = Math.round(LEFT + at)
    return line('grid', [place, TOP], [place, height - 20]) + words([place, height - 6], text, MIDDLE)
  })
  let before = 0
  const rows = steps.map(({ name, title, value }, index) => {
    const begin = LEFT + scale.at(before)
    before += value
    const end = LEFT + scale.at(before)
    const top = TOP + index * ROW
    const said = `${name}: ${value.toFixed(1)} ${unit}; ${title}`
    return (
      words([LEFT - 8, top + 15], name, END) +
      bar([begin.toFixed(1), top + 3], end - begin, ROW - 6, said) +
      words([(end + 6).toFixed(1), top + 15], value.toFixed(1))
    )
  })
  const label = `${whole.toFixed(1)} ${unit} in ${steps.length} steps`
  return svg(WIDTH, height, label, [words([LEFT, 14], label, NAME), ...ticks, ...rows])
}
