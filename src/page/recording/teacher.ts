import type { Taught } from '../../supervisor/admin/told.ts'
import { byId, element } from '../dom.ts'
import { tokenOfLink } from '../stream.ts'

/** What is shown; `more`: it goes on from what was shown. */
type Open = (recording: string, more?: boolean) => void

/**
 * Teach mode: its buttons each have a connection made, or something done to one, and give its recording to
 * the page.
 */
export class Teacher {
  readonly #token = tokenOfLink()
  readonly #open: Open
  /** Told that another thing is shown from now on. */
  #replaced = (): void => {}
  #busy = false

  constructor(open: Open) {
    this.#open = open
    byId('teach').hidden = false
    byId('banner').hidden = false
    byId('banner').textContent =
      'Teach mode: this page shows secrets: of the connections that its buttons make, and of the clients ' +
      'that come to its own server. Of no others.'
    void this.#begin().catch(() => this.say('hotpotato ui --teach does not answer'))
  }

  /** A button that does something. Only one thing goes on at a time. */
  button(id: string, title: string, work: () => Promise<string>): HTMLButtonElement {
    const button = element('button', { type: 'button', id }, title)
    this.does(button, () => title, work)
    return button
  }

  /** @param work what a click does; what it gives is said then */
  does(button: HTMLButtonElement, title: () => string, work: () => Promise<string>): void {
    button.addEventListener('click', () => void this.#do(title(), work))
  }

  /** Asks for something. @throws Error with what was answered, if it is no success */
  async ask<T>(path: string, method: 'GET' | 'POST'): Promise<T> {
    const headers = { authorization: `Bearer ${this.#token}` }
    let answer: Response
    try {
      answer = await fetch(path, { method, headers, cache: 'no-store' })
    } catch {
      throw new Error('hotpotato ui --teach does not answer')
    }
    if (!answer.ok) throw new Error((await answer.text()).trim())
    return (await answer.json()) as T
  }

  /** From now on the page shows something else. @param replaced told when that is over */
  claim(replaced = (): void => {}): void {
    this.#replaced()
    this.#replaced = replaced
  }

  /** Shows a recording in the place of what is shown. */
  show(recording: string, command: string): void {
    this.claim()
    this.#open(recording)
    byId('command').textContent = command
  }

  /** Shows a recording that goes on. @param more whether its beginning is shown */
  follow(recording: string, more: boolean): void {
    this.#open(recording, more)
  }

  say(text: string): void {
    byId('lesson').textContent = text
  }

  async #begin(): Promise<void> {
    const lessons = await this.ask<{ readonly id: string; readonly title: string }[]>('lessons', 'GET').catch(
      (error: Error) => error.message,
    )
    if (typeof lessons === 'string') return this.say(lessons)
    const buttons = lessons.map(({ id, title }) =>
      this.button(`lesson-${id}`, title, async () => {
        const { recording, command, said } = await this.ask<Taught>(`lessons/${id}`, 'POST')
        this.show(recording, command)
        return said === '' ? 'it is below' : said
      }),
    )
    byId('lessons').replaceChildren(...buttons)
  }

  async #do(title: string, work: () => Promise<string>): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    const focused = document.activeElement
    const all = byId<HTMLFieldSetElement>('all')
    all.disabled = true
    this.say(`${title}: going on`)
    const said = await work().catch((error: Error) => error.message)
    all.disabled = false
    this.#busy = false
    this.say(`${title}: ${said}`)
    if (focused instanceof HTMLElement) focused.focus({ preventScroll: true })
  }
}
