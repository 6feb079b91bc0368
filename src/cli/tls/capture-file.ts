import { closeSync, openSync, writeSync } from 'node:fs'
import type { Clock } from '../../time/clock.ts'
import { Capture } from '../../trace/capture.ts'
import { CommandError } from '../line/usage-error.ts'
import { warn } from '../terminal/output.ts'
import type { Tap } from './trace.ts'

/** A file of `--pcap`: readable by its owner alone, for its secrets are in it. */
export class CaptureFile {
  readonly capture = new Capture()
  readonly #path: string
  readonly #descriptor: number

  /** @throws CommandError it cannot be written: that is known before anything is sent */
  constructor(path: string) {
    this.#path = path
    try {
      this.#descriptor = openSync(path, 'w', 0o600)
    } catch (error) {
      throw new CommandError(`--pcap ${path}: cannot be written (${(error as NodeJS.ErrnoException).code})`)
    }
  }

  /** Writes what has been captured. */
  end(): void {
    const { leftOut } = this.capture
    if (leftOut > 0) warn(`--pcap ${this.#path}: ${leftOut} bytes came too late to be kept`)
    try {
      const bytes = this.capture.file()
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#descriptor, bytes, at)
    } catch (error) {
      warn(`--pcap ${this.#path}: cannot be written (${(error as NodeJS.ErrnoException).code})`)
    } finally {
      closeSync(this.#descriptor)
    }
  }
}

/** Captures one connection of a client. */
export function captured(capture: Capture, clock: Clock): Tap {
  const connection = capture.open()
  return {
    onSecret: other => (exposed, clientRandom) => {
      capture.secret(exposed, clientRandom)
      other?.(exposed, clientRandom)
    },
    received: bytes => capture.bytes(connection, 'server', bytes, clock.wall()),
    sent: bytes => capture.bytes(connection, 'client', bytes, clock.wall()),
    end: () => {},
  }
}
