/** Characters of a bar. */
const BAR = 24

/**
 * What is going on, on standard error: one line that changes on a terminal, a line for each news elsewhere.
 */
export class Progress {
  readonly #out: NodeJS.WriteStream
  #last = ''
  #share = 0

  constructor(out: NodeJS.WriteStream = process.stderr) {
    this.#out = out
  }

  /** @param text one line @param passing worth telling only where it can be overwritten */
  say(text: string, passing = false): void {
    if (this.#out.isTTY) this.#out.write(`\r\x1b[K${text.slice(0, this.#out.columns - 1)}`)
    else if (!passing && text !== this.#last) this.#out.write(`${text}\n`)
    this.#last = text
  }

  /** How far it is: elsewhere than on a terminal, every quarter is news. @param share 0 to 1 */
  bar(share: number, text: string): void {
    const filled = Math.round(Math.min(1, share) * BAR)
    const news = Math.floor(share * 4) > Math.floor(this.#share * 4)
    this.#share = share
    this.say(`[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}] ${text}`, !news)
  }

  /** Takes the line away. */
  done(): void {
    if (this.#out.isTTY) this.#out.write('\r\x1b[K')
  }
}
