/** A command line that makes no sense; the message says what would. Ends the process with status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/**
 * Something that the user asked for and that cannot be had; the message is one line. Ends the process with
 * status 1.
 */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}
