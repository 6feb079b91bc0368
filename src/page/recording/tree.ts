import { KEY_SCHEDULE } from '../../tls13/key-schedule.ts'
import type { RecordedConnection, RecordedKeys, RecordedSecret } from '../../trace/recording.ts'
import { EXTRACTED } from '../../trace/schedule.ts'

/** A secret of the key schedule, whether this connection has it or not, and what follows from it. */
export interface Branch {
  readonly name: string
  /** Undefined: this connection does not have it. */
  readonly secret: RecordedSecret | undefined
  /** Undefined: no records are sealed under it. */
  readonly keys: RecordedKeys | undefined
  /** Records that are sealed under it. */
  readonly records: number
  readonly below: readonly Branch[]
}

/** Rows of the table that are of extended key updates alone. */
const OF_UPDATES = /_N$|^exporter_secret_/

/**
 * The key schedule as a tree, out of the table that sessions walk by; what else a connection has derived, as
 * the secrets of a KeyUpdate, stands below what it follows from.
 */
export function treeOf({ events }: RecordedConnection): Branch[] {
  const secrets = new Map(
    events.flatMap(event => (event.kind === 'secret' ? [[event.name, event] as const] : [])),
  )
  const keys = new Map(
    events.flatMap(event => (event.kind === 'keys' ? [[event.secret, event] as const] : [])),
  )
  const table = [...Object.entries(EXTRACTED), ...Object.entries(KEY_SCHEDULE)].filter(
    ([name, { from = '' }]) => secrets.has(name) || !(OF_UPDATES.test(name) || OF_UPDATES.test(from)),
  )
  const parents = new Map<string, string | undefined>(table.map(([name, { from }]) => [name, from]))
  for (const [name, { step }] of secrets) if (!parents.has(name)) parents.set(name, step.from)
  const below = (parent: string | undefined, above: ReadonlySet<string>): Branch[] =>
    [...parents]
      .filter(([name, from]) => !above.has(name) && (from === parent || lost(from, parent, parents)))
      .map(([name]) => ({
        ...{ name, secret: secrets.get(name), keys: keys.get(name) },
        records: events.filter(event => event.kind === 'record' && event.sealed?.secret === name).length,
        below: below(name, new Set([...above, name])),
      }))
  return below(undefined, new Set())
}

/** What follows from nothing that is known stands at the root. */
function lost(
  from: string | undefined,
  parent: string | undefined,
  known: ReadonlyMap<string, unknown>,
): boolean {
  return parent === undefined && from !== undefined && !known.has(from)
}
