import { printable } from '../terminal/output.ts'
import { PERCENTILES, type Tally } from './tally.ts'

/** What was done, beside what came of it. */
export interface Done {
  readonly url: string
  readonly http: '1.1' | '2'
  readonly connections: number
  readonly keepAlive: boolean
  readonly rate: number | undefined
  readonly seconds: number
  /** Whether it was broken off. */
  readonly brokenOff: boolean
}

/** What helps, by kind of error. */
const ADVICE: readonly (readonly [kind: RegExp, advice: (url: URL) => string])[] = [
  [
    /^(ENOTFOUND|EAI_)/,
    ({ hostname, port, protocol }) => {
      const at = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
      return `no address is known for ${hostname}: --resolve ${at}:ADDRESS says where it is`
    },
  ],
  [
    /UNABLE_TO|SELF_SIGNED/,
    () => 'the authority of the certificate is not trusted: --ca FILE names it (of hotpotato: certs/ca.crt)',
  ],
  [
    /ALTNAME/,
    ({ hostname }) => `the certificate does not cover ${hostname}: name a host that it covers, or --insecure`,
  ],
]

const ROWS = 12
const BAR = 40

/** The result for programs. */
export function toJson(done: Done, tally: Tally): string {
  const { answers, failures, bytes, times, statuses, errors } = tally
  const { rate, ...others } = done
  return JSON.stringify(
    {
      ...others,
      ...(rate === undefined ? {} : { rate }),
      answers,
      failures,
      bytes,
      requestsPerSecond: perSecond(answers, done.seconds),
      milliseconds: times ?? null,
      statuses: Object.fromEntries(statuses),
      errors: Object.fromEntries(errors),
      reasons: Object.fromEntries(tally.reasons),
      histogram: tally.classes(ROWS),
    },
    undefined,
    1,
  )
}

/** The result for people. */
export function toText(done: Done, tally: Tally): string {
  const { url, http, connections, keepAlive, rate, seconds, brokenOff } = done
  const { answers, bytes, times } = tally
  const how = [
    `HTTP/${http}`,
    `${connections} connections at a time`,
    ...(keepAlive ? [] : ['a new one for each request']),
    ...(rate === undefined ? [] : [`${rate} requests a second wanted`]),
    ...(brokenOff ? ['BROKEN OFF'] : []),
  ].join(', ')
  const lines = [
    `${url}: ${how}`,
    '',
    row('total', `${seconds.toFixed(3)} s`),
    row('answers', `${answers} (${size(bytes)})`),
    row('requests/s', perSecond(answers, seconds).toFixed(1)),
  ]
  if (times !== undefined) {
    lines.push(
      row('fastest', milliseconds(times.fastest)),
      row('average', milliseconds(times.average)),
      row('slowest', milliseconds(times.slowest)),
      '',
      ...PERCENTILES.map(percent => row(`${percent} %`, milliseconds(times.percentiles[percent]!))),
      '',
      ...picture(tally),
    )
  }
  const reasons = [...tally.reasons].map(([kind, reason]) =>
    row('reason', `${bare(kind)}: ${printable(reason)}`),
  )
  lines.push('', ...counted('status', tally.statuses), ...counted('error', tally.errors), ...reasons)
  for (const [kind, advice] of ADVICE)
    if ([...tally.errors.keys()].some(one => kind.test(one))) lines.push('', advice(new URL(url)))
  return lines.join('\n').trimEnd()
}

/** Bars: how many answers took at most so long. */
function picture(tally: Tally): string[] {
  const classes = tally.classes(ROWS)
  const most = Math.max(...classes.map(({ count }) => count))
  return classes.map(({ upTo, count }) => {
    const bar = '#'.repeat(Math.ceil((count / most) * BAR))
    return `  ≤ ${milliseconds(upTo).padStart(11)}  ${String(count).padStart(8)}  ${bar}`.trimEnd()
  })
}

function counted(what: string, counts: ReadonlyMap<string | number, number>): string[] {
  return [...counts]
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => row(what, `${bare(name)}: ${count}`))
}

function bare(kind: string | number): string {
  return String(kind).replace(/^status /, '')
}

function row(name: string, value: string): string {
  return `  ${name.padEnd(12)}${value}`
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
