/** Text that is safe in HTML and in attributes: what a result says of a machine or an error is not ours. */
export function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replaceAll(/[&<>"']/g, character => names[character]!)
}

/** A table; the first column is a heading, the others are figures. Everything is escaped. */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cellOf = (cell: string, tag: 'th' | 'td'): string => `<${tag}>${escaped(cell)}</${tag}>`
  const line = (cells: readonly string[], tag: 'th' | 'td'): string =>
    `<tr>${cells.map((cell, i) => cellOf(cell, i === 0 ? 'th' : tag)).join('')}</tr>`
  const body = rows.map(row => line(row, 'td')).join('\n')
  const inside = `<thead>${line(head, 'th')}</thead><tbody>${body}</tbody>`
  return `<div class="scroll"><table>${inside}</table></div>`
}

/** A part of the page with a heading. @param id no other part of the page has it */
export function section(title: string, parts: readonly string[], id = idOf(title)): string {
  const inside = parts.filter(part => part !== '')
  return inside.length === 0
    ? ''
    : `<section id="${id}"><h2>${escaped(title)}</h2>\n${inside.join('\n')}</section>`
}

/** What a section can be found by: `Where each microsecond goes` is `where-each-microsecond-goes`. */
export function idOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
}
