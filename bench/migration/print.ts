import { goalLines } from '../harness/goal.ts'
import type { Measurement } from '../harness/measurement.ts'
import { figure, table } from '../harness/table.ts'
import { BESIDE_HEAD, besideRows } from './beside.ts'
import { PUBLISHED_HEAD, publishedRow } from './published.ts'
import type { MigrationResult, SceneResult } from './result.ts'
import { ROWS, SWEEPS } from './rows.ts'
import { STAGES, type Stage } from './stages.ts'

/** The result as text for a terminal. */
export function format(result: MigrationResult): string {
  return [
    '100 B in, 200 B out on one keep-alive connection by default; every answer checked. ' +
      'Client: our own session, node provider, sealing and opening off the clock',
    ...result.scenes.filter(({ marks }) => !marks).map(scene => sceneText(result, scene)),
    ...sweepTexts(result),
    ...stagesText(result),
    publishedText(result),
    `── goals, compared with: ${result.goalsOf}\n${goalLines(result.goals)}`,
  ]
    .filter(text => text !== '')
    .join('\n\n')
}

function of(result: MigrationResult, { circumstances }: SceneResult): Measurement[] {
  const isOf = ({ labels }: Measurement): boolean =>
    Object.entries(circumstances).every(([name, value]) => labels[name] === value)
  return result.measurements.filter(isOf)
}

function sceneText(result: MigrationResult, scene: SceneResult): string {
  const { facts, relations, name } = scene
  const what = facts && `: ${facts.cipherSuite}, ${facts.channel} channel, ${facts.stream} streams`
  const title = `── ${name}${what ?? ''}`
  const rows = of(result, scene)
    .filter(one => Object.hasOwn(ROWS, one.name))
    .map(cells)
  const lines = [title]
  if (rows.length > 0) lines.push(table(HEAD, rows))
  const beside = besideRows(result.measurements, scene.circumstances)
  if (beside.length > 0) lines.push(`beside each other, µs:\n${table(BESIDE_HEAD, beside)}`)
  if (facts !== undefined) {
    const { idle, idleSealed, request, requestSealed } = facts.state
    lines.push(
      `state: ${idle} B idle, ${idleSealed} B sealed; ` +
        `with a request on board ${request} B, ${requestSealed} B sealed`,
    )
  }
  const micros = (one: keyof typeof relations): string => `${figure(relations[one])} µs`
  const times = (one: keyof typeof relations): string => `${figure(relations[one])} ×`
  lines.push(
    `a move adds ${micros('added')}, to a pair ${micros('addedToPair')}, cold ${micros('addedCold')} ` +
      `(floor ${micros('floorAdded')}, platform : floor ${times('addedToFloor')}, ` +
      `user CPU ${times('userToFloor')})`,
    `with the fetch handler it adds ${micros('addedFetch')}; ` +
      `export + import ${micros('exportAndImport')}, with seal + open ${micros('exportSealOpenImport')}`,
    `reconnect : migrated   full ${times('fullToMigrated')}, resumed ${times('resumedToMigrated')}, ` +
      `0-RTT ${times('earlyToMigrated')}; ` +
      `node:tls full ${times('nodeFullToMigrated')}, resumed ${times('nodeResumedToMigrated')}`,
    `proxy : migrated       ${times('forwardedToMigrated')}; ` +
      `fetch handler ${times('forwardedToFetchMigrated')}`,
  )
  return lines.join('\n')
}

const HEAD = ['', 'p50 µs', '95 % interval', 'p99 µs', 'samples', 'rounds']

function cells(one: Measurement): string[] {
  const { title, value, interval, distribution, samples, rounds } = one
  return [
    title,
    figure(value),
    interval === undefined ? '–' : interval.map(figure).join(' – '),
    figure(distribution?.p99),
    String(samples),
    String(rounds.length),
  ]
}

/** The labels that tell the values of a sweep apart. */
const AXES = ['alpha', 'payload', 'connections', 'chain', 'rate'] as const

function sweepTexts({ measurements }: MigrationResult): string[] {
  return AXES.flatMap(axis => {
    const found = measurements.filter(
      one => Object.hasOwn(SWEEPS, one.name) && one.labels[axis] !== undefined,
    )
    const scene = ({ labels }: Measurement): string => `${labels.placement}, ${labels.provider}`
    const scenes = [...new Set(found.map(scene))]
    const rows = found.map(one => [
      `${one.title}: ${axis} ${one.labels[axis]}${scenes.length > 1 ? ` (${scene(one)})` : ''}`,
      one.unit === 'µs' ? figure(one.value) : `${Math.round(one.value)} ${one.unit}`,
      figure(one.distribution?.mean),
      figure(one.distribution?.p99),
      String(one.samples),
    ])
    const head = ['', 'per round', 'mean', 'p99', 'samples']
    return rows.length === 0 ? [] : [`── ${axis} (${scenes.join('; ')}; µs by default)\n${table(head, rows)}`]
  })
}

function stagesText(result: MigrationResult): string[] {
  const stages = result.measurements.filter(({ name }) => name === 'stage')
  if (stages.length === 0) return []
  const value = (stage: string, request: string): number | undefined =>
    stages.find(({ labels }) => labels.stage === stage && labels.request === request)?.value
  const line = (stage: string, title: string): string[] => [
    `${stage.padEnd(9)} ${title}`,
    figure(value(stage, 'stays')),
    figure(value(stage, 'migrated')),
  ]
  const rows = (Object.keys(STAGES) as Stage[]).map(stage => line(stage, STAGES[stage]))
  const kinds = ['stays', 'migrated'] as const
  const sums = kinds.map(kind =>
    (Object.keys(STAGES) as Stage[]).reduce((sum, stage) => sum + (value(stage, kind) ?? 0), 0),
  )
  const wholes = kinds.map(kind => value('whole', kind) ?? Number.NaN)
  const plain = kinds.map(
    kind => result.measurements.find(one => one.name === `raw.${kind}` && sameScene(one, stages[0]!))?.value,
  )
  rows.push(
    ['sum of all stages', ...sums.map(figure)],
    ['the whole, as the client sees it', ...wholes.map(figure)],
    ['unaccounted', ...sums.map((sum, i) => figure(wholes[i]! - sum))],
    ['the same request without marks, p50', ...plain.map(figure)],
  )
  const { placement, provider } = stages[0]!.labels
  const which = 'means over typical requests, the fifth around the median'
  const title = `── stages, µs: ${which} (${placement}, ${provider})`
  return [`${title}\n${table(['', 'stays', 'migrated'], rows)}`]
}

function sameScene(one: Measurement, other: Measurement): boolean {
  return ['placement', 'provider', 'suite', 'channel', 'carrier', 'seal'].every(
    name => one.labels[name] === other.labels[name],
  )
}

function publishedText({ published }: MigrationResult): string {
  const rows = published.figures.map(publishedRow)
  return `── other systems, NOT of this run: ${published.source}\n${table(PUBLISHED_HEAD, rows)}`
}
