import { printable } from '../terminal/output.ts'
import { adviceFor } from './faults.ts'
import type { Plan } from './plan.ts'
import type { Tally } from './tally.ts'
import { PERCENTILES, type Summary, type Times } from './times.ts'

/** What was done, beside what came of it. */
export interface Done {
  readonly plan: Plan
  readonly threads: number
  readonly seconds: number
  /** Whether it was broken off. */
  readonly brokenOff: boolean
}

const ROWS = 12
const BAR = 40
/** Milliseconds by which this program may send too late before it says so. */
const LATE = 10

/** The result for programs. */
export function toJson({ plan, threads, seconds, brokenOff }: Done, tally: Tally): string {
  const { answers, failures, statuses, errors, counts } = tally
  const { asked, http2, tls, connections, streams, reconnect, resume, warmup, rate } = plan
  const { unfinished, missed, bytes, received, sent, moves, lent } = counts
  return JSON.stringify(
    {
      urls: [...new Set(asked.map(({ url }) => url))],
      http: http2 ? '2' : '1.1',
      ...{ tls: plan.origin.startsWith('https:') ? tls : null, connections, streams, workers: threads },
      ...{ reconnect, resume, warmup: warmup / 1000 },
      rate: rate === undefined ? null : Math.round(1000 / rate.every),
      ...{ seconds: Math.round(seconds * 1000) / 1000, brokenOff },
      ...{ answers, failures, unfinished, missed, warmedUp: counts.warmup },
      requestsPerSecond: perSecond(answers, seconds),
      bytes: { content: bytes, received, sent },
      opened: {
        ...{ connections: counts.connections, resumed: counts.resumed },
        milliseconds: tally.handshakes.summary ?? null,
      },
      milliseconds: {
        uncorrected: tally.uncorrected.summary ?? null,
        corrected: rate === undefined ? null : (tally.corrected.summary ?? null),
        ownDelay: rate === undefined ? null : (tally.late.summary ?? null),
      },
      statuses: Object.fromEntries(statuses),
      errors: Object.fromEntries(errors),
      reasons: Object.fromEntries(tally.reasons),
      containers: Object.fromEntries(tally.containers),
      ...{ moves, lent },
      histogram: shown(plan, tally).classes(ROWS),
    },
    undefined,
    1,
  )
}

/** What the picture shows: from when requests were due, where there is a rate. */
function shown({ rate }: Plan, { corrected, uncorrected }: Tally): Times {
  return rate === undefined ? uncorrected : corrected
}

/** The result for people: plain characters, and no colours. */
export function toText(done: Done, tally: Tally): string {
  const { plan } = done
  const parts = [
    headline(done),
    amounts(done, tally),
    times(plan, tally),
    picture(shown(plan, tally)),
    whatCame(tally),
    remarks(plan, tally),
  ]
  return parts
    .filter(lines => lines.length > 0)
    .map(lines => lines.join('\n'))
    .join('\n\n')
}

function headline({ plan, threads, brokenOff }: Done): string[] {
  const { asked, http2, connections, streams, reconnect, resume, rate, warmup } = plan
  const urls = new Set(asked.map(({ url }) => url))
  const [first] = urls
  const how = [
    http2 ? 'HTTP/2' : 'HTTP/1.1',
    `${connections} connections at a time`,
    ...(streams > 1 ? [`${streams} streams on each`] : []),
    ...(threads > 1 ? [`${threads} threads`] : []),
    ...(reconnect ? [`a new one for each request${resume ? ', TLS resumed' : ''}`] : []),
    ...(rate === undefined ? [] : [`${Math.round(1000 / rate.every)} requests a second wanted`]),
    ...(warmup > 0 ? [`${warmup / 1000} s of warm-up`] : []),
    ...(brokenOff ? ['BROKEN OFF'] : []),
  ].join(', ')
  return [`${first}${urls.size > 1 ? ` and ${urls.size - 1} more` : ''}: ${how}`]
}

