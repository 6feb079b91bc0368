import { type BenchResult, heading } from '../harness/run.ts'
import { figure, ratioText } from '../harness/table.ts'
import { type HttpDetails, type HttpRow, rivalText } from './result.ts'
import { nodeOf, PROTOCOLS } from './rows.ts'

/** A run as the page `bench/results/http.md`. */
export function pageOf(result: BenchResult & HttpDetails): string {
  const { date, tools, rows, goals, skipped, evpMissing } = result
  const missed = goals.filter(({ met }) => met === false).map(({ name }) => name)
  return `${[
    '# HTTP: requests a second on one core',
    '`npm run bench:http -- --page bench/results/http.md` writes this page.',
    `Measured on ${date.slice(0, 10)}:`,
    heading(result)
      .split(/\n|; /)
      .map(line => `    ${line}`)
      .join('\n'),
    `GET, 200 bytes back, by ${tools.join(' and ')}; all processes of a server on one CPU, the client on
another one. All servers are up at the same time and take turns; rates and times are medians over the rounds.
A ratio is the median of the rounds' ratios to Node's server, or to the same function or application in Node's
server (\`same = 1\`), and above 1 is better. Times are CPU time of all processes of the server.
[README.md](README.md) says what each \`server\` is.`,
    ...(evpMissing === undefined ? [] : [`Without the provider \`evp\`: ${evpMissing}.`]),
    ...PROTOCOLS.flatMap(protocol => sectionOf(protocol, rows)),
    ...aloneSection(rows),
    ...(skipped.length === 0
      ? []
      : [`Not measured: ${skipped.map(({ labels }) => Object.values(labels).join(', ')).join('; ')}.`]),
    missed.length === 0 ? 'No goal was missed.' : `Goals missed: ${missed.join('; ')}.`,
  ].join('\n\n')}\n`
}

function sectionOf(protocol: HttpRow['protocol'], all: readonly HttpRow[]): string[] {
  const rows = all.filter(row => row.protocol === protocol)
  if (rows.length === 0) return []
  const lines = rows.map(
    ({ server, rate, rateRatio, rivalRatio, cpu, cpuRatio }) =>
      `| ${server} | ${figure(rate)} | ${ratioText(rateRatio)} | ${rivalText(rivalRatio)} ` +
      `| ${figure(cpu)} | ${ratioText(cpuRatio)} |`,
  )
  const node = nodeOf(protocol)
  const head = `| server | requests/s | ${node} = 1 | same = 1 | µs | ${node} = 1 |`
  return [`## ${protocol}`, [head, '| --- | --: | --: | --: | --: | --: |', ...lines].join('\n')]
}

function aloneSection(rows: readonly HttpRow[]): string[] {
  const lines = rows
    .filter(({ alone }) => alone !== undefined)
    .map(
      ({ protocol, server, alone, added }) =>
        `| ${protocol}, ${server} | ${figure(alone)} | ${added === undefined ? '' : figure(added)} |`,
    )
  if (lines.length === 0) return []
  return [
    '## One request at a time',
    'µs from a request to its answer, for one client that waits for each before it sends the next.',
    ['| server | µs | more than raw |', '| --- | --: | --: |', ...lines].join('\n'),
  ]
}
