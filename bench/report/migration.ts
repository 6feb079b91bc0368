import type { Measurement } from '../harness/measurement.ts'
import { figure } from '../harness/table.ts'
import { PUBLISHED_HEAD, publishedRow } from '../migration/published.ts'
import type { MigrationResult } from '../migration/result.ts'
import { ROWS, type RowName, type SweepName } from '../migration/rows.ts'
import { STAGES, type Stage } from '../migration/stages.ts'
import { escaped, figureOf, section, tableOf } from './html.ts'
import { cumulative } from './measurements.ts'
import { type Line, plot } from './plot.ts'
import { waterfall } from './waterfall.ts'

/** What is compared in one picture. */
const MODES: readonly RowName[] = [
  'raw.stays',
  'raw.migrated',
  'proxy.forwarded',
  'stack.early',
  'raw.resumed',
  'raw.full',
  'node.resumed',
  'node.full',
]

/** Samples that a histogram needs, so that it shows a shape and not single samples. */
const FOR_HISTOGRAM = 200

/** The pictures and tables of a result of `bench:migration`. */
export function migrationSections(result: MigrationResult): string[] {
  const base = baseOf(result)
  return [distributions(base), stages(result), sweeps(result, base), scenes(result), published(result)]
}

/** What was measured in the scene that the goals are held against. */
function baseOf({ measurements, scenes: all, goalsOf }: MigrationResult): Measurement[] {
  const { circumstances } = all.find(({ name, marks }) => name === goalsOf && !marks) ?? all[0]!
  return measurements.filter(({ name, labels }) => name !== 'stage' && fits(labels, circumstances))
}

function fits(labels: Measurement['labels'], circumstances: object): boolean {
  return Object.entries(circumstances).every(([name, value]) => labels[name] === value)
}

function distributions(base: readonly Measurement[]): string {
  const rows = MODES.flatMap(
    name => base.find(one => one.name === name && one.distribution !== undefined) ?? [],
  )
  const lines = (points: (one: Measurement) => Line['points'], kind: Line['kind'], least = 1): Line[] =>
    rows
      .filter(({ samples }) => samples >= least)
      .map(one => ({ name: one.title, points: points(one), ...(kind === undefined ? {} : { kind }) }))
  const x = { label: 'µs, from before the write (or connect) to the last byte of the answer', log: true }
  return section('How long a request takes', [
    figureOf(
      plot({
        x,
        y: { label: 'share of requests', from: 0, to: 1 },
        lines: lines(one => cumulative(one.distribution!.histogram), 'curve'),
      }),
      'Cumulative: at a height of 0.5 each curve crosses its median. ' +
        '100 bytes in, 200 out, every answer checked.',
    ),
    figureOf(
      plot({
        x,
        y: { label: 'share of requests in a class', from: 0 },
        lines: lines(
          one => one.distribution!.histogram.map(([edge, count]) => ({ x: edge, y: count / one.samples })),
          'steps',
          FOR_HISTOGRAM,
        ),
      }),
      'Histograms of those that have enough samples for one: classes grow with the value, 32 to an octave.',
    ),
  ])
}

function stages({ measurements }: MigrationResult): string {
  const found = measurements.filter(({ name }) => name === 'stage')
  const parts = (['stays', 'migrated'] as const).map(kind => {
    const steps = (Object.keys(STAGES) as Stage[]).flatMap(stage => {
      const one = found.find(({ labels }) => labels.stage === stage && labels.request === kind)
      return one === undefined ? [] : [{ name: stage, title: STAGES[stage], value: one.value }]
    })
    const whole = found.find(({ labels }) => labels.stage === 'whole' && labels.request === kind)?.value
    const sum = steps.reduce((all, { value }) => all + value, 0)
    const caption =
      `A request that ${kind === 'stays' ? 'stays' : 'is migrated'}: ` +
      `${figure(whole)} µs as the client sees it, the stages add up to ${figure(sum)} µs. ` +
      `Typical requests, the fifth around the median; ` +
      'noting the marks costs some µs.'
    return steps.length === 0 ? '' : figureOf(waterfall(steps, 'µs'), caption)
  })
  return section('Where each microsecond goes', parts)
}

