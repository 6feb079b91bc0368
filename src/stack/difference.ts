import type { Config } from './config.ts'
import type { Plan } from './plan.ts'
import type { MemberSpec } from './spec.ts'

/** What has to be done so that what runs becomes what another plan asks for. */
export interface Difference {
  /** Functions that are new, and functions that are no more. */
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Functions whose containers have to be others. */
  readonly renewed: ReadonlySet<string>
  /** Functions of which there are to be another number of containers to begin with. */
  readonly scaled: ReadonlySet<string>
  /** All processes have to be told of functions and hosts. */
  readonly table: boolean
  /** There has to be another gateway. */
  readonly gateway: boolean
}

/** Compares what runs with what is to run. */
export function difference(running: Plan, next: Plan): Difference {
  const both = [...next.specs.keys()].filter(name => running.specs.has(name))
  const differs = (name: string): boolean =>
    !same(ofContainer(running.specs.get(name)!), ofContainer(next.specs.get(name)!))
  const carriers = (plan: Plan): readonly string[] => [...new Set(Object.values(plan.table.carriers))].sort()
  return {
    added: [...next.specs.keys()].filter(name => !running.specs.has(name)),
    removed: [...running.specs.keys()].filter(name => !next.specs.has(name)),
    renewed: new Set(both.filter(differs)),
    scaled: new Set(both.filter(name => !same(running.bounds.get(name), next.bounds.get(name)))),
    table: !same(running.table, next.table),
    // It prepares its carriers once.
    gateway:
      !same(ofGateway(running.gateway), ofGateway(next.gateway)) || !same(carriers(running), carriers(next)),
  }
}

/** What only another process can have otherwise: that of which a running one is told is left out. */
function ofContainer(spec: MemberSpec): unknown {
  const { functionNames: _, retries: __, routes: ___, ...settings } = spec.settings as unknown as Fields
  return { ...spec, settings, entry: spec.entry.href }
}

function ofGateway(spec: MemberSpec): unknown {
  const { gateway, ...settings } = spec.settings as unknown as { readonly gateway: Fields }
  const { functionNames: _, routes: __, defaultFunction: ___, carriers: ____, ...own } = gateway
  return { ...spec, settings: { ...settings, gateway: own }, entry: spec.entry.href }
}

type Fields = Readonly<Record<string, unknown>>

/** The keys of a configuration that differ in another one, joined with dots; a list is one value. */
export function changedKeys(before: Config, after: Config): string[] {
  return keysThatDiffer(before, after, '')
}

function keysThatDiffer(before: unknown, after: unknown, path: string): string[] {
  const [one, other] = [entriesOf(before), entriesOf(after)]
  if (one === undefined || other === undefined) return same(before, after) ? [] : [path]
  return [...new Set([...one.keys(), ...other.keys()])].flatMap(key => {
    const name = path === '' ? key : `${path}.${key}`
    return keysThatDiffer(one.get(key), other.get(key), name)
  })
}

/** Of a map of keys; undefined for a value. What a function is given by name is one value. */
function entriesOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (value instanceof Map) return value
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return new Map(Object.entries(value))
}

/** Whether two values say the same; in which order their keys stand does not matter. */
function same(one: unknown, other: unknown): boolean {
  return canonical(one) === canonical(other)
}

function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_, one: unknown) => {
    if (typeof one !== 'object' || one === null || Array.isArray(one)) return one
    return Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}

/** Keys whose change only concerns processes that are told of it, or that are started because of it. */
const IN_PLACE = [
  'version',
  'provider',
  'certificates',
  'secretsDirectory',
  'carrier',
  'duplicate',
  'gateway.defaultFunction',
  'gateway.limits',
  'connection',
  'tls',
  'trust',
  'rehearsals',
  'rehearsalSeconds',
  'restart',
  'functions',
]

/** Which of these keys can only be otherwise after a new start of everything. */
export function fixedKeys(keys: readonly string[]): string[] {
  return keys.filter(key => !IN_PLACE.some(one => key === one || key.startsWith(`${one}.`)))
}