function amounts({ plan, seconds }: Done, { answers, counts, handshakes }: Tally): string[] {
  const opened = handshakes.summary
  const resumed = plan.resume ? `, ${counts.resumed} resumed` : ''
  const took = opened === undefined ? '' : `, ${milliseconds(opened.percentiles['50']!)} at the median`
  return [
    row('total', `${seconds.toFixed(3)} s`),
    row('answers', `${answers} (${size(counts.bytes)} of content)`),
    row('requests/s', perSecond(answers, seconds).toFixed(1)),
    row('on the wire', `${size(counts.received)} in, ${size(counts.sent)} out`),
    row('opened', `${counts.connections} connections${resumed}${took}`),
    ...(counts.unfinished > 0 ? [row('unfinished', `${counts.unfinished} had no answer when it ended`)] : []),
    ...(counts.missed > 0 ? [row('not begun', `${counts.missed} were due, and every connection busy`)] : []),
  ]
}

/** Both times beside each other, where there are both. */
function times({ rate }: Plan, { corrected, uncorrected }: Tally): string[] {
  const columns: readonly (readonly [string, Summary | undefined])[] =
    rate === undefined
      ? [['', uncorrected.summary]]
      : [
          ['corrected', corrected.summary],
          ['uncorrected', uncorrected.summary],
        ]
  if (columns.every(([, summary]) => summary === undefined)) return []
  const line = (name: string, of: (summary: Summary) => number): string =>
    row(
      name,
      columns
        .map(([, one]) => (one === undefined ? '-' : milliseconds(of(one))).padEnd(14))
        .join('')
        .trimEnd(),
    )
  return [
    ...(rate === undefined
      ? []
      : [
          row(
            '',
            columns
              .map(([name]) => name.padEnd(14))
              .join('')
              .trimEnd(),
          ),
        ]),
    line('fastest', one => one.fastest),
    line('average', one => one.average),
    line('slowest', one => one.slowest),
    ...PERCENTILES.map(percent => line(`${percent} %`, one => one.percentiles[percent]!)),
  ]
}

/** Bars: how many answers took at most so long. */
function picture(of: Times): string[] {
  const classes = of.classes(ROWS)
  const most = Math.max(...classes.map(({ count }) => count))
  return classes.map(({ upTo, count }) => {
    const bar = '#'.repeat(Math.ceil((count / most) * BAR))
    return `  <= ${milliseconds(upTo).padStart(11)}  ${String(count).padStart(8)}  ${bar}`.trimEnd()
  })
}

function whatCame(tally: Tally): string[] {
  const { statuses, errors, reasons, containers, counts } = tally
  const moved = counts.moves > 0 || counts.lent > 0
  return [
    ...counted('status', statuses),
    ...counted('container', containers),
    ...(moved ? [row('moves', `${counts.moves} of connections, ${counts.lent} requests lent`)] : []),
    ...counted('error', errors),
    ...[...reasons].map(([kind, reason]) => row('reason', `${bare(kind)}: ${printable(reason)}`)),
  ]
}

function remarks({ origin, rate }: Plan, { errors, late }: Tally): string[] {
  const own = rate === undefined ? undefined : late.summary
  const slow = own !== undefined && own.percentiles['99']! > LATE
  return [
    ...adviceFor([...errors.keys()], new URL(origin)),
    ...(slow
      ? [
          `this program itself was late, by ${milliseconds(own.percentiles['99']!)} at 99 %: corrected ` +
            'times hold that too; more --workers or a lower --rate help',
        ]
      : []),
  ]
}

function counted(what: string, counts: ReadonlyMap<string | number, number>): string[] {
  return [...counts]
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => row(what, `${printable(bare(name))}: ${count}`))
}

function bare(kind: string | number): string {
  return String(kind).replace(/^status /, '')
}

function row(name: string, value: string): string {
  return `  ${name.padEnd(13)}${value}`
}

function milliseconds(value: number): string {
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 3)} ms`
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${bytes} bytes` : `${(bytes / 1e6).toFixed(1)} MB`
}

function perSecond(answers: number, seconds: number): number {
  return seconds > 0 ? Math.round((answers / seconds) * 10) / 10 : 0
}
