import type { Measurement } from '../harness/measurement.ts'
import { BenchError } from '../harness/run.ts'
import type { MigrationResult } from '../migration/result.ts'
import type { Kind } from './queue.ts'

/** What the model is fed with. */
export interface Measured {
  readonly stays: Kind
  readonly migrated: Kind
  /** µs of a full handshake with its first answer, both ends of it: more than a server needs. */
  readonly handshake: number
  /** Where the model can be tried: measured in open loop. */
  readonly points: readonly {
    readonly kind: 'stays' | 'migrated'
    readonly rate: number
    readonly mean: number
    readonly p50: number
    readonly p99: number
  }[]
}

/**
 * Takes from a result of `bench:migration` what the model needs, all of it from the scene in which open loop
 * was measured: there, the servers have one core for themselves.
 * @throws BenchError something is not there
 */
export function measuredIn({ measurements }: Pick<MigrationResult, 'measurements'>): Measured {
  const open = measurements.filter(({ name }) => name === 'open.stays' || name === 'open.migrated')
  const [any] = open
  if (any === undefined)
    throw new BenchError('nothing was measured in open loop: npm run bench:migration, on two cores')
  const { rate: _rate, ...scene } = any.labels
  const find = (name: string): Measurement => {
    const found = measurements.find(
      one =>
        one.name === name && Object.entries(scene).every(([label, value]) => one.labels[label] === value),
    )
    if (found === undefined) throw new BenchError(`${name} was not measured where open loop was`)
    return found
  }
  const kind = (name: 'stays' | 'migrated'): Kind => ({
    service: 1e6 / find(`sustained.${name}`).value,
    alone: find(`raw.${name}`).distribution!.histogram,
  })
  return {
    stays: kind('stays'),
    migrated: kind('migrated'),
    handshake: find('raw.full').value,
    points: open.map(({ name, labels, distribution }) => ({
      kind: name === 'open.stays' ? 'stays' : 'migrated',
      rate: Number(labels.rate),
      mean: distribution!.mean,
      p50: distribution!.p50,
      p99: distribution!.p99,
    })),
  }
}
