import { expect } from 'vitest'

/**
 * Compares bytes at once: Vitest would make a string of each index first, which takes a thousand times as
 * long. What differs is left to Vitest, which shows where.
 */
expect.addEqualityTesters([
  (a, b) =>
    a instanceof Uint8Array &&
    b instanceof Uint8Array &&
    Object.getPrototypeOf(a) === Object.getPrototypeOf(b) &&
    Buffer.compare(a, b) === 0
      ? true
      : undefined,
])
