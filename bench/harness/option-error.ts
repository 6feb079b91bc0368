/** A command line that makes no sense. */
export class OptionError extends Error {
  override readonly name = 'OptionError'
}
