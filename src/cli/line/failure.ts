import { isSystemError, printable } from '../terminal/output.ts'
import { STATUS } from './usage-error.ts'

/**
 * Errors whose message says it all, by name, so that no command has to load what another one throws, and the
 * status that each ends with.
 */
const STATUSES: ReadonlyMap<string, number> = new Map([
  ['UsageError', STATUS.usage],
  ['ConfigError', STATUS.configuration],
  ['CommandError', STATUS.failed],
  ['CertificateError', STATUS.failed],
  ['SocketPathError', STATUS.failed],
  ['MissingPackageError', STATUS.failed],
])

/** What a command ends with that throws: its status, and a line, or the whole error if it is one of ours. */
export function failureOf(error: unknown): { readonly status: number; readonly said: unknown } {
  const status = STATUSES.get(error instanceof Error ? error.name : '')
  const expected = status !== undefined || isSystemError(error)
  return { status: status ?? STATUS.failed, said: expected ? printable((error as Error).message) : error }
}
