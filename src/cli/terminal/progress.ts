import type { Step } from '../../supervisor/roll-out.ts'
import { printable } from './output.ts'

/** Where progress is written: standard error, or a stand-in for it. */
export interface ProgressOutput {
  readonly isTTY?: boolean
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
  /** The last line that was written, without what counts in it. */
  #said = ''

  /** @param now milliseconds since some moment */
  constructor(output: ProgressOutput, now: () => number) {
    this.#output = output
    this.#now = now
    this.#start = now()
  }

  show(step: Step): void {
    const what = described(step)
    if (this.#output.isTTY === true) {
      const seconds = Math.round((this.#now() - this.#start) / 1000)
      const line = printable(`${what}${counted(step)} (${seconds} s)`).slice(0, WIDTH)
      this.#output.write(`\r${line}\x1b[K`)
    } else if (what !== this.#said) this.#output.write(`${printable(what)}\n`)
    this.#said = what
  }

  /** Takes the line on a terminal away. */
  end(): void {
    if (this.#output.isTTY === true && this.#said !== '') this.#output.write('\r\x1b[K')
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
