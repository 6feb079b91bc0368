import { figure, table } from '../lib/table.ts'
import type { MigrationResult, SceneResult } from './result.ts'
import { ROWS, type RowName } from './rows.ts'

/** The result as text for a terminal. */
export function format(result: MigrationResult): string {
  return [heading(result), ...result.scenes.map(sceneText), goalsText(result)].join('\n\n')
}

function heading({
  machine,
  versions,
  load,
  commit,
  modified,
  seconds,
  complete,
  quick,
}: MigrationResult): string {
  const foreign = load.foreign === undefined ? '' : `, ${Math.round(load.foreign * 100)} % used by others`
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.kernel}; load ${load.average.join(' → ')}${foreign}`,
    `Node ${versions.node}, OpenSSL ${versions.openssl}` +
      (commit === undefined ? '' : `; commit ${commit.slice(0, 8)}${modified ? ' with changes' : ''}`),
    `${complete ? '' : 'BROKEN OFF after '}${seconds.toFixed(0)} s${quick ? ', quick: few samples' : ''}`,
    '100 B in, 200 B out on one keep-alive connection, every answer checked. Client: our own session, node provider, sealing and opening off the clock',
  ].join('\n')
}

function sceneText(scene: SceneResult): string {
  const { facts, relations } = scene
  const where = scene.placement === 'pinned' ? `pinned to CPU ${scene.cpu}` : 'free placement'
  const title = `── ${where}, provider ${scene.provider}${facts === undefined ? '' : `, ${facts.cipherSuite}, ${facts.channel} channel, ${facts.stream} streams`}`
  const rows = Object.entries(ROWS).flatMap(([name, what]) => {
    const summary = scene.rows[name as RowName]
    return summary === undefined
      ? []
      : [
          [
            what,
            figure(summary.p50),
            figure(summary.p99),
            String(summary.samples),
            String(summary.rounds.length),
          ],
        ]
  })
  const lines = [title]
  if (rows.length > 0) lines.push(table(['', 'p50 µs', 'p99 µs', 'samples', 'rounds'], rows))
  if (facts !== undefined) {
    const { idle, idleSealed, request, requestSealed } = facts.state
    lines.push(
      `state: ${idle} B idle, ${idleSealed} B sealed; with a request on board ${request} B, ${requestSealed} B sealed`,
    )
  }
  const { added, addedFetch, exportAndImport, exportSealOpenImport } = relations
  lines.push(
    `a move adds ${figure(added)} µs (fetch handler ${figure(addedFetch)} µs); export + import ${figure(exportAndImport)} µs, with seal + open ${figure(exportSealOpenImport)} µs`,
    `reconnect : migrated   full ${figure(relations.fullToMigrated)} ×, resumed ${figure(relations.resumedToMigrated)} ×; node:tls full ${figure(relations.nodeFullToMigrated)} ×, resumed ${figure(relations.nodeResumedToMigrated)} ×`,
  )
  return lines.join('\n')
}

function goalsText({ goals, goalsOf }: MigrationResult): string {
  const rows = goals.map(({ name, relation, goal, unit, reached, met }) => [
    name,
    `${relation} ${goal} ${unit}`,
    reached === undefined ? '–' : `${figure(reached)} ${unit}`,
    met === undefined ? 'not measured' : met ? 'met' : 'MISSED',
  ])
  return `── goals, held against: ${goalsOf}\n${table(['', 'goal', 'reached', ''], rows)}`
}
