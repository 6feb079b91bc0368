import { below, key, type Reader, reader, refuse, section, whole } from './readers.ts'

/** How many containers a function starts with, and how few and how many `scale` may ask for. */
export interface Replicas {
  readonly start: number
  readonly min: number
  readonly max: number
  /** That one container is to have at most; undefined: the number changes by `scale` alone. */
  readonly connections?: number
}

export const MOST_REPLICAS = 64
const count = whole(1, MOST_REPLICAS, 1)
const range = section({
  min: key('Containers that it starts with, and the fewest that it has.', whole(1, MOST_REPLICAS, 1)),
  max: key('The most that it has.', whole(1, MOST_REPLICAS, MOST_REPLICAS)),
  connections: key(
    'Connections that one container is to have: with more of them containers start, with fewer they end.',
    whole(1, 1_000_000, undefined),
  ),
})

/** `N`: to begin with. `{ min, max, connections }`: min to begin with. */
export const replicas: Reader<Replicas> = reader(
  { anyOf: [count.schema, range.schema], default: 1 },
  (value, place) => {
    if (!(value instanceof Map)) return { start: count(value, place), min: 1, max: MOST_REPLICAS }
    const { min, max, connections } = range(value, place)
    if (min > max) refuse(below(place, 'min').path, `at most max (${max})`, min)
    return { start: min, min, max, ...(connections === undefined ? {} : { connections }) }
  },
  range,
)
