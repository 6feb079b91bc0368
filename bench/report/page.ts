import { verdictOf } from '../harness/goal.ts'
import type { BenchResult } from '../harness/run.ts'
import { figure } from '../harness/table.ts'
import type { MigrationResult } from '../migration/result.ts'
import { escaped, section, tableOf } from './html.ts'
import { measurementsSection } from './measurements.ts'
import { migrationSections } from './migration.ts'
import { STYLE } from './style.ts'

/** Results as one HTML page that needs nothing else: no network, no script. */
export function page(results: readonly { readonly file: string; readonly result: BenchResult }[]): string {
  const parts = results.map(({ file, result }) => resultPart(file, result))
  const title = `hotpotato: ${results.map(({ result }) => result.bench).join(', ')}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${parts.join('\n<hr>\n')}
</body>
</html>
`
}

function resultPart(file: string, result: BenchResult): string {
  const own =
    result.bench === 'migration'
      ? migrationSections(result as MigrationResult)
      : [measurementsSection(result)]
  const date = result.date.slice(0, 16).replace('T', ' ')
  return [
    `<h1>${escaped(headline(result))}</h1>`,
    `<p>${escaped(`npm run bench:${result.bench}, ${date} UTC, ${file}`)}</p>`,
    ...warnings(result).map(text => `<p class="warning">${escaped(text)}</p>`),
    goals(result),
    ...own,
    skipped(result),
    environment(result),
  ].join('\n')
}

const HEADLINES: Readonly<Record<string, string>> = {
  migration: 'What it costs to move a live TLS connection',
  failover: 'What becomes of connections whose container is killed',
  hosts: 'What it costs to take a TCP connection to another kernel',
  handover: 'How fast a container hands its connections over',
  reload: 'What clients with long streams lose at a deploy',
  first: 'How fast the first move of a fresh container is',
  record: 'What the record layer costs',
  handshake: 'What handshakes cost',
  http: 'How many requests a core answers',
  isolation: 'What each level of isolation costs',
  programs: 'What a request to a program costs',
  relay: 'What it costs to relay a connection',
  memory: 'How much memory an idle connection takes',
}

function headline({ bench }: BenchResult): string {
  return HEADLINES[bench] ?? `bench:${bench}`
}

function warnings({ mode, complete, load }: BenchResult): string[] {
  const found: string[] = []
  if (mode === 'quick') found.push('A quick run: few samples, not figures to quote.')
  if (!complete) found.push('Stopped before its end.')
  if ((load.foreign ?? 0) > 0.1)
    found.push(
      `Other programs used ${Math.round(load.foreign! * 100)} % of the machine meanwhile: ` +
        'tails are longer, and medians higher, than on a quiet machine.',
    )
  return found
}

function goals({ bench, goals: all }: BenchResult): string {
  const rows = all.map(({ name, relation, goal, unit = '', reached, ...more }) => [
    name,
    `${relation} ${goal} ${unit}`,
    `${figure(reached)} ${unit}`,
    verdictOf({ name, relation, goal, ...(reached === undefined ? {} : { reached }), ...more }),
  ])
  const parts = rows.length === 0 ? [] : [tableOf(['', 'goal', 'reached', ''], rows)]
  return section('Goals', parts, `${bench}-goals`)
}

function skipped({ bench, skipped: all }: BenchResult): string {
  const rows = all.map(({ name, labels, reason }) => [[name, ...Object.values(labels)].join(' · '), reason])
  const parts = rows.length === 0 ? [] : [tableOf(['', 'why'], rows)]
  return section('Not measured', parts, `${bench}-not-measured`)
}

function environment(result: BenchResult): string {
  const { bench, machine, versions, variables, commit, modified, load, seconds, parameters } = result
  const rows = [
    ['processor', `${machine.cpu}, ${machine.cores} cores`],
    ['system', `${machine.kernel}, ${machine.memory} MiB`],
    ['Node', `${versions.node}, V8 ${versions.v8}, OpenSSL ${versions.openssl}`],
    ...Object.entries(variables ?? {}),
    ['commit', commit === undefined ? 'none' : `${commit}${modified ? ', with changes' : ''}`],
    ['load average', load.average.join(' → ')],
    ['used by others', load.foreign === undefined ? 'unknown' : `${Math.round(load.foreign * 100)} %`],
    ['took', `${seconds} s`],
    ...Object.entries(parameters).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : String(value),
    ]),
  ]
  return section('Environment', [tableOf(['', ''], rows)], `${bench}-environment`)
}
