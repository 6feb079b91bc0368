/** Colours of lines on white, in the order in which lines take them. */
export const ON_WHITE = [
  '#0b62c4',
  '#c2410c',
  '#15803d',
  '#7e22ce',
  '#a16207',
  '#0e7490',
  '#be185d',
  '#57534e',
] as const

/** Dashes and gaps of the same lines, so that they differ without colours, too; none: a whole line. */
export const DASHES: readonly (readonly number[])[] = [
  [],
  [9, 3],
  [2, 3],
  [9, 3, 2, 3],
  [14, 4],
  [5, 5],
  [1, 4],
  [12, 3, 2, 3, 2, 3],
]

/** Ink, what is less important, and the grid, on white. */
export const INK = '#1c1c1e'
export const FAINT = '#6b6b70'
export const GRID = '#dedee3'
