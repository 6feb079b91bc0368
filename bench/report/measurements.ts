import type { Bin } from '../harness/histogram.ts'
import type { Measurement } from '../harness/measurement.ts'
import type { BenchResult } from '../harness/run.ts'
import { figure } from '../harness/table.ts'
import { bars } from './bars.ts'
import { escaped, figureOf, section, tableOf } from './html.ts'
import { type Line, type Point, plot } from './plot.ts'

/** Lines that one picture can have, and bars. */
const LINES = 8
const BARS = 24
/** Samples that a curve needs. */
const FOR_CURVE = 20

/** Everything that a bench has measured, by name: pictures where they say something, and tables. */
export function measurementsSection({ bench, measurements }: BenchResult): string {
  const groups = new Map<string, Measurement[]>()
  for (const one of measurements) groups.set(one.name, [...(groups.get(one.name) ?? []), one])
  const parts = [...groups].map(([name, found]) => {
    const title = found.every(one => one.title === found[0]!.title) ? found[0]!.title : name
    const pictures = [over(found), curves(found)].join('') || bar(found)
    return `<h3>${escaped(`${title} (${found[0]!.unit})`)}</h3>${pictures}${tableOfAll(found)}`
  })
  return section('Measurements', parts, `${bench}-measurements`)
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

/** Over the label that has several numbers, a line for each combination of the others. */
function over(found: readonly Measurement[]): string {
  const label = Object.keys(found[0]!.labels).find(
    name =>
      found.every(({ labels }) => typeof labels[name] === 'number') &&
      new Set(found.map(({ labels }) => labels[name])).size > 1,
  )
  if (label === undefined) return ''
  const lines = new Map<string, Point[]>()
  for (const one of found) {
    const name = nameOf(one, found, label)
    const [low, high] = one.interval ?? []
    const point = { x: Number(one.labels[label]), y: one.value }
    const whole = low === undefined || high === undefined ? point : { ...point, low, high }
    lines.set(name, [...(lines.get(name) ?? []), whole])
  }
  if (lines.size > LINES) return ''
  const picture = plot({
    x: { label, log: true },
    y: { label: found[0]!.unit, log: true },
    lines: [...lines].map(([name, points]) => ({ name, points })),
  })
  return figureOf(picture, 'Medians; whiskers are 95 % intervals.')
}

/** How values are distributed. */
function curves(found: readonly Measurement[]): string {
  const lines = found.flatMap((one): Line[] =>
    one.distribution === undefined || one.samples < FOR_CURVE
      ? []
      : [{ name: nameOf(one, found), points: cumulative(one.distribution.histogram), kind: 'curve' }],
  )
  if (lines.length === 0 || lines.length > LINES) return ''
  const x = { label: found[0]!.unit, log: true }
  const y = { label: 'share of all samples', from: 0, to: 1 }
  return figureOf(
    plot({ x, y, lines }),
    'Cumulative: at a height of 0.5 each curve crosses its median, at 0.99 its p99.',
  )
}

function bar(found: readonly Measurement[]): string {
  if (found.length < 2 || found.length > BARS) return ''
  return figureOf(
    bars(found.map(one => ({ name: nameOf(one, found), of: one }))),
    `${found[0]!.better === 'more' ? 'More' : 'Less'} is better; whiskers are 95 % intervals.`,
  )
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
