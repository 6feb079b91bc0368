/** What an error says. Anything can be thrown, and it may throw in turn when it is looked at. */
export function reasonOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown)
  } catch {
    return 'something that cannot be shown'
  }
}

/** What was thrown, as an Error. */
export function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(reasonOf(thrown), { cause: thrown })
}