/** A picture over one label. */
interface Sweep {
  readonly title: string
  readonly names: readonly SweepName[]
  readonly label: string
  readonly axis: string
  readonly log: boolean
  readonly caption: string
  /** Beside the value: the 99th percentile. */
  readonly tail?: true
}

const SWEEPS: readonly Sweep[] = [
  {
    title: 'How often the owner changes',
    names: ['alpha'],
    label: 'alpha',
    axis: 'α: percent of requests for which the connection moves',
    log: false,
    caption: 'Mean of a request; whiskers are 95 % intervals.',
  },
  {
    title: 'How much is sent',
    names: ['payload.stays', 'payload.migrated', 'payload.forwarded'],
    label: 'payload',
    axis: 'bytes of content in, and twice as many out',
    log: true,
    caption:
      'A move carries the session and none of the content; a proxy carries all of it once more, both ways.',
  },
  {
    title: 'How many connections are open',
    names: ['connections.stays', 'connections.migrated'],
    label: 'connections',
    axis: 'open connections, one request at a time',
    log: true,
    caption: 'Flat is as it should be.',
  },
  {
    title: 'How many containers take part',
    names: ['chain'],
    label: 'chain',
    axis: 'containers on the tour',
    log: false,
    caption: 'Every request moves on to the next container of the tour.',
  },
  {
    title: 'How many requests come a second',
    names: ['open.stays', 'open.migrated'],
    label: 'rate',
    axis: 'requests a second, arriving whether or not answers come (Poisson)',
    log: true,
    caption:
      'Open loop: each request is timed from the moment at which it was due, so that a stall counts for ' +
      'every request that it delays. Servers on one core, the client on another.',
    tail: true,
  },
]

function sweeps({ measurements }: MigrationResult, base: readonly Measurement[]): string {
  const pictures = SWEEPS.map(({ title, names, label, axis, log, caption, tail }) => {
    const lines = names.flatMap((name): Line[] => {
      const own = base.filter(one => one.name === name)
      // Open loop has a scene of its own.
      const found = own.length > 0 ? own : measurements.filter(one => one.name === name)
      const point = (one: Measurement, y: number): Line['points'][number] => ({
        x: Number(one.labels[label]),
        y,
        ...(one.interval === undefined || y !== one.value
          ? {}
          : { low: one.interval[0], high: one.interval[1] }),
      })
      const line = { name: found[0]?.title ?? name, points: found.map(one => point(one, one.value)) }
      const tails = found.map(one => point(one, one.distribution?.p99 ?? one.value))
      return tail === undefined ? [line] : [line, { name: `${line.name}: p99`, points: tails }]
    })
    const spread = lines.some(({ points }) => points.length > 1)
    const picture = spread
      ? plot({ x: { label: axis, log }, y: { label: 'µs', ...(log ? { log } : { from: 0 }) }, lines })
      : ''
    return picture === '' ? '' : `<h3>${escaped(title)}</h3>${figureOf(picture, caption)}`
  })
  return section('Under which circumstances', pictures)
}

function scenes({ measurements, scenes: all }: MigrationResult): string {
  const plain = all.filter(({ marks }) => !marks)
  const rows = (Object.keys(ROWS) as RowName[]).map(name => [
    ROWS[name],
    ...plain.map(({ circumstances }) => {
      const one = measurements.find(found => found.name === name && fits(found.labels, circumstances))
      return one === undefined ? '–' : `${figure(one.value)} (${figure(one.distribution?.p99)})`
    }),
  ])
  const sizes = plain[0]?.facts?.state
  return section('All measurements of every scene', [
    tableOf(['µs: p50 (p99)', ...plain.map(({ name }) => name)], rows),
    sizes === undefined
      ? ''
      : `<p>State of a connection: ${sizes.idle} B when idle, ${sizes.idleSealed} B sealed; ` +
        `with a request on board ${sizes.request} B, ${sizes.requestSealed} B sealed.</p>`,
  ])
}

function published({ published: { source, figures } }: MigrationResult): string {
  const table = tableOf(PUBLISHED_HEAD, figures.map(publishedRow))
  return section('Other systems: not of this run', [table, `<p>${escaped(source)}</p>`])
}
