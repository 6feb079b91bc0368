import { figuresOf, type Measurement, timesOf } from '../../bench/harness/measurement.ts'
import type { BenchResult } from '../../bench/harness/run.ts'
import { Series } from '../../bench/harness/stats.ts'
import { type MigrationResult, PUBLISHED_TABLE } from '../../bench/migration/result.ts'
import {
  ENGINE_ROWS,
  PROCESS_ROWS,
  ROWS,
  type RowName,
  SWEEPS,
  type SweepName,
} from '../../bench/migration/rows.ts'
import { STAGES } from '../../bench/migration/stages.ts'

const CIRCUMSTANCES = {
  placement: 'one core',
  provider: 'evp',
  suite: 'TLS_AES_128_GCM_SHA256',
  channel: 'native',
  carrier: 'fd',
  seal: 'on',
} as const

/** A result of another bench that was made up. */
export function otherResult(): BenchResult {
  const { parameters, skipped, goals, ...common } = migrationResult()
  const { scenes: _scenes, goalsOf: _goalsOf, published: _published, ...rest } = common
  const answered = (connections: number): Measurement => {
    const series = new Series()
    for (let round = 0; round < 8; round++) series.add([connections, connections + 1, connections + 2])
    const labels = { road: 'relay', connections }
    return timesOf({ name: 'failover.answered', title: 'answered', labels, unit: 'ms' }, series)
  }
  const all = (road: string): Measurement =>
    figuresOf(
      { name: 'failover.all', title: 'from the kill until <all> are answered', labels: { road }, unit: 'ms' },
      [1, 2, 3, 4, 5, 6],
    )
  const measurements = [answered(1), answered(100), all('relay'), all('reconnect')]
  return { ...rest, bench: 'failover', parameters, skipped, goals, measurements }
}

/** A result of `bench:migration` that was made up, with a bit of everything. */
export function migrationResult(): MigrationResult {
  const measured = (name: string, title: string, center: number, labels = {}): Measurement => {
    const series = new Series()
    for (let round = 0; round < 8; round++)
      series.add(Array.from({ length: 50 }, (_, i) => center * (1 + i / 50 + round / 100)))
    return timesOf({ name, title, labels: { ...CIRCUMSTANCES, ...labels } }, series)
  }
  const sweep = (names: readonly SweepName[], label: string, values: readonly number[]): Measurement[] =>
    names.flatMap(name =>
      values.map(value => measured(name, SWEEPS[name], 30 + value / 100, { [label]: value })),
    )
  const stages = (['stays', 'migrated'] as const).flatMap(request => [
    ...Object.entries(STAGES).map(([stage, title]) => measured('stage', title, 5, { stage, request })),
    measured('stage', 'the whole', 5 * Object.keys(STAGES).length, { stage: 'whole', request }),
  ])
  return {
    bench: 'migration',
    format: 2,
    date: '2026-01-01T00:00:00.000Z',
    mode: 'default',
    complete: true,
    seconds: 60,
    machine: { cpu: '<b>CPU</b>', cores: 2, kernel: 'linux 6 x64', memory: 4096 },
    versions: { node: '20', openssl: '3', v8: '11' },
    load: { average: [0, 1], foreign: 0.01 },
    parameters: { ...CIRCUMSTANCES, alpha: [0, 50, 100] },
    measurements: [
      ...(Object.keys(ROWS) as RowName[]).map((name, index) => measured(name, ROWS[name], 30 * (index + 1))),
      ...Object.entries(ENGINE_ROWS).map(([name, title], index) =>
        measured(name, `floor: ${title}`, 20 * (index + 1), { engine: 'floor' }),
      ),
      ...['platform', 'floor'].map((engine, index) =>
        figuresOf(
          {
            name: 'process.user',
            title: `${engine}: ${PROCESS_ROWS['process.user']}`,
            labels: { ...CIRCUMSTANCES, engine },
            unit: 'µs CPU',
          },
          [60, 61, 62].map(value => value / (index + 1)),
        ),
      ),
      ...sweep(['alpha'], 'alpha', [0, 50, 100]),
      ...sweep(['payload.stays', 'payload.migrated', 'payload.forwarded'], 'payload', [64, 1024, 65_536]),
      ...sweep(['connections.stays', 'connections.migrated'], 'connections', [1, 10, 100]),
      ...sweep(['open.stays', 'open.migrated'], 'rate', [500, 1000]),
      ...(['sustained.stays', 'sustained.migrated'] as const).map(name =>
        figuresOf(
          { name, title: SWEEPS[name], labels: { ...CIRCUMSTANCES, connections: 32 } },
          [9000, 10_000, 11_000],
        ),
      ),
      ...stages,
    ],
    skipped: [{ name: 'node.early', labels: {}, reason: 'node:tls has no early data' }],
    goals: [{ name: 'added by the move', relation: '≤', goal: 23, unit: 'µs', reached: 30, met: false }],
    scenes: [
      {
        name: 'one core, evp',
        circumstances: CIRCUMSTANCES,
        marks: false,
        facts: {
          channel: 'native',
          stream: 'raw',
          cipherSuite: CIRCUMSTANCES.suite,
          http2: true,
          state: { idle: 241, idleSealed: 268, request: 405, requestSealed: 432 },
        },
        relations: { added: 30 },
      },
    ],
    goalsOf: 'one core, evp',
    published: PUBLISHED_TABLE,
  }
}
