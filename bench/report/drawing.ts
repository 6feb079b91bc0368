/** Widths of pictures in pixels: on a screen or on paper, and on a phone, where text must not shrink. */
export const WIDE = 760
export const NARROW = 380
/** Pixels of text, and of one character of it, about. */
export const TEXT = 12
export const CHARACTER = 6.4

/** Pixels from the left and from the top. */
export type Place = readonly [x: number, y: number]

/** What a picture is made of. `said` is what a part stands for, for who points at it. */
export type Shape =
  | { readonly kind: 'line'; readonly as: 'grid' | 'whisker'; readonly from: Place; readonly to: Place }
  | {
      readonly kind: 'words'
      readonly at: Place
      readonly text: string
      /** Which part of it is at the place; by default its beginning. */
      readonly anchor?: 'middle' | 'end'
      /** It names something, and is less important than a value. */
      readonly name?: boolean
      /** It runs upwards. */
      readonly upright?: boolean
    }
  | {
      readonly kind: 'bar'
      readonly at: Place
      readonly width: number
      readonly height: number
      readonly said: string
    }
  /** `style`: which colour and dash. */
  | {
      readonly kind: 'curve'
      readonly style: number
      readonly points: readonly Place[]
      readonly said: string
    }
  | {
      readonly kind: 'dot'
      readonly style: number
      readonly at: Place
      readonly said: string
      /** How far it may be off: from here to there, pixels from the top. */
      readonly spread?: readonly [number, number]
    }

/** A picture, before it is SVG or PDF. */
export interface Drawing {
  readonly width: number
  readonly height: number
  /** What it shows, for who cannot see it. */
  readonly label: string
  readonly shapes: readonly Shape[]
  /** Names of the curves, by style. */
  readonly legend: readonly string[]
}

/** Draws something in so much width; undefined if there is nothing to draw. */
export type Picture = (width: number) => Drawing | undefined

/** Pixels, to a tenth. */
export function tenth(value: number): number {
  return Math.round(value * 10) / 10
}

/** Height of a line of the legend, and the length of the stroke before each name. */
const LEGEND_LINE = 18
const STROKE = 28

/**
 * The same with title, legend and notes inside, for a file of its own.
 * @param notes lines below everything: what it is of, where and when
 */
export function complete(drawing: Drawing, title: string, notes: readonly string[]): Drawing {
  const { width, height, label, shapes, legend } = drawing
  const top = 26
  const words = (at: Place, text: string, name = false): Shape => ({ kind: 'words', at, text, name })
  const rows = legendRows(legend, width)
  const named = legend.flatMap((text, style): Shape[] => {
    const [x, row] = rows[style]!
    const y = top + height + 10 + row * LEGEND_LINE
    const stroke: Place[] = [
      [x, y],
      [x + STROKE, y],
    ]
    return [{ kind: 'curve', style, points: stroke, said: text }, words([x + STROKE + 6, y + 4], text)]
  })
  const below = top + height + (legend.length === 0 ? 0 : (rows.at(-1)![1] + 1) * LEGEND_LINE) + 8
  const lines = notes.flatMap(note => wrapped(note, Math.floor((width - 8) / CHARACTER)))
  return {
    width,
    height: below + lines.length * 15 + 6,
    label,
    legend: [],
    shapes: [
      words([4, 16], title),
      ...shapes.map(shape => lowered(shape, top)),
      ...named,
      ...lines.map((text, index) => words([4, below + 12 + index * 15], text, true)),
    ],
  }
}

/** Where each name of a legend begins, and in which row it stands. */
function legendRows(names: readonly string[], width: number): [x: number, row: number][] {
  let [x, row] = [4, 0]
  return names.map(name => {
    const needs = STROKE + 6 + name.length * CHARACTER + 18
    if (x > 4 && x + needs > width) [x, row] = [4, row + 1]
    const place: [number, number] = [x, row]
    x += needs
    return place
  })
}

/** Text in lines of at most so many characters, but for words that are longer. */
export function wrapped(text: string, most: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!
    if (last !== '' && last.length + 1 + word.length > most) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines
}

function lowered(shape: Shape, by: number): Shape {
  const down = ([x, y]: Place): Place => [x, y + by]
  switch (shape.kind) {
    case 'line':
      return { ...shape, from: down(shape.from), to: down(shape.to) }
    case 'curve':
      return { ...shape, points: shape.points.map(down) }
    case 'dot': {
      const { spread } = shape
      const moved = { ...shape, at: down(shape.at) }
      return spread === undefined ? moved : { ...moved, spread: [spread[0] + by, spread[1] + by] }
    }
    default:
      return { ...shape, at: down(shape.at) }
  }
}
