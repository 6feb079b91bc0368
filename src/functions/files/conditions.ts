/** What a condition in a request is compared with. */
export interface Validators {
  /** An entity tag as it is sent, with its quotes. */
  readonly etag: string
  /** Whole seconds since 1970; undefined: not known. */
  readonly modified: number | undefined
}

/** Go on, answer that nothing has changed (304), or that a condition failed (412). */
export type Outcome = 'go' | 'unchanged' | 'failed'

interface Fields {
  get(name: string): string | null
}

/** The conditions of a GET or HEAD, in the order of RFC 9110 §13.2.2. `If-Range` is not among them. */
export function evaluate(headers: Fields, { etag, modified }: Validators): Outcome {
  const match = headers.get('if-match')
  if (match !== null) {
    if (!lists(match, etag, strongly)) return 'failed'
  } else if (modified !== undefined) {
    const since = seconds(headers.get('if-unmodified-since'))
    if (since !== undefined && modified > since) return 'failed'
  }
  const noneMatch = headers.get('if-none-match')
  if (noneMatch !== null) return lists(noneMatch, etag, weakly) ? 'unchanged' : 'go'
  const since = seconds(headers.get('if-modified-since'))
  return modified !== undefined && since !== undefined && modified <= since ? 'unchanged' : 'go'
}

/** Whether a Range field counts (RFC 9110 §13.1.5): no `If-Range`, or one that holds. */
export function rangeHolds(headers: Fields, { etag, modified }: Validators): boolean {
  const given = headers.get('if-range')?.trim()
  if (given === undefined) return true
  if (given.startsWith('"') || given.startsWith('W/')) return strongly(given, etag)
  const since = seconds(given)
  return since !== undefined && since === modified
}

function lists(field: string, etag: string, same: (one: string, other: string) => boolean): boolean {
  if (field.trim() === '*') return true
  return (field.match(/(?:W\/)?"[^"]*"/g) ?? []).some(one => same(one, etag))
}

/** RFC 9110 §8.8.3.2. */
function strongly(one: string, other: string): boolean {
  return one === other && !one.startsWith('W/')
}

function weakly(one: string, other: string): boolean {
  return one.replace(/^W\//, '') === other.replace(/^W\//, '')
}

/** A date of HTTP; undefined for what is none, which is as if it were not there. */
function seconds(date: string | null): number | undefined {
  if (date === null || !/^[A-Za-z]{3,9},? /.test(date)) return undefined
  const time = Date.parse(date)
  return Number.isNaN(time) ? undefined : Math.floor(time / 1000)
}
