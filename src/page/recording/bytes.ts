import { drawn } from '../../trace/drawing.ts'
import type { Hex, RecordedField, RecordedFields } from '../../trace/recording.ts'
import { element } from '../dom.ts'

/** Bytes of a field that its row shows; all of them are marked above. */
const BESIDE = 24

/** Fields that are listed, and bytes that are shown; more make a page slow. */
const LISTED = 4000
const SHOWN = 65_536

/** Hexadecimal with room between bytes, so that it breaks into lines anywhere. */
export function spaced(bytes: Hex): string {
  return bytes.replace(/..(?=.)/g, '$& ')
}

/** A piece of bytes: where it begins and ends. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** Bytes as text, of which some are marked, and of which some pieces are underlined. */
export class HexView {
  readonly node = element('p', { class: 'hex', tabindex: '0', role: 'group' })
  readonly #bytes: Hex
  readonly #edges: readonly Span[]
  readonly #more: number

  /** @param label what these bytes are @param edges what is no content, as a header */
  constructor(bytes: Hex, label: string, edges: readonly Span[] = []) {
    this.#bytes = bytes.slice(0, 2 * SHOWN)
    this.#more = bytes.length / 2 - SHOWN
    this.#edges = edges
    this.node.setAttribute('aria-label', label)
    this.mark(undefined)
  }

  mark(span: Span | undefined): void {
    if (this.#bytes.length === 0) {
      this.node.replaceChildren('no bytes')
      return
    }
    const cuts = [...this.#edges, ...(span === undefined ? [] : [span])].flatMap(({ from, to }) => [from, to])
    const ends = [...new Set([0, ...cuts, this.#bytes.length / 2])].sort((one, other) => one - other)
    const parts = ends.slice(1).map((to, index) => this.#part({ from: ends[index]!, to }, span))
    const more = this.#more > 0 ? [`… and ${this.#more} bytes more`] : []
    this.node.replaceChildren(...parts.flatMap(part => [part, ' ']), ...more)
    const marked = this.node.querySelector('mark')
    if (marked !== null) this.node.scrollTop = marked.offsetTop - this.node.offsetTop - 24
  }

  #part(piece: Span, marked: Span | undefined): Node {
    const text = spaced(this.#bytes.slice(2 * piece.from, 2 * piece.to))
    const lies = ({ from, to }: Span) => from <= piece.from && piece.to <= to
    if (marked !== undefined && lies(marked)) return element('mark', {}, text)
    return this.#edges.some(lies) ? element('span', { class: 'edge' }, text) : document.createTextNode(text)
  }
}

/** Bytes with their fields: a button for each marks what it says. @param label what these bytes are */
export function annotated(bytes: Hex, { fields, stopped }: RecordedFields, label: string): Node[] {
  const view = new HexView(bytes, `the bytes of ${label}`)
  let pressed: HTMLButtonElement | undefined
  const choose = (button: HTMLButtonElement, { offset, length }: RecordedField): void => {
    const again = pressed === button
    pressed?.setAttribute('aria-pressed', 'false')
    pressed = again ? undefined : button
    pressed?.setAttribute('aria-pressed', 'true')
    view.mark(again ? undefined : { from: offset, to: offset + length })
  }
  const rows = drawn(bytes, { fields: fields.slice(0, LISTED) }).map(({ field, value }) => {
    const button = element('button', { type: 'button', 'aria-pressed': 'false', title: field.notation })
    button.textContent = field.name
    button.style.marginLeft = `${field.depth * 0.7}rem`
    button.addEventListener('click', () => choose(button, field))
    return element(
      'tr',
      {},
      element('th', { scope: 'row' }, button),
      element('td', { class: 'number' }, String(field.offset)),
      element('td', { class: 'number' }, String(field.length)),
      element('td', { class: 'value' }, field.text === undefined ? shortened(value) : value),
    )
  })
  const heads = ['field', 'at', 'bytes', 'value'].map(name => {
    const kind = name === 'at' || name === 'bytes' ? 'number' : undefined
    return element('th', { scope: 'col', class: kind }, name)
  })
  return [
    view.node,
    element(
      'div',
      { class: 'fields', tabindex: '0', role: 'region', 'aria-label': `the fields of ${label}` },
      element(
        'table',
        { class: 'annotated' },
        element('thead', {}, element('tr', {}, ...heads)),
        element('tbody', {}, ...rows),
      ),
    ),
    ...(fields.length > LISTED ? [element('p', {}, `and ${fields.length - LISTED} fields more`)] : []),
    ...(stopped === undefined ? [] : [element('p', { class: 'fault' }, `It stopped ${stopped}`)]),
  ]
}

/** Bytes of a field as far as they have room. */
function shortened(bytes: Hex): string {
  return bytes.length <= 2 * BESIDE ? bytes : `${bytes.slice(0, 2 * BESIDE)}…`
}
