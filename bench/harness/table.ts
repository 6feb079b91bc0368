/** Lines of a table: the first column to the left, the others to the right, two spaces between. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map(row => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    widths
      .map((width, column) => pad(cells[column] ?? '', width, column))
      .join('  ')
      .trimEnd()
  return [head, ...rows].map(line).join('\n')
}

function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}

/** A figure with as many decimals as it deserves. */
export function figure(value: number | undefined): string {
  if (value === undefined) return '–'
  return value.toFixed(Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 10 ? 1 : 2)
}

/** A ratio with two decimals. */
export function ratioText(ratio: number | undefined): string {
  return ratio?.toFixed(2) ?? '–'
}
