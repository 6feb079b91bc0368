import type { Invitation, Shown } from '../../supervisor/admin/told.ts'
import { WEB_CLOCK } from '../../time/web-clock.ts'
import { byId } from '../dom.ts'
import type { Teacher } from './teacher.ts'

/** Milliseconds between two looks at what has come. */
const LOOK = 500

/** The server for clients that are not ours: what they do is shown as it comes. */
export class Guests {
  readonly #teacher: Teacher
  /** Of the invitation that is shown; another one, or another lesson, ends it. */
  #current = 0

  constructor(teacher: Teacher) {
    this.#teacher = teacher
    const button = byId<HTMLButtonElement>('invite')
    const title = button.textContent
    teacher.does(
      button,
      () => title,
      () => this.#invite(),
    )
  }

  async #invite(): Promise<string> {
    this.#teacher.claim(() => this.#current++)
    const number = this.#current
    const { command, address } = await this.#teacher.ask<Invitation>('guests', 'POST')
    byId('guest-command').textContent = command
    byId('command').textContent = command
    byId('guest-address').textContent = address
    byId('invitation').hidden = false
    void this.#follow(number)
    return `it listens. Type ${command}`
  }

  /** Looks until another thing is shown. */
  async #follow(number: number): Promise<void> {
    let seen = 0
    let shown = false
    while (number === this.#current) {
      let text: string | undefined
      try {
        const { taken, recording } = await this.#teacher.ask<Shown>(`guests?seen=${seen}`, 'GET')
        seen = taken
        text = recording
      } catch (error) {
        if (number === this.#current) this.#teacher.say((error as Error).message)
        return
      }
      if (number !== this.#current) return
      if (text !== undefined) {
        this.#teacher.follow(text, shown)
        if (!shown) this.#teacher.say('a client has come: it is below, as it goes on')
        shown = true
      }
      await new Promise<void>(resolve => WEB_CLOCK.after(LOOK, resolve))
    }
  }
}
