/** A package is not there that one command or one function needs, and the rest does without. */
export class MissingPackageError extends Error {
  override readonly name = 'MissingPackageError'
}

/**
 * Loads an optional package.
 * @param name as npm knows it @param purpose what needs it, as the beginning of a sentence
 * @param load imports it
 * @throws MissingPackageError it is not there or does not work; the message is one line that says what to do
 */
export async function optionalPackage<T>(name: string, purpose: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    // It may be one that the package needs.
    const absent = code === 'ERR_MODULE_NOT_FOUND' ? /package '([^']+)'/.exec(message)?.[1] : undefined
    const why = absent === undefined ? `cannot be loaded (${message.split('\n', 1)[0]})` : 'is not installed'
    const advice = 'npm install --include=optional installs it'
    throw new MissingPackageError(`${purpose} needs the package ${absent ?? name}, which ${why}: ${advice}`)
  }
}
