/** A content coding that this server can make, or none. */
export type Coding = 'br' | 'gzip' | 'identity'

/** In order of preference, where the client has none. */
const CODINGS = ['br', 'gzip', 'identity'] as const satisfies readonly Coding[]

/**
 * Chooses a coding by Accept-Encoding (RFC 9110 §12.5.3).
 * @param field undefined or null: there is none, and nothing is encoded
 * @returns undefined: the client takes none of them, not even `identity`
 */
export function chooseCoding(field: string | null | undefined): Coding | undefined {
  if (field === undefined || field === null) return 'identity'
  const weights = new Map<string, number>()
  for (const one of field.split(',')) {
    const [, name, weight = '1'] =
      /^\s*([^\s;]+)\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?$/i.exec(one) ?? []
    if (name !== undefined) weights.set(name.toLowerCase().replace(/^x-gzip$/, 'gzip'), Number(weight))
  }
  const weightOf = (coding: Coding): number => {
    const named = weights.get(coding)
    if (named !== undefined) return named
    const any = weights.get('*')
    if (coding !== 'identity') return any ?? 0
    // Always acceptable unless it is forbidden, and worth less than what was asked for by name.
    return any === 0 ? 0 : 0.0001
  }
  let best: Coding | undefined
  for (const coding of CODINGS)
    if (weightOf(coding) > (best === undefined ? 0 : weightOf(best))) best = coding
  return best
}
