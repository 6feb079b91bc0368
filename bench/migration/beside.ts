import type { Measurement } from '../harness/measurement.ts'
import { acrossRounds } from '../harness/stats.ts'
import { figure } from '../harness/table.ts'
import type { Circumstances } from './rows.ts'

/** The head of the table of what stood in one run side by side; µs. */
export const BESIDE_HEAD = [
  '',
  'stays',
  'migrated',
  'added',
  'to a pair',
  'cold: stays',
  'migrated',
  'added',
  'full : m.',
  'resumed : m.',
  'user CPU',
  'system',
] as const

/**
 * The platform and every engine of one scene, a row for each: as cells below {@link BESIDE_HEAD}. Empty
 * without an engine.
 * @param measurements of a whole run
 */
export function besideRows(measurements: readonly Measurement[], scene: Circumstances): string[][] {
  const own = measurements.filter(({ labels }) =>
    Object.entries(scene).every(([name, value]) => labels[name] === value),
  )
  const engines = [...new Set(own.flatMap(({ labels }) => labels.engine ?? []))].map(String)
  if (engines.length === 0) return []
  return ['platform', ...engines.filter(name => name !== 'platform')].map(engine => {
    const of = (name: string): Measurement | undefined =>
      own.find(one => one.name === `engine.${name}` && one.labels.engine === engine) ??
      (engine === 'platform' ? own.find(one => one.name === `raw.${name}`) : undefined)
    const cpu = (name: string): Measurement | undefined =>
      own.find(one => one.name === `process.${name}` && one.labels.engine === engine)
    const between = (one: string, other: string, change: (one: number, other: number) => number): string =>
      figure(acrossRounds(of(one)?.rounds ?? [], of(other)?.rounds ?? [], change))
    const minus = (one: number, other: number): number => one - other
    const ratio = (one: number, other: number): number => one / other
    return [
      engine,
      ...['stays', 'migrated'].map(name => figure(of(name)?.value)),
      between('migrated', 'stays', minus),
      between('pair.migrated', 'pair.stays', minus),
      ...['cold.stays', 'cold.migrated'].map(name => figure(of(name)?.value)),
      between('cold.migrated', 'cold.stays', minus),
      between('full', 'migrated', ratio),
      between('resumed', 'migrated', ratio),
      ...['user', 'system'].map(name => figure(cpu(name)?.value)),
    ]
  })
}
