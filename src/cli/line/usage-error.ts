/**
 * The status with which a command ends, one for each kind of mistake. 0: it did what it was asked for; for
 * `verify` and `stress`, which look for faults, that there were none.
 */
export const STATUS = {
  /** It could not be done, or a fault was found. */
  failed: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** The configuration makes no sense: a file, or a variable of the environment that goes before it. */
  configuration: 3,
  /** Ctrl-C ended it, as a shell says of a command without a word of its own. */
  interrupted: 130,
  /** The same of SIGTERM. */
  terminated: 143,
} as const

/** A command line that makes no sense; the message says what would. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Something that the user asked for and that cannot be had; the message is one line. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}
