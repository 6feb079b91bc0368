import { Lines } from '../../platform/lines.ts'
import type { Log } from '../../platform/log.ts'
import { Throttle } from '../../platform/throttle.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import type { ProgramProcess } from './process.ts'

/** Bytes of a line. */
const LINE = 16_384
/** Bytes a second that all processes of one program may write into the log, and seconds' worth at once. */
const RATE = 65_536
const BURST = 16

/**
 * Writes what processes of one program say into the log of their function, line by line: standard output as
 * news, standard error as warnings. Who says more than that is read more slowly, and waits.
 */
export class OutputLog {
  readonly #log: Log
  readonly #clock: Clock
  readonly #throttle: Throttle

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
    this.#throttle = new Throttle(RATE, BURST, clock.steady())
  }

  /** @param fields of each entry besides: whose it is */
  follow({ child, ended }: ProgramProcess, stream: 'stdout' | 'stderr', fields: object): void {
    const from = child[stream]!
    const lines = new Lines(LINE)
    let waiting: Timer | undefined
    let last = false
    const take = (line: string | undefined): void => {
      if (line === undefined || line === '') return
      if (stream === 'stdout') this.#log.info({ ...fields, stream }, line)
      else this.#log.warn({ ...fields, stream }, line)
    }
    from.on('data', (bytes: Uint8Array) => {
      for (const line of lines.push(bytes)) take(line)
      const pause = this.#throttle.take(bytes.length, this.#clock.steady())
      if (pause === 0 || last) return
      from.pause()
      waiting?.stop()
      waiting = this.#clock.after(pause, () => from.resume()).unref()
    })
    void ended.then(() => {
      // There is no more of it than a pipe holds, and it says why the process has ended.
      last = true
      waiting?.stop()
      from.resume()
    })
    from.once('close', () => {
      waiting?.stop()
      take(lines.end())
    })
  }
}
