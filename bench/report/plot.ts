import { type Axis, scaleOf } from './axis.ts'
import { escaped } from './html.ts'
import { END, line, MIDDLE, NAME, svg, words } from './svg.ts'

/** A point of a line, with how far it may be off. */
export interface Point {
  readonly x: number
  readonly y: number
  readonly low?: number
  readonly high?: number
}

export interface Line {
  readonly name: string
  readonly points: readonly Point[]
  /** `curve`: many points, no dots. `steps`: each value holds up to its x. */
  readonly kind?: 'dots' | 'curve' | 'steps'
}

export interface Plot {
  readonly x: Axis
  readonly y: Axis
  readonly lines: readonly Line[]
}

const WIDTH = 760
const HEIGHT = 340
const MARGIN = { left: 64, right: 16, top: 12, bottom: 46 } as const
/** Colours and dashes that the style knows. */
const STYLES = 8

/**
 * Lines in a frame, as SVG without a script; its colours come from the page's style. Empty without a point.
 */
export function plot({ x, y, lines }: Plot): string {
  const drawn = lines.filter(({ points }) => points.length > 0)
  if (drawn.length === 0) return ''
  const all = drawn.flatMap(({ points }) => points)
  const width = WIDTH - MARGIN.left - MARGIN.right
  const height = HEIGHT - MARGIN.top - MARGIN.bottom
  const along = scaleOf(
    x,
    all.map(point => point.x),
    width,
  )
  const up = scaleOf(
    y,
    all.flatMap(point => [point.y, point.low ?? point.y, point.high ?? point.y]),
    height,
  )
  const left = (value: number): number => round(MARGIN.left + along.at(value))
  const top = (value: number): number => round(MARGIN.top + height - up.at(value))
  const bottom = MARGIN.top + height
  const grid = [
    ...up.ticks.map(({ at, text }) => {
      const level = round(bottom - at)
      const across = line('grid', [MARGIN.left, level], [WIDTH - MARGIN.right, level])
      return across + words([MARGIN.left - 6, level + 4], text, END)
    }),
    ...along.ticks.map(({ at, text }) => {
      const place = round(MARGIN.left + at)
      const down = line('grid', [place, MARGIN.top], [place, bottom])
      return down + words([place, bottom + 16], text, MIDDLE)
    }),
  ]
  const upright = ` transform="translate(14 ${MARGIN.top + height / 2}) rotate(-90)"`
  const names = [
    words([MARGIN.left + width / 2, HEIGHT - 8], x.label, MIDDLE + NAME),
    words([0, 0], y.label, upright + MIDDLE + NAME),
  ]
  const curves = drawn.map((line, index) => curve(line, index % STYLES, left, top, bottom))
  const label = `${y.label} over ${x.label}: ${drawn.map(({ name }) => name).join(', ')}`
  const picture = svg(WIDTH, HEIGHT, label, [...grid, ...curves, ...names])
  return picture + legend(drawn.map(({ name }) => name))
}

function curve(
  { name, points, kind = 'dots' }: Line,
  style: number,
  left: (value: number) => number,
  top: (value: number) => number,
  bottom: number,
): string {
  const sorted = [...points].sort((one, other) => one.x - other.x)
  const path = sorted
    .map((point, i) => {
      const [at, level] = [left(point.x), top(point.y)]
      if (i === 0) return kind === 'steps' ? `M${at} ${bottom}V${level}` : `M${at} ${level}`
      return kind === 'steps' ? `V${level}H${at}` : `L${at} ${level}`
    })
    .join('')
  const end = kind === 'steps' ? `V${bottom}` : ''
  const dots = kind === 'dots' ? sorted.map(point => dot(point, name, left, top)).join('') : ''
  return `<g class="s${style}"><path d="${path}${end}"><title>${escaped(name)}</title></path>${dots}</g>`
}

function dot(
  point: Point,
  name: string,
  left: (value: number) => number,
  top: (value: number) => number,
): string {
  const at = left(point.x)
  const { low, high } = point
  const known = low !== undefined && high !== undefined
  const whisker = known ? `<line x1="${at}" x2="${at}" y1="${top(low)}" y2="${top(high)}"/>` : ''
  const range = known ? ` (${number(low)} – ${number(high)})` : ''
  const said = `${name}: ${number(point.x)} → ${number(point.y)}${range}`
  return `${whisker}<circle cx="${at}" cy="${top(point.y)}" r="3.5"><title>${escaped(said)}</title></circle>`
}

/** Names beside the colours of their lines. */
export function legend(names: readonly string[]): string {
  const items = names.map((name, index) => {
    const stroke = `<g class="s${index % STYLES}"><path d="M0 5H28"/></g>`
    return `<li><svg viewBox="0 0 28 10" class="key">${stroke}</svg>${escaped(name)}</li>`
  })
  return `<ul class="legend">${items.join('')}</ul>`
}

function number(value: number): string {
  return value.toPrecision(4).replace(/\.?0+$/, '')
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
