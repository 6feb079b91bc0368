import type { Bin } from '../harness/histogram.ts'
import type { Measurement } from '../harness/measurement.ts'
import type { BenchResult } from '../harness/run.ts'
import { figure } from '../harness/table.ts'
import { bars } from './bars.ts'
import { type Figure, figureHtml } from './figure.ts'
import { escaped, idOf, section, tableOf } from './html.ts'
import { type Line, type Point, plot } from './plot.ts'

/** Lines that one picture can have, and bars. */
const LINES = 8
const BARS = 24
/** Samples that a curve needs. */
const FOR_CURVE = 20

/** Everything that a bench has measured, by name: pictures where they say something, and tables. */
export function measurementsSection(result: BenchResult): string {
  const parts = groupsOf(result).map(found => {
    const title = `${titleOf(found)} (${found[0]!.unit})`
    const pictures = figuresOfGroup(result.bench, found).map(figureHtml).join('')
    return `<h3>${escaped(title)}</h3>${pictures}${tableOfAll(found)}`
  })
  return section('Measurements', parts, `${result.bench}-measurements`)
}

/** The figures of a bench that has none of its own. */
export function measurementFigures(result: BenchResult): Figure[] {
  return groupsOf(result).flatMap(found => figuresOfGroup(result.bench, found))
}

/** What has one name. */
function groupsOf({ measurements }: BenchResult): Measurement[][] {
  const groups = new Map<string, Measurement[]>()
  for (const one of measurements) groups.set(one.name, [...(groups.get(one.name) ?? []), one])
  return [...groups.values()]
}

function titleOf(found: readonly Measurement[]): string {
  const [{ title, name }] = found as readonly [Measurement]
  return found.every(one => one.title === title) ? title : name
}

/** Over a label with several numbers, as a distribution; or else as bars. */
function figuresOfGroup(bench: string, found: readonly Measurement[]): Figure[] {
  const name = `${bench}-${idOf(found[0]!.name.replace(`${bench}.`, ''))}`
  const common = { name, title: titleOf(found), of: found }
  const [across, spread] = [over(found), curves(found)]
  const figures: Figure[] = []
  if (across !== undefined)
    figures.push({
      ...common,
      caption: 'Medians; whiskers are 95 % intervals.',
      picture: width => plot(across, width),
    })
  if (spread !== undefined)
    figures.push({
      ...common,
      name: across === undefined ? name : `${name}-distribution`,
      caption: 'Cumulative: at a height of 0.5 each curve crosses its median, at 0.99 its p99.',
      picture: width => plot(spread, width),
    })
  if (figures.length > 0 || found.length < 2 || found.length > BARS) return figures
  const better = found[0]!.better === 'more' ? 'More' : 'Less'
  const rows = found.map(one => ({ name: nameOf(one, found), of: one }))
  const caption = `${better} is better; whiskers are 95 % intervals.`
  return [{ ...common, caption, picture: width => bars(rows, width) }]
}

function tableOfAll(found: readonly Measurement[]): string {
  const rows = found.map(one => [
    nameOf(one, found),
    figure(one.value),
    one.interval === undefined ? '–' : one.interval.map(figure).join(' – '),
    figure(one.distribution?.p99),
    String(one.rounds.length),
  ])
  return tableOf(['', 'median', '95 % interval', 'p99', 'rounds'], rows)
}

/** What tells it from the others of its name. @param apart from that label */
function nameOf({ title, labels }: Measurement, found: readonly Measurement[], apart?: string): string {
  if (apart === undefined && found.length > 1 && found.some(one => one.title !== title)) return title
  const telling = Object.entries(labels).filter(
    ([label, value]) => label !== apart && found.some(one => one.labels[label] !== value),
  )
  return telling.length === 0 ? title : telling.map(([, value]) => value).join(' · ')
}

type Plot = Parameters<typeof plot>[0]

/** Over the label that has several numbers, a line for each combination of the others. */
function over(found: readonly Measurement[]): Plot | undefined {
  const label = Object.keys(found[0]!.labels).find(
    name =>
      found.every(({ labels }) => typeof labels[name] === 'number') &&
      new Set(found.map(({ labels }) => labels[name])).size > 1,
  )
  if (label === undefined) return undefined
  const lines = new Map<string, Point[]>()
  for (const one of found) {
    const name = nameOf(one, found, label)
    const [low, high] = one.interval ?? []
    const point = { x: Number(one.labels[label]), y: one.value }
    const whole = low === undefined || high === undefined ? point : { ...point, low, high }
    lines.set(name, [...(lines.get(name) ?? []), whole])
  }
  if (lines.size > LINES) return undefined
  return {
    x: { label, log: true },
    y: { label: found[0]!.unit, log: true },
    lines: [...lines].map(([name, points]) => ({ name, points })),
  }
}

/** How values are distributed. */
function curves(found: readonly Measurement[]): Plot | undefined {
  const lines = found.flatMap((one): Line[] =>
    one.distribution === undefined || one.samples < FOR_CURVE
      ? []
      : [{ name: nameOf(one, found), points: cumulative(one.distribution.histogram), kind: 'curve' }],
  )
  if (lines.length === 0 || lines.length > LINES) return undefined
  const x = { label: found[0]!.unit, log: true }
  return { x, y: { label: 'share of all samples', from: 0, to: 1 }, lines }
}

/** Shares of samples at or below each edge. */
export function cumulative(bins: readonly Bin[]): Line['points'] {
  const total = bins.reduce((sum, [, count]) => sum + count, 0)
  let seen = 0
  return bins.map(([x, count]) => {
    seen += count
    return { x, y: seen / total }
  })
}
