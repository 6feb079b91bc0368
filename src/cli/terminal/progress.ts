import type { Step } from '../../supervisor/roll-out.ts'
import { printable } from './output.ts'

/** Where progress is written: standard error, or a stand-in for it. */
export interface ProgressOutput {
  readonly isTTY?: boolean
  /** Of the terminal. */
  readonly columns?: number
  write(text: string): unknown
}

const WIDTH = 110

/**
 * Says what a command is at while it lasts: on a terminal in one line that is written over, elsewhere in a
 * plain line for each stage. Standard output has the result alone.
 */
export class Progress {
  readonly #output: ProgressOutput
  readonly #now: () => number
  readonly #start: number
  readonly #isLive: boolean
  /** The last line that was written, without what counts in it. */
  #said = ''

  /** @param now milliseconds since some moment @param dumb no line of the terminal can be written over */
  constructor(output: ProgressOutput, now: () => number, dumb = process.env.TERM === 'dumb') {
    this.#output = output
    this.#isLive = output.isTTY === true && !dumb
    this.#now = now
    this.#start = now()
  }

  show(step: Step): void {
    const what = described(step)
    if (this.#isLive) {
      const seconds = Math.round((this.#now() - this.#start) / 1000)
      const line = printable(`${what}${counted(step)} (${seconds} s)`).slice(0, this.#width)
      this.#output.write(`\r${line}\x1b[K`)
    } else if (what !== this.#said) this.#output.write(`${printable(what)}\n`)
    this.#said = what
  }

  /** A line that were longer than the terminal is wide could not be written over. */
  get #width(): number {
    return Math.min(WIDTH, Math.max(1, (this.#output.columns ?? WIDTH + 1) - 1))
  }

  /** Takes the line on a terminal away. */
  end(): void {
    if (this.#isLive && this.#said !== '') this.#output.write('\r\x1b[K')
  }
}

function described({ stage, containers }: Step): string {
  const names = containers.join(', ')
  const is = containers.length === 1 ? 'is' : 'are'
  switch (stage) {
    case 'start':
      return `starting ${names}`
    case 'rehearse':
      return `${names} ${is} ready and rehearsing moves`
    case 'move':
      return `moving the connections of ${names}`
  }
}

function counted({ stage, count }: Step): string {
  if (count === undefined) return ''
  return stage === 'move' ? `: ${count} left` : `: ${count}`
}
