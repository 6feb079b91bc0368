import { byId, element } from '../dom.ts'
import { tokenOfLink } from '../stream.ts'

/** The buttons of teach mode: each has a connection made, and gives its recording to the page. */
export class Teacher {
  readonly #token = tokenOfLink()
  readonly #open: (recording: string) => void

  constructor(open: (recording: string) => void) {
    this.#open = open
    byId('teach').hidden = false
    byId('banner').hidden = false
    byId('banner').textContent =
      'Teach mode: this page shows secrets, of the connections that its buttons make and of no others.'
    void this.#begin().catch(() => this.#say('hotpotato ui --teach does not answer'))
  }

  async #begin(): Promise<void> {
    const answer = await this.#ask('lessons', 'GET')
    if (!answer.ok) return this.#say((await answer.text()).trim())
    const lessons = (await answer.json()) as { readonly id: string; readonly title: string }[]
    const buttons = lessons.map(({ id, title }) => {
      const button = element('button', { type: 'button', id: `lesson-${id}` }, title)
      button.addEventListener('click', () => void this.#teach(id, title, buttons))
      return button
    })
    byId('lessons').replaceChildren(...buttons)
  }

  async #teach(id: string, title: string, buttons: readonly HTMLButtonElement[]): Promise<void> {
    for (const button of buttons) button.disabled = true
    this.#say(`${title}: making the connection`)
    try {
      const answer = await this.#ask(`lessons/${id}`, 'POST')
      if (!answer.ok) return this.#say(`${title}: ${(await answer.text()).trim()}`)
      const taught = (await answer.json()) as { recording: string; command: string; said: string }
      this.#open(taught.recording)
      byId('command').textContent = taught.command
      this.#say(`${title}: ${taught.said === '' ? 'it is below' : taught.said}`)
    } catch {
      this.#say('hotpotato ui --teach does not answer')
    } finally {
      for (const button of buttons) button.disabled = false
      byId(`lesson-${id}`).focus()
    }
  }

  #ask(path: string, method: string): Promise<Response> {
    return fetch(path, { method, headers: { authorization: `Bearer ${this.#token}` }, cache: 'no-store' })
  }

  #say(text: string): void {
    byId('lesson').textContent = text
  }
}
