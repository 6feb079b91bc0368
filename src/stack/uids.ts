import { key, type Reader, scalar, section, whole } from './readers.ts'

/** User ids, from the first to the last. */
export interface UidRange {
  readonly first: number
  readonly last: number
}

/** Above those of people and below those that systems keep for themselves. */
export const USUAL_UIDS: UidRange = { first: 58_000, last: 58_999 }
/** The last one but the two that mean no user. */
const MOST = 2 ** 32 - 3

const map = section({
  first: key('The first of them.', whole(1, MOST, undefined)),
  last: key('The last of them.', whole(1, MOST, undefined)),
})

const range: Reader<UidRange> = scalar(
  `two user ids from 1 to ${MOST}, the smaller one first, as 58000-58999`,
  () => USUAL_UIDS,
  value => {
    const [, from, to] = /^(\d{1,10})-(\d{1,10})$/.exec(String(value)) ?? []
    const range =
      value instanceof Map
        ? { first: value.get('first'), last: value.get('last') }
        : { first: Number(from), last: Number(to) }
    return isRange(range) ? range : undefined
  },
  {
    anyOf: [{ type: 'string', pattern: '^[0-9]{1,10}-[0-9]{1,10}$' }, map.schema],
    default: `${USUAL_UIDS.first}-${USUAL_UIDS.last}`,
  },
)

/** User ids that functions may be given: as `58000-58999`, or as a map with both. */
export const uidRange: Reader<UidRange> = Object.assign(range, { keys: map.keys! })

function isRange({ first, last }: { readonly first: unknown; readonly last: unknown }): boolean {
  const are = [first, last].every(one => Number.isInteger(one) && Number(one) >= 1 && Number(one) <= MOST)
  return are && Number(first) <= Number(last)
}
