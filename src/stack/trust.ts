import { isFunctionName } from '../platform/function-name.ts'
import { below, ConfigError, key, type Reader, reader, refuse, section, show, truth } from './readers.ts'

/** Functions that trust each other with the connections that they have given each other. */
export interface TrustGroup {
  readonly functions: readonly string[]
  /** A container keeps the socket and the keys of a connection that has gone to another one of the group. */
  readonly warm: boolean
}

const names: Reader<readonly string[]> = reader(
  { type: 'array', items: { type: 'string' } },
  (value, { path }) => {
    const allowed = 'a list of functions, as [echo, resize]'
    if (!Array.isArray(value) || !value.every(one => typeof one === 'string' && isFunctionName(one)))
      return refuse(path, allowed, value ?? null)
    return [...new Set(value as string[])]
  },
)

const group: Reader<TrustGroup> = section({
  functions: key('The members.', names),
  warm: key(
    'A container keeps the socket and the keys of a connection that has gone to another one of the group.',
    truth(false),
  ),
})

/** A list of groups; none unless they are written down. */
export const trust: Reader<readonly TrustGroup[]> = reader(
  { type: ['array', 'null'], items: group.schema, default: [] },
  (value, place) => {
    if (value === undefined || value === null) return []
    if (!Array.isArray(value)) return refuse(place.path, 'a list of groups of functions', value)
    return value.map((one, index) => group(one, below(place, String(index))))
  },
  group,
)

/** @throws ConfigError a group has what is no function */
export function checkTrust(groups: readonly TrustGroup[], functions: ReadonlyMap<string, unknown>): void {
  for (const [index, { functions: members }] of groups.entries()) {
    for (const name of members) {
      if (functions.has(name)) continue
      const known = [...functions.keys()].join(', ')
      const path = `trust.${index}.functions`
      throw new ConfigError(`${path} must have names of functions (${known}), not ${show(name)}`, path)
    }
  }
}

/** With whose containers those of a function keep connections warm, itself included; none: with no one's. */
export function warmWith(groups: readonly TrustGroup[], functionName: string): readonly string[] {
  const found = groups.filter(({ functions, warm }) => warm && functions.includes(functionName))
  return [...new Set(found.flatMap(({ functions }) => functions))]
}
