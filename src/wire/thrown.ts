/** A value as text. It may have none, or throw when it is asked for it. */
export function stringOf(value: unknown): string {
  try {
    return String(value)
  } catch {
    return 'something that cannot be shown'
  }
}

/** What an error says. Anything can be thrown, and it may throw in turn when it is looked at. */
export function reasonOf(thrown: unknown): string {
  try {
    return stringOf(thrown instanceof Error ? thrown.message : thrown)
  } catch {
    return stringOf(thrown)
  }
}

/** What was thrown, as an Error. */
export function errorOf(thrown: unknown): Error {
  try {
    if (thrown instanceof Error) return thrown
  } catch {
    // It refuses the question, as a Proxy may.
  }
  return new Error(reasonOf(thrown), { cause: thrown })
}
