import { scaleOf } from './axis.ts'
import { escaped } from './html.ts'

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
    return `<line class="grid" x1="${place}" x2="${place}" y1="${TOP}" y2="${height - 20}"/><text x="${place}" y="${height - 6}" text-anchor="middle">${text}</text>`
  })
  let before = 0
  const rows = steps.map(({ name, title, value }, index) => {
    const begin = LEFT + scale.at(before)
    before += value
    const end = LEFT + scale.at(before)
    const top = TOP + index * ROW
    const said = `${name}: ${value.toFixed(1)} ${unit}; ${title}`
    return (
      `<text x="${LEFT - 8}" y="${top + 15}" text-anchor="end">${escaped(name)}</text>` +
      `<rect class="bar" x="${begin.toFixed(1)}" y="${top + 3}" width="${Math.max(0.5, end - begin).toFixed(1)}" height="${ROW - 6}"><title>${escaped(said)}</title></rect>` +
      `<text x="${(end + 6).toFixed(1)}" y="${top + 15}">${value.toFixed(1)}</text>`
    )
  })
  const label = `${whole.toFixed(1)} ${unit} in ${steps.length} steps`
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(label)}"><text x="${LEFT}" y="14" class="name">${escaped(label)}</text>${ticks.join('')}${rows.join('')}</svg>`
}
