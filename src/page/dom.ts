/** The element of that id. @throws Error the page has none: a fault of ours */
export function byId<E extends HTMLElement>(id: string): E {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no ${id}`)
  return found as E
}

/**
 * An element with what is in it. Text is text, whatever it says.
 * @param attributes by name; undefined: not there
 */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | undefined>>,
  ...inside: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined) made.setAttribute(name, value)
  made.append(...inside)
  return made
}

/** A row of a table; the first cell is its heading. */
export function row(...cells: readonly (Node | string)[]): HTMLTableRowElement {
  return element(
    'tr',
    {},
    ...cells.map((cell, index) =>
      index === 0 ? element('th', { scope: 'row' }, cell) : element('td', {}, cell),
    ),
  )
}
