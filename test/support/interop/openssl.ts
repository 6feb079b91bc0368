import { noteOf, Program, versionOf } from './program.ts'

/** The version that `openssl version` tells; undefined if there is no OpenSSL on the path. */
export const OPENSSL: string | undefined = versionOf('openssl', ['version'])?.split(' ').slice(0, 2).join(' ')

/** For the name of a suite: which OpenSSL it ran with, or why it did not run and what to do about that. */
export const OPENSSL_NOTE: string = noteOf(OPENSSL, 'openssl', 'openssl')

/** A running `openssl`. */
export class OpenSsl extends Program {
  /** @param args as on the command line: `s_client`, `-connect`, … */
  constructor(args: readonly string[]) {
    super('openssl', args)
  }
}
