/** Whether something is a promise, of whatever library or realm. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as Promise<unknown>).then === 'function'
}

/**
 * Tells a function of an application something. It may be async, whatever its type says: then what comes of
 * it is not waited for, and what it is rejected with would end the process if nothing took it.
 * @param failed what it throws goes there, or what its promise is rejected with; must not throw
 * @returns what it says; undefined for a promise, and if it throws
 */
export function tell<T>(say: () => T, failed: (error: unknown) => void = () => {}): T | undefined {
  try {
    const said = say()
    if (!isPromise(said)) return said
    Promise.resolve(said).catch(failed)
  } catch (error) {
    failed(error)
  }
  return undefined
}
