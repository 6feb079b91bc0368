import type { Shown } from '../../supervisor/admin/told.ts'
import type { Recorder } from '../../trace/recorder.ts'

/*
 * A program that has started this one with a channel (as Node's `fork` does) may look on over it: it asks for
 * what has been recorded so far, while that goes on.
 */

/** Asks for the recording, if it has more than that; the answer is a {@link Shown}. */
export interface Look {
  readonly look: number
}

/** Whether there is such a program. */
export function isLookedOn(): boolean {
  return process.send !== undefined
}

/**
 * Answers what is asked over the channel, if there is one; it does not keep the process alive.
 * @param others does what else is asked for
 */
export function letLookOn(recorder: Recorder, others: (asked: object) => void = () => {}): void {
  if (!isLookedOn()) return
  process.on('message', (asked: unknown) => {
    if (typeof asked !== 'object' || asked === null) return
    if (!('look' in asked)) return others(asked)
    const { taken } = recorder
    const shown: Shown = {
      taken,
      ...(asked.look === taken ? {} : { recording: JSON.stringify(recorder.recording()) }),
    }
    // The program that asked may have gone meanwhile.
    process.send?.(shown, undefined, {}, () => {})
  })
  process.channel?.unref()
}
