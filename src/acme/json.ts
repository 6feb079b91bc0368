/* What comes from a server is unknown until each field has been looked at. */

/** An object of JSON. */
export type Fields = Readonly<Record<string, unknown>>

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A text of at most that many characters; undefined for anything else. */
export function textOf(value: unknown, most = 4096): string | undefined {
  return typeof value === 'string' && value.length <= most ? value : undefined
}

/** A moment (RFC 3339) in milliseconds since 1970; undefined for anything else. */
export function momentOf(value: unknown): number | undefined {
  const text = textOf(value, 64)
  const found = text === undefined || !/^\d{4}-\d\d-\d\d[Tt ]/.test(text) ? Number.NaN : Date.parse(text)
  return Number.isNaN(found) ? undefined : found
}

/** A list of at most that many things that `read` can read; what it cannot makes the list none. */
export function listOf<T>(
  value: unknown,
  most: number,
  read: (one: unknown) => T | undefined,
): T[] | undefined {
  if (!Array.isArray(value) || value.length > most) return undefined
  const all = value.map(read)
  return all.includes(undefined) ? undefined : (all as T[])
}
