import { spawnSync } from 'node:child_process'
import { Program } from './program.ts'

/** The version that `openssl version` tells; undefined if there is no OpenSSL on the path. */
export const OPENSSL: string | undefined = version()

/** For the name of a suite: which OpenSSL it ran with, or why it did not run and what to do about that. */
export const OPENSSL_NOTE: string =
  OPENSSL ?? 'SKIPPED: there is no openssl on the path; get it with: apt-get install openssl'

function version(): string | undefined {
  const { status, stdout } = spawnSync('openssl', ['version'], { encoding: 'utf8' })
  return status === 0 ? stdout.split(' ').slice(0, 2).join(' ') : undefined
}

/** A running `openssl`. */
export class OpenSsl extends Program {
  /** @param args as on the command line: `s_client`, `-connect`, … */
  constructor(args: readonly string[]) {
    super('openssl', args)
  }
}
