import { byId, element, row } from './dom.ts'
import type { Model, Potato } from './model.ts'
import { stepText } from './words.ts'

/** Rows of the table of connections: those that changed last. */
const ROWS = 100

/** The tables of containers and connections: all that the canvas shows, as text. */
export class Tables {
  readonly #model: Model
  readonly #onChoice: (id: string) => void
  #asked = false
  #containers = ''

  constructor(model: Model, onChoice: (id: string) => void) {
    this.#model = model
    this.#onChoice = onChoice
  }

  /** Something has changed: it is shown with the next frame. */
  changed(): void {
    if (this.#asked) return
    this.#asked = true
    requestAnimationFrame(() => {
      this.#asked = false
      this.#showContainers()
      this.#showConnections()
    })
  }

  #showContainers(): void {
    const containers = this.#model.state?.containers ?? []
    const cells = containers.map(({ name, functionName, state, connections }) => [
      ...[name, functionName, state, String(connections)],
    ])
    const key = JSON.stringify(cells)
    if (key === this.#containers) return
    this.#containers = key
    byId('containers').replaceChildren(...cells.map(one => row(...one)))
    const all = containers.reduce((sum, { connections }) => sum + connections, 0)
    byId('places-text').textContent =
      `${counted(all, 'connection')} in ${counted(containers.length, 'container')}: ` +
      containers.map(({ name, connections }) => `${name} ${connections}`).join(', ')
  }

  #showConnections(): void {
    const body = byId('connections')
    const chosen = (document.activeElement as HTMLElement | null)?.dataset.id
    const shown = [...this.#model.potatoes.values()].reverse().slice(0, ROWS)
    // A row that is there already keeps its element, and so its focus.
    const before = new Map([...body.children].map(one => [(one as HTMLElement).dataset.id, one]))
    const rows = shown.map(potato => this.#row(potato, before.get(potato.id)))
    if (rows.some((one, index) => body.children[index] !== one) || body.children.length !== rows.length)
      body.replaceChildren(...rows)
    if (chosen !== undefined) body.querySelector<HTMLElement>(`button[data-id="${chosen}"]`)?.focus()
    const { missed, potatoes } = this.#model
    const left = missed === 0 ? '' : `; ${missed} steps came too fast to be told one by one`
    byId('list-hint').textContent =
      `${shown.length} of ${potatoes.size} that are known, the latest first${left}.`
  }

  #row({ id, container, generation, last, ended }: Potato, before: Element | undefined): Element {
    const texts = [container, String(generation), last === undefined ? 'was there' : stepText(last)]
    if (before !== undefined) {
      for (const [index, text] of texts.entries()) {
        const cell = before.children[index + 1]!
        if (cell.textContent !== text) cell.textContent = text
      }
      before.classList.toggle('gone', ended !== undefined)
      return before
    }
    const button = element('button', { type: 'button', 'data-id': id }, id.slice(0, 12))
    button.addEventListener('click', () => this.#onChoice(id))
    const made = row(button, ...texts)
    made.dataset.id = id
    made.classList.toggle('gone', ended !== undefined)
    return made
  }
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
