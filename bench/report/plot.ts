import { type Axis, scaleOf } from './axis.ts'
import { CHARACTER, type Drawing, type Place, type Shape, tenth, WIDE, wrapped } from './drawing.ts'
import { DASHES } from './palette.ts'

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

const HEIGHT = 340
const MARGIN = { left: 64, right: 16, top: 12, bottom: 46 } as const
/** From one line of an axis's name to the next. */
const LABEL_LINE = 15
/** Pixels that a tick's text needs along an axis. */
const TICK = 44

/** Lines in a frame; undefined without a point. */
export function plot({ x, y, lines }: Plot, wide = WIDE): Drawing | undefined {
  const drawn = lines.filter(({ points }) => points.length > 0)
  if (drawn.length === 0) return undefined
  const all = drawn.flatMap(({ points }) => points)
  const width = wide - MARGIN.left - MARGIN.right
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
  const bottom = MARGIN.top + height
  const place = (atX: number, atY: number): Place => [
    tenth(MARGIN.left + along.at(atX)),
    tenth(bottom - up.at(atY)),
  ]
  const grid = [
    ...up.ticks.flatMap(({ at, text }): Shape[] => {
      const level = tenth(bottom - at)
      const to: Place = [wide - MARGIN.right, level]
      return [
        { kind: 'line', as: 'grid', from: [MARGIN.left, level], to },
        { kind: 'words', at: [MARGIN.left - 6, level + 4], text, anchor: 'end' },
      ]
    }),
    ...apart(along.ticks).flatMap(({ at, text }): Shape[] => {
      const from: Place = [tenth(MARGIN.left + at), MARGIN.top]
      return [
        { kind: 'line', as: 'grid', from, to: [from[0], bottom] },
        { kind: 'words', at: [from[0], bottom + 16], text, anchor: 'middle' },
      ]
    }),
  ]
  const labels = wrapped(x.label, Math.floor(wide / CHARACTER))
  const names: Shape[] = [
    ...labels.map(
      (text, line): Shape => ({
        kind: 'words',
        at: [wide / 2, HEIGHT - 8 + line * LABEL_LINE],
        text,
        anchor: 'middle',
        name: true,
      }),
    ),
    {
      kind: 'words',
      at: [14, MARGIN.top + height / 2],
      text: y.label,
      anchor: 'middle',
      name: true,
      upright: true,
    },
  ]
  const curves = drawn.flatMap((line, index) => curve(line, index % DASHES.length, place, bottom))
  return {
    width: wide,
    height: HEIGHT + (labels.length - 1) * LABEL_LINE,
    label: `${y.label} over ${x.label}: ${drawn.map(({ name }) => name).join(', ')}`,
    shapes: [...grid, ...curves, ...names],
    legend: drawn.map(({ name }) => name),
  }
}

/** Those ticks whose texts have room beside each other. */
function apart<T extends { readonly at: number }>(ticks: readonly T[]): T[] {
  let last = Number.NEGATIVE_INFINITY
  return ticks.filter(({ at }) => {
    if (at - last < TICK) return false
    last = at
    return true
  })
}

function curve(
  { name, points, kind = 'dots' }: Line,
  style: number,
  place: (x: number, y: number) => Place,
  bottom: number,
): Shape[] {
  const sorted = [...points].sort((one, other) => one.x - other.x)
  const places = sorted.map(({ x, y }) => place(x, y))
  const line: Shape = {
    kind: 'curve',
    style,
    points: kind === 'steps' ? steps(places, bottom) : places,
    said: name,
  }
  if (kind !== 'dots') return [line]
  const dots = sorted.map((point): Shape => {
    const { x, y, low, high } = point
    const known = low !== undefined && high !== undefined
    const range = known ? ` (${number(low)} – ${number(high)})` : ''
    const said = `${name}: ${number(x)} → ${number(y)}${range}`
    const spread = known ? { spread: [place(x, low)[1], place(x, high)[1]] as const } : {}
    return { kind: 'dot', style, at: place(x, y), said, ...spread }
  })
  return [line, ...dots]
}

/** Up from the bottom, each value across up to its x, and down again at the end. */
function steps(places: readonly Place[], bottom: number): Place[] {
  const [[first]] = places as readonly [Place]
  const corners = places.flatMap(([x, y], index): Place[] => [
    [places[index - 1]?.[0] ?? x, y],
    [x, y],
  ])
  return [[first, bottom], ...corners, [places.at(-1)![0], bottom]]
}

function number(value: number): string {
  return value.toPrecision(4).replace(/\.?0+$/, '')
}
