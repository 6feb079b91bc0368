import { stringOf } from '../../wire/thrown.ts'
/** An entry of the log, as far as it is looked at here. */
export interface Entry {
  readonly time?: unknown
  readonly name?: unknown
  readonly function?: unknown
  readonly msg?: unknown
  /** Of a line of the access log: its fields, or `true` where `msg` is the line. */
  readonly access?: unknown
}

/** Which entries are asked for. */
export interface Choice {
  /** A function, a container, `gateway` or `supervisor`. */
  readonly name: string | undefined
  /** Milliseconds since 1970. */
  readonly since: number | undefined
  /** Lines of the access log alone. */
  readonly access: boolean
}

/** Whether a choice leaves nothing out. */
export function isEverything({ name, since, access }: Choice): boolean {
  return name === undefined && since === undefined && !access
}

/** Whether a line of the log is one of those asked for. A line that is no entry is of no time and no name. */
export function isChosen(line: string, { name, since, access }: Choice): boolean {
  const entry = entryOf(line)
  if (entry === undefined) return false
  if (access && entry.access === undefined) return false
  if (name !== undefined && !isOf(entry, name)) return false
  return since === undefined || (typeof entry.time === 'number' && entry.time >= since)
}

/** Whether an entry is of a process of that name, or of a container of a function of that name. */
function isOf({ name, function: functionName }: Entry, wanted: string): boolean {
  if (name === wanted || functionName === wanted) return true
  return (
    typeof name === 'string' && name.startsWith(`${wanted}-`) && /^\d+$/.test(name.slice(wanted.length + 1))
  )
}

/** A line of the access log as its reader wants it: as `common` says, or the fields in JSON. */
export function accessLine(line: string): string {
  const { access, msg } = entryOf(line) ?? {}
  return typeof access === 'object' && access !== null ? JSON.stringify(access) : stringOf(msg)
}

/** Names that occur in a log, for the advice where one does not. */
export function namesIn(lines: Iterable<string>): Set<string> {
  const names = new Set<string>()
  for (const line of lines) {
    const { name, function: functionName } = entryOf(line) ?? {}
    for (const one of [name, functionName]) if (typeof one === 'string') names.add(one)
  }
  return names
}

function entryOf(line: string): Entry | undefined {
  try {
    const entry: unknown = JSON.parse(line)
    return typeof entry === 'object' && entry !== null ? entry : undefined
  } catch {
    return undefined
  }
}
