/** What is going on, on standard error: one line that changes on a terminal, a line for each news elsewhere. */
export class Progress {
  readonly #out: NodeJS.WriteStream
  #last = ''

  constructor(out: NodeJS.WriteStream = process.stderr) {
    this.#out = out
  }

  /** @param text one line @param passing worth telling only where it can be overwritten */
  say(text: string, passing = false): void {
    if (this.#out.isTTY) this.#out.write(`\r\x1b[K${text.slice(0, this.#out.columns - 1)}`)
    else if (!passing && text !== this.#last) this.#out.write(`${text}\n`)
    this.#last = text
  }

  /** Takes the line away. */
  done(): void {
    if (this.#out.isTTY) this.#out.write('\r\x1b[K')
  }
}
