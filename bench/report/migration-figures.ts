import type { Measurement } from '../harness/measurement.ts'
import { figure } from '../harness/table.ts'
import type { Only } from '../migration/parameters.ts'
import type { MigrationResult } from '../migration/result.ts'
import type { RowName, SweepName } from '../migration/rows.ts'
import { STAGES, type Stage } from '../migration/stages.ts'
import { type Bar, bars } from './bars.ts'
import type { Figure } from './figure.ts'
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

/** What is enough to measure for each figure, as in `npm run bench:migration -- --only`. */
export const ONLY_FOR: Readonly<Record<string, Only>> = {
  'migration-latency': 'rows',
  'migration-histogram': 'rows',
  'migration-engines': 'rows',
  'migration-cold': 'rows',
  'migration-stages-stays': 'stages',
  'migration-stages-migrated': 'stages',
  'migration-alpha': 'alpha',
  'migration-payload': 'payload',
  'migration-connections': 'connections',
  'migration-chain': 'chain',
  'migration-open': 'open',
}

/** The figures of `bench:migration`, by what they belong to in the page. */
export interface MigrationFigures {
  readonly latency: readonly Figure[]
  readonly beside: readonly Figure[]
  readonly stages: readonly Figure[]
  readonly sweeps: readonly Figure[]
}

export function migrationFigures(result: MigrationResult): MigrationFigures {
  const base = baseOf(result)
  return {
    latency: latency(base),
    beside: [beside(base), cold(base)],
    stages: stages(result),
    sweeps: SWEEPS.map(one => sweep(one, result, base)),
  }
}

/** What was measured in the scene that the goals are held against. */
function baseOf({ measurements, scenes: all, goalsOf }: MigrationResult): Measurement[] {
  const { circumstances } = all.find(({ name, marks }) => name === goalsOf && !marks) ?? all[0]!
  return measurements.filter(({ name, labels }) => name !== 'stage' && fits(labels, circumstances))
}

/** Whether something was measured under these circumstances. */
export function fits(labels: Measurement['labels'], circumstances: object): boolean {
  return Object.entries(circumstances).every(([name, value]) => labels[name] === value)
}

function latency(base: readonly Measurement[]): Figure[] {
  const rows = MODES.flatMap(
    name => base.find(one => one.name === name && one.distribution !== undefined) ?? [],
  )
  const lines = (points: (one: Measurement) => Line['points'], kind: Line['kind'], least = 1): Line[] =>
    rows
      .filter(({ samples }) => samples >= least)
      .map(one => ({ name: one.title, points: points(one), ...(kind === undefined ? {} : { kind }) }))
  const x = { label: 'µs, from before the write (or connect) to the last byte of the answer', log: true }
  const curves = lines(one => cumulative(one.distribution!.histogram), 'curve')
  const share = (one: Measurement): Line['points'] =>
    one.distribution!.histogram.map(([edge, count]) => ({ x: edge, y: count / one.samples }))
  const shapes = lines(share, 'steps', FOR_HISTOGRAM)
  return [
    {
      name: 'migration-latency',
      title: 'How long a request takes',
      caption:
        'Cumulative: at a height of 0.5 each curve crosses its median. ' +
        '100 bytes in, 200 out, every answer checked.',
      of: rows,
      picture: width => plot({ x, y: { label: 'share of requests', from: 0, to: 1 }, lines: curves }, width),
    },
    {
      name: 'migration-histogram',
      title: 'How long a request takes, as a histogram',
      caption: 'Of those that have enough samples for one: classes grow with the value, 32 to an octave.',
      of: rows,
      picture: width =>
        plot({ x, y: { label: 'share of requests in a class', from: 0 }, lines: shapes }, width),
    },
  ]
}

/** The platform and the engines beside it, in a bar for each kind of request. */
function besideBars(base: readonly Measurement[], kinds: readonly string[], words: readonly string[]): Bar[] {
  const engines = [...new Set(base.flatMap(({ labels }) => labels.engine ?? []))].map(String)
  const names = ['platform', ...engines.filter(name => name !== 'platform')]
  return names.flatMap(engine =>
    kinds.flatMap((kind, index): Bar[] => {
      const of =
        base.find(one => one.name === `engine.${kind}` && one.labels.engine === engine) ??
        (engine === 'platform' ? base.find(one => one.name === `raw.${kind}`) : undefined)
      return of === undefined ? [] : [{ name: `${engine}: ${words[index]}`, of }]
    }),
  )
}

