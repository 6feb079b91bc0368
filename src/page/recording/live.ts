import type { Chances, Lived } from '../../supervisor/admin/told.ts'
import { byId, element, row } from '../dom.ts'
import { stagesText, stepText, timeText } from '../words.ts'
import type { Teacher } from './teacher.ts'

const DEEDS = [
  ['ask', 'Send a request'],
  ['key-update', 'KeyUpdate now'],
  ['flip', 'Flip a bit now'],
  ['drop', 'Drop a record now'],
  ['replay', 'Repeat a record now'],
  ['close', 'Close it'],
] as const

/** The buttons that do something to a live connection, and what the platform says of it. */
export class LiveView {
  readonly #teacher: Teacher
  readonly #container = byId<HTMLSelectElement>('container')
  #id = ''

  constructor(teacher: Teacher) {
    this.#teacher = teacher
    const buttons = DEEDS.map(([deed, title]) =>
      teacher.button(`live-${deed}`, title, () => this.#show(`live/${deed}`)),
    )
    byId('deeds').replaceChildren(...buttons)
    for (const order of ['move', 'kill'] as const) {
      const what = order === 'move' ? 'Move to' : 'Kill'
      teacher.does(
        byId<HTMLButtonElement>(order),
        () => `${what} ${this.#container.value}`,
        () => this.#show(`live/${order}/${this.#container.value}`),
      )
    }
    void this.#chances()
  }

  async #show(path: string): Promise<string> {
    try {
      const lived = await this.#teacher.ask<Lived>(path, 'POST')
      this.#teacher.show(lived.recording, lived.command)
      byId('custody').replaceChildren(...custody(lived))
      const anew =
        this.#id !== '' && this.#id !== lived.id ? ' (a new connection: the last one had ended)' : ''
      this.#id = lived.id
      return `${lived.said}${anew}`
    } finally {
      await this.#chances()
    }
  }

  /** Which containers there are, and whether one may be killed. */
  async #chances(): Promise<void> {
    const { containers, mortal } = await this.#teacher
      .ask<Chances>('live', 'GET')
      .catch((error: Error): Chances => ({ containers: [], mortal: error.message }))
    const chosen = this.#container.value
    this.#container.replaceChildren(...containers.map(name => element('option', { value: name }, name)))
    if (containers.includes(chosen)) this.#container.value = chosen
    const single =
      containers.length === 1 ? 'A move needs a second container: npx --no hotpotato scale. ' : ''
    const dies =
      'The process of that container gets SIGKILL, and no other. Its connections go on elsewhere if'
    byId('kill-says').textContent =
      mortal === undefined
        ? `${single}${dies} they are idle.`
        : `${single}No container can be killed: ${mortal}.`
    byId<HTMLButtonElement>('kill').disabled = mortal !== undefined || containers.length === 0
    byId<HTMLButtonElement>('move').disabled = containers.length === 0
  }
}

function custody({ id, custody: rows, steps, open }: Lived): Node[] {
  return [
    element('h4', {}, `Connection ${id.slice(0, 12)}, ${open ? 'open' : 'ended'}`),
    tableOf(
      'who has it',
      ['when', 'owner', 'state', 'generation', 'moves', 'requests'],
      rows.map(({ when, row: one }) =>
        one === undefined
          ? [when, 'no container']
          : [when, one.container, one.state, ...[one.generation, one.hops, one.requests].map(String)],
      ),
    ),
    ...(steps.length === 0
      ? []
      : [
          tableOf(
            'what its containers tell',
            ['when', 'generation', 'what', 'stages'],
            steps.map(one => [timeText(one.at), String(one.generation), stepText(one), stagesText(one)]),
          ),
        ]),
  ]
}

function tableOf(title: string, heads: readonly string[], rows: readonly (readonly string[])[]): HTMLElement {
  const cells = rows.map(one => row(...heads.map((_, index) => one[index] ?? '')))
  return element(
    'div',
    { class: 'fields', tabindex: '0', role: 'region', 'aria-label': title },
    element(
      'table',
      { class: 'annotated' },
      element('caption', {}, title),
      element('thead', {}, element('tr', {}, ...heads.map(head => element('th', { scope: 'col' }, head)))),
      element('tbody', {}, ...cells),
    ),
  )
}
