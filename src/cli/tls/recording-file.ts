import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../time/clock.ts'
import type { CryptoProvider, SessionState } from '../../tls13/index.ts'
import { withRecording } from '../../trace/embedded.ts'
import type { Side } from '../../trace/event.ts'
import type { Recorder } from '../../trace/recorder.ts'
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
  readonly #flag: string
  readonly #path: string
  readonly #page: string | undefined
  readonly #descriptor: number

  /**
   * @param path one that ends in `.html` becomes a page that shows the recording
   * @param flag names it in errors
   * @throws CommandError it cannot be written, or there is no page: that is known before anything is sent
   */
  constructor(path: string, flag = 'record') {
    this.#flag = flag
    this.#path = path
    this.#page = path.endsWith('.html') ? pageFor(flag, path) : undefined
    this.#descriptor = openPrivate(flag, path)
  }

  /** Writes what has been recorded, once. Where that cannot be, the command fails. */
  end(recording: Recording): void {
    const { connections, unrecorded = 0 } = recording
    const leftOut = connections.reduce((sum, one) => sum + one.leftOut, 0)
    if (leftOut > 0) warn(`--${this.#flag} ${this.#path}: ${leftOut} bytes came too late to be kept`)
    if (unrecorded > 0) warn(`--${this.#flag} ${this.#path}: ${unrecorded} connections had no room`)
    const text = `${JSON.stringify(recording)}\n`
    const file = this.#page === undefined ? text : withRecording(this.#page, text)
    try {
      writePrivate(this.#flag, this.#path, this.#descriptor, utf8(file))
    } catch (error) {
      warn((error as Error).message)
      process.exitCode = STATUS.failed
    }
  }
}

function pageFor(flag: string, path: string): string {
  try {
    return readFileSync(RECORDING_PAGE, 'utf8')
  } catch {
    const advice = 'npm run build makes it, where all packages are; a name that ends in .json needs none'
    throw new CommandError(`--${flag} ${path}: the page was not built: ${advice}`)
  }
}

/** What records one connection of ours. */
export interface RecordedTap extends Tap {
  /** Takes the state of the session down. @param when in words */
  state(state: SessionState, when: string): void
}

/** One connection that is to be recorded. */
export interface ToRecord {
  readonly title: string
  /** Which of its sides is ours. */
  readonly own: Side
  readonly provider: Pick<CryptoProvider, 'cipherSuites'>
  readonly clock: Clock
}

/** Records one connection. @returns undefined: there is no room for another */
export function recorded(
  recorder: Recorder,
  { title, own, provider, clock }: ToRecord,
): RecordedTap | undefined {
  const connection = recorder.open(title, own, provider)
  if (connection === undefined) return undefined
  const other = own === 'client' ? 'server' : 'client'
  return {
    onSecret: next => (exposed, clientRandom) => {
      connection.secret(exposed, clientRandom, clock.wall())
      next?.(exposed, clientRandom)
    },
    received: bytes => connection.bytes(other, bytes, clock.wall()),
    sent: bytes => connection.bytes(own, bytes, clock.wall()),
    end: () => connection.end(clock.wall()),
    state: (state, when) => connection.state(state, when, clock.wall()),
  }
}
