import type { Life, Telling } from '../supervisor/observatory/telling.ts'
import { WEB_CLOCK } from '../time/web-clock.ts'

/** Milliseconds before the stream is asked for anew; the platform may be starting. */
const AGAIN = 1000
/** Characters of one line, beyond which it is none of ours. */
const LONGEST = 16_777_216
/** Where the token stays while the tab lives, so that the page can be loaded anew. */
const KEPT = 'hotpotato-token'

/** What the page does with what it is told. */
export interface StreamHandlers {
  readonly told: (telling: Telling) => void
  /** @param text how it stands @param lost whether nothing comes */
  readonly link: (text: string, lost: boolean) => void
}

/** The token of the link, which leaves the address bar for it: what is not shown is not copied by chance. */
export function tokenOfLink(): string {
  const said = new URLSearchParams(location.hash.slice(1)).get('token') ?? location.hash.slice(1)
  if (/^[\w-]{20,128}$/.test(said)) {
    sessionStorage.setItem(KEPT, said)
    history.replaceState(undefined, '', location.pathname)
  }
  return sessionStorage.getItem(KEPT) ?? ''
}

/** Asks the platform, with the token. */
export class Stream {
  readonly #token: string
  readonly #handlers: StreamHandlers

  constructor(token: string, handlers: StreamHandlers) {
    this.#token = token
    this.#handlers = handlers
  }

  /** Reads events, and asks again where they end, as long as the page is open. */
  async follow(): Promise<void> {
    for (;;) {
      const why = await this.#once().catch(() => 'the platform does not answer')
      this.#handlers.link(`${why}; trying again`, true)
      await new Promise<void>(resolve => WEB_CLOCK.after(AGAIN, resolve))
    }
  }

  /** One connection's life; undefined: nothing is known of it. */
  async life(id: string): Promise<Life | undefined> {
    const answer = await this.#ask(`connections/${id}`)
    return answer.ok ? ((await answer.json()) as Life) : undefined
  }

  #ask(path: string): Promise<Response> {
    return fetch(path, { headers: { authorization: `Bearer ${this.#token}` }, cache: 'no-store' })
  }

  /** @returns why it has ended */
  async #once(): Promise<string> {
    const answer = await this.#ask('events')
    if (!answer.ok || answer.body === null) return (await answer.text()).trim()
    this.#handlers.link('connected', false)
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
    let rest = ''
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return 'the platform has ended'
      const lines = `${rest}${value}`.split('\n')
      rest = lines.pop()!
      if (rest.length > LONGEST) throw new Error('a line without an end')
      for (const line of lines) this.#handlers.told(JSON.parse(line) as Telling)
    }
  }
}