function beside(base: readonly Measurement[]): Figure {
  const rows = besideBars(base, ['stays', 'migrated'], ['stays', 'migrated'])
  return {
    name: 'migration-engines',
    title: 'A move beside other engines',
    caption:
      'p50 in µs of a request that stays and of one that moves its connection: the same client, in turns. ' +
      'Engines need not do the same: floor has no rules, and engines in C do not seal.',
    of: rows.map(({ of }) => of as Measurement),
    picture: width => bars(rows, width),
  }
}

function cold(base: readonly Measurement[]): Figure {
  const kinds = ['stays', 'cold.stays', 'migrated', 'cold.migrated']
  const rows = besideBars(base, kinds, ['stays', 'stays, cold', 'migrated', 'migrated, cold'])
  return {
    name: 'migration-cold',
    title: 'What other work on the core does to a move',
    caption: 'p50 in µs, back to back, and cold: after 10 ms in which the client went through other memory.',
    of: rows.map(({ of }) => of as Measurement),
    picture: width => bars(rows, width),
  }
}

function stages({ measurements }: MigrationResult): Figure[] {
  const found = measurements.filter(({ name }) => name === 'stage')
  return (['stays', 'migrated'] as const).map(kind => {
    const of = found.filter(({ labels }) => labels.request === kind)
    const steps = (Object.keys(STAGES) as Stage[]).flatMap(stage => {
      const one = of.find(({ labels }) => labels.stage === stage)
      return one === undefined ? [] : [{ name: stage, title: STAGES[stage], value: one.value }]
    })
    const whole = of.find(({ labels }) => labels.stage === 'whole')?.value
    const sum = steps.reduce((all, { value }) => all + value, 0)
    return {
      name: `migration-stages-${kind}`,
      title: `Where each microsecond of a request goes that ${kind === 'stays' ? 'stays' : 'is migrated'}`,
      caption:
        `A request that ${kind === 'stays' ? 'stays' : 'is migrated'}: ` +
        `${figure(whole)} µs as the client sees it, the stages add up to ${figure(sum)} µs. ` +
        'Typical requests, the fifth around the median; noting the marks costs some µs.',
      of,
      picture: width => waterfall(steps, 'µs', width),
    }
  })
}

/** A picture over one label. */
interface Sweep {
  readonly title: string
  readonly names: readonly SweepName[]
  readonly label: string
  readonly axis: string
  readonly log: boolean
  readonly caption: string
  /** Of the figure, if it is not the label. */
  readonly name?: string
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
    name: 'open',
    tail: true,
  },
]

function sweep(
  { title, names, label, axis, log, caption, name = label, tail }: Sweep,
  { measurements }: MigrationResult,
  base: readonly Measurement[],
): Figure {
  const found = (row: SweepName): readonly Measurement[] => {
    const own = base.filter(one => one.name === row)
    // Open loop has a scene of its own.
    return own.length > 0 ? own : measurements.filter(one => one.name === row)
  }
  const point = (one: Measurement, y: number): Line['points'][number] => ({
    x: Number(one.labels[label]),
    y,
    ...(one.interval === undefined || y !== one.value ? {} : { low: one.interval[0], high: one.interval[1] }),
  })
  const lines = names.flatMap((row): Line[] => {
    const own = found(row)
    const line = { name: own[0]?.title ?? row, points: own.map(one => point(one, one.value)) }
    if (tail === undefined) return [line]
    const tails = own.map(one => point(one, one.distribution?.p99 ?? one.value))
    return [line, { name: `${line.name}: p99`, points: tails }]
  })
  const spread = lines.some(({ points }) => points.length > 1)
  const y = { label: 'µs', ...(log ? { log } : { from: 0 }) }
  return {
    name: `migration-${name}`,
    title,
    caption,
    of: names.flatMap(found),
    picture: width => (spread ? plot({ x: { label: axis, log }, y, lines }, width) : undefined),
  }
}
