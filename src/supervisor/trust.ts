import { isFunctionName } from '../platform/function-name.ts'
import { asMap, below, ConfigError, type Reader, refuse, show, truth } from './readers.ts'

/** Functions that trust each other with the connections that they have given each other. */
export interface TrustGroup {
  readonly functions: readonly string[]
  /** A container keeps the socket and the keys of a connection that has gone to another one of the group. */
  readonly warm: boolean
}

/** A list of groups; none unless they are written down. */
export const trust: Reader<readonly TrustGroup[]> = (value, place) => {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) return refuse(place.path, 'a list of groups of functions', value)
  return value.map((one, index) => {
    const group = { ...place, path: `${place.path}[${index}]` }
    const map = asMap(one, group)
    for (const key of map.keys()) {
      if (key !== 'functions' && key !== 'warm')
        place.warnings.push(`${below(group, String(key)).path} is unknown and ignored`)
    }
    const functions = names(map.get('functions'), below(group, 'functions'))
    return { functions, warm: truth(false)(map.get('warm'), below(group, 'warm')) }
  })
}

const names: Reader<readonly string[]> = (value, { path }) => {
  const allowed = 'a list of functions, as [echo, resize]'
  if (!Array.isArray(value) || !value.every(one => typeof one === 'string' && isFunctionName(one)))
    return refuse(path, allowed, value ?? null)
  return [...new Set(value as string[])]
}

/** @throws ConfigError a group has what is no function */
export function checkTrust(groups: readonly TrustGroup[], functions: ReadonlyMap<string, unknown>): void {
  for (const [index, { functions: members }] of groups.entries()) {
    for (const name of members) {
      if (functions.has(name)) continue
      const known = [...functions.keys()].join(', ')
      const where = `trust[${index}].functions`
      throw new ConfigError(`${where} must have names of functions (${known}), not ${show(name)}`)
    }
  }
}

/** With whose containers those of a function keep connections warm, itself included; none: with no one's. */
export function warmWith(groups: readonly TrustGroup[], functionName: string): readonly string[] {
  const found = groups.filter(({ functions, warm }) => warm && functions.includes(functionName))
  return [...new Set(found.flatMap(({ functions }) => functions))]
}
