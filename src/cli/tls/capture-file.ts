import type { Clock } from '../../time/clock.ts'
import { Capture } from '../../trace/capture.ts'
import type { Side } from '../../trace/event.ts'
import { STATUS } from '../line/usage-error.ts'
import { warn } from '../terminal/output.ts'
import { openPrivate, writePrivate } from './private-file.ts'
import type { Tap } from './trace.ts'

/** A file of `--pcap`: readable by its owner alone, for its secrets are in it. */
export class CaptureFile {
  readonly capture = new Capture()
  readonly #path: string
  readonly #descriptor: number
  #ended = false

  /** @throws CommandError it cannot be written: that is known before anything is sent */
  constructor(path: string) {
    this.#path = path
    this.#descriptor = openPrivate('pcap', path)
  }

  /** Writes what has been captured, once. Where that cannot be, the command fails. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    const { leftOut } = this.capture
    if (leftOut > 0) warn(`--pcap ${this.#path}: ${leftOut} bytes came too late to be kept`)
    try {
      writePrivate('pcap', this.#path, this.#descriptor, this.capture.file())
    } catch (error) {
      warn((error as Error).message)
      process.exitCode = STATUS.failed
    }
  }
}

/** Captures one connection. @param own which of its sides is ours */
export function captured(capture: Capture, clock: Clock, own: Side): Tap {
  const connection = capture.open()
  const other = own === 'client' ? 'server' : 'client'
  return {
    onSecret: next => (exposed, clientRandom) => {
      capture.secret(exposed, clientRandom)
      next?.(exposed, clientRandom)
    },
    received: bytes => capture.bytes(connection, other, bytes, clock.wall()),
    sent: bytes => capture.bytes(connection, own, bytes, clock.wall()),
    end: () => {},
  }
}
