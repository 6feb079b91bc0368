import { durationText } from '../platform/durations.ts'
import type { LoadedConfig } from './config.ts'
import { FUNCTION_KEYS, type FunctionConfig } from './function.ts'
import { ROOT } from './keys.ts'
import type { Keys, Reader } from './readers.ts'
import { MOST_REPLICAS, type Replicas } from './replicas.ts'

/** One value, or a map of further ones, as a stack file would say it. */
export type Shown = ShownValue | ReadonlyMap<string, Shown>
export interface ShownValue {
  readonly value: unknown
  /** As `hotpotato.yml:3:12`, the name of a variable of the environment, or `default`. */
  readonly from: string
}

/** What stands in place of a value that is not to be seen. */
const MASKED = '********'

/**
 * A configuration as it was understood, with every default. What it prints can be read as a stack file again,
 * but for values that are masked. @param secrets whether values out of `environment_file` are shown
 */
export function shownConfig(
  { config, from }: Pick<LoadedConfig, 'config' | 'from'>,
  secrets: boolean,
): ReadonlyMap<string, Shown> {
  const functions = [...config.functions].map(
    ([name, one]) => [name, shownFunction(one, ['functions', name], from, secrets)] as const,
  )
  const all = shownKeys(ROOT.keys!, config, [], from)
  return new Map([...all, ['functions', new Map<string, Shown>(functions)]])
}

type From = LoadedConfig['from']

/** Keys without a value are left out: there is none by default. */
function shownKeys(
  keys: Keys,
  values: object,
  path: readonly string[],
  from: From,
): ReadonlyMap<string, Shown> {
  return new Map(
    Object.entries(keys).flatMap(([name, reader]) => {
      const value = (values as Readonly<Record<string, unknown>>)[name]
      if (value === undefined || value instanceof Map) return []
      const shown = shownValue(reader, value, [...path, name], from)
      return shown instanceof Map && shown.size === 0 ? [] : [[name, shown] as const]
    }),
  )
}

function shownValue(reader: Reader<unknown>, value: unknown, path: readonly string[], from: From): Shown {
  if (reader.keys !== undefined && isMap(value)) return shownKeys(reader.keys, value, path, from)
  const duration = reader.isDuration && typeof value === 'number' && Number.isFinite(value)
  return { value: duration ? durationText(value) : value, from: from(path) ?? 'default' }
}

function shownFunction(
  one: FunctionConfig,
  path: readonly string[],
  from: From,
  secrets: boolean,
): ReadonlyMap<string, Shown> {
  const shown = new Map(shownKeys(FUNCTION_KEYS, one, path, from))
  const origin = (name: string): string => from([...path, name]) ?? 'default'
  const variables = Object.entries(one.environment).map(([name, value]): readonly [string, ShownValue] => {
    const filed = Object.hasOwn(one.filed, name) ? one.filed[name] : undefined
    if (filed !== undefined) return [name, { value: secrets ? value : MASKED, from: filed }]
    return [name, { value, from: from([...path, 'environment', name]) ?? 'default' }]
  })
  if (variables.length > 0) shown.set('environment', new Map(variables))
  // Of a program it is the folder that it is started in; a bundle has none.
  if (one.program !== undefined)
    shown.set('handler', { value: one.program.directory, from: origin('handler') })
  if (one.sealed !== undefined) shown.delete('handler')
  if (origin('idle') === 'default' && one.idle > 0)
    shown.set('idle', { value: durationText(one.idle), from: origin('labels') })
  const labelled = origin('replicas') === 'default' && replicasText(one.replicas) !== 1
  shown.set('replicas', {
    value: replicasText(one.replicas),
    from: labelled ? origin('labels') : origin('replicas'),
  })
  return shown
}

/** As it would be written. */
function replicasText({ start, min, max, connections }: Replicas): unknown {
  if (connections !== undefined) return { min, max, connections }
  return min === 1 && max === MOST_REPLICAS ? start : { min, max }
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
