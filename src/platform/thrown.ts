import { stdSerializers } from 'pino'

/**
 * What the log says of a value that was thrown. Functions throw what they like, and some of it throws again
 * when it is looked at.
 */
export function thrown(value: unknown): unknown {
  try {
    return stdSerializers.err(value as Error)
  } catch {
    return 'a value that cannot be looked at'
  }
}

/** `value instanceof kind`, for values that may refuse the question. */
export function isOne<T>(value: unknown, kind: abstract new (...all: never[]) => T): value is T {
  try {
    return value instanceof kind
  } catch {
    return false
  }
}
