/** @param unit of `amount`, so many to a MiB */
export function mebibytes(amount: number | undefined, unit: number): string | undefined {
  return amount === undefined ? undefined : `${Math.round(amount / unit)}M`
}

/** What stands in a table. */
export type Cell = string | number | undefined

/** Columns as wide as they have to be; `-` for what there is not. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = [head, ...rows.map(row => row.map(cell => String(cell ?? '-')))]
  const widths = head.map((_, column) => Math.max(...lines.map(line => line[column]!.length)))
  return lines
    .map(line =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Milliseconds, roughly. */
export function duration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m${seconds % 60}s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours}h${minutes % 60}m` : `${Math.floor(hours / 24)}d`
}

/** Names, each with what it is behind it, if that is anything; its further lines stand below the first. */
export function fieldLines(fields: readonly (readonly [string, string])[]): string {
  const shown = fields.filter(([, value]) => value !== '')
  const width = Math.max(...shown.map(([name]) => name.length)) + 2
  return shown
    .map(([name, value]) => name.padEnd(width) + value.replaceAll('\n', `\n${' '.repeat(width)}`))
    .join('\n')
}
