import { expect } from 'vitest'
import { TlsError } from '../../src/tls13/alert.ts'
import type { TlsReason } from '../../src/tls13/reasons.ts'

/** The alert of the error that some work ends in; undefined if it ends in none. @throws any other error */
export function alertOf(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (error instanceof TlsError) return error.alert
    throw error
  }
}

/** For `toThrow`: a `TlsError` of that reason, whatever its words. */
export function because(reason: TlsReason): Error {
  return expect.objectContaining({ name: 'TlsError', reason })
}
