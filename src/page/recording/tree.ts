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

/** Secrets that follow one from the other as branches; what follows beyond that stands beside the last. */
const DEEPEST = 24
/** Secrets that are drawn at most. */
const MOST = 2000

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
  for (const [name, { step }] of secrets)
    if (!parents.has(name) && parents.size < MOST) parents.set(name, step.from)
  const children = new Map<string | undefined, string[]>()
  for (const [name, from] of parents) {
    // What follows from nothing that is known stands at the root.
    const parent = from !== undefined && parents.has(from) ? from : undefined
    children.set(parent, [...(children.get(parent) ?? []), name])
  }
  const sealed = sealedBy(events)
  const shown = new Set<string>()
  const branchOf = (name: string, below: readonly Branch[]): Branch => ({
    ...{ name, secret: secrets.get(name), keys: keys.get(name), records: sealed.get(name) ?? 0, below },
  })
  const branches = (parent: string | undefined, depth: number): Branch[] =>
    (children.get(parent) ?? []).flatMap(name => {
      if (shown.has(name)) return []
      shown.add(name)
      if (depth < DEEPEST) return [branchOf(name, branches(name, depth + 1))]
      return [branchOf(name, []), ...following(name, children, shown).map(one => branchOf(one, []))]
    })
  const tree = branches(undefined, 1)
  // What follows from itself is reached from nowhere.
  return [...tree, ...[...parents.keys()].filter(name => !shown.has(name)).map(name => branchOf(name, []))]
}

/** All that follows from a secret, one after the other: as deep as it may go. */
function following(
  first: string,
  children: ReadonlyMap<string | undefined, readonly string[]>,
  shown: Set<string>,
): string[] {
  const all: string[] = []
  for (let waiting = [first]; waiting.length > 0; ) {
    const next = waiting.flatMap(name => children.get(name) ?? []).filter(name => !shown.has(name))
    for (const name of next) shown.add(name)
    all.push(...next)
    waiting = next
  }
  return all
}

/** How many records are sealed under each secret. */
function sealedBy(events: RecordedConnection['events']): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const event of events)
    if (event.kind === 'record' && event.sealed !== undefined)
      counts.set(event.sealed.secret, (counts.get(event.sealed.secret) ?? 0) + 1)
  return counts
}
