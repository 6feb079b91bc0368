import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../time/clock.ts'
import type { SessionState } from '../../tls13/index.ts'
import { withRecording } from '../../trace/embedded.ts'
import type { Recorded, Recorder } from '../../trace/recorder.ts'
import type { Recording } from '../../trace/recording.ts'
import { utf8 } from '../../wire/index.ts'
import { CommandError, STATUS } from '../line/usage-error.ts'
import { warn } from '../terminal/output.ts'
import { openPrivate, writePrivate } from './private-file.ts'
import type { Tap } from './trace.ts'

/** The page that shows recordings, as `npm run build` makes it. */
export const RECORDING_PAGE = fileURLToPath(new URL('../../page/recording.html', import.meta.url))

/** A file of `--record`: readable by its owner alone, for its secrets are in it. */
export class RecordingFile {
  readonly #path: string
  readonly #page: string | undefined
  readonly #descriptor: number

  /**
   * @param path one that ends in `.html` becomes a page that shows the recording
   * @throws CommandError it cannot be written, or there is no page: that is known before anything is sent
   */
  constructor(path: string) {
    this.#path = path
    this.#page = path.endsWith('.html') ? pageFor(path) : undefined
    this.#descriptor = openPrivate('record', path)
  }

  /** Writes what has been recorded, once. Where that cannot be, the command fails. */
  end(recording: Recording): void {
    const leftOut = recording.connections.reduce((sum, one) => sum + one.leftOut, 0)
    if (leftOut > 0) warn(`--record ${this.#path}: ${leftOut} bytes came too late to be kept`)
    const text = `${JSON.stringify(recording)}\n`
    const file = this.#page === undefined ? text : withRecording(this.#page, text)
    try {
      writePrivate('record', this.#path, this.#descriptor, utf8(file))
    } catch (error) {
      warn((error as Error).message)
      process.exitCode = STATUS.failed
    }
  }
}

function pageFor(path: string): string {
  try {
    return readFileSync(RECORDING_PAGE, 'utf8')
  } catch {
    const advice = 'npm run build makes it, where all packages are; a name that ends in .json needs none'
    throw new CommandError(`--record ${path}: the page was not built: ${advice}`)
  }
}

/** What records one connection of ours as a client. */
export interface RecordedTap extends Tap {
  /** Takes the state of the session down. @param when in words */
  state(state: SessionState, when: string): void
}

/** Records one connection of a client. @param title of the connection */
export function recorded(
  recorder: Recorder,
  title: string,
  provider: Parameters<Recorder['open']>[2],
  clock: Clock,
): RecordedTap {
  const connection: Recorded = recorder.open(title, 'client', provider)
  return {
    onSecret: next => (exposed, clientRandom) => {
      connection.secret(exposed, clientRandom, clock.wall())
      next?.(exposed, clientRandom)
    },
    received: bytes => connection.bytes('server', bytes, clock.wall()),
    sent: bytes => connection.bytes('client', bytes, clock.wall()),
    end: () => connection.end(clock.wall()),
    state: (state, when) => connection.state(state, when, clock.wall()),
  }
}
