import { failing } from '../../acme/attempts.ts'
import { AcmeStore } from '../../acme/store.ts'
import { table } from '../terminal/table.ts'

/** One certificate of an authority of the web, as `cert status` and `status` show it. Moments in ms. */
export interface CertificateStatus {
  readonly name: string
  readonly names: readonly string[]
  readonly directory: string
  /** Undefined: there is none yet. */
  readonly notAfter: number | undefined
  readonly renewAt: number | undefined
  /** Whether the server has suggested that time (RFC 9773). */
  readonly suggested: boolean
  readonly failures: number
  readonly error: { readonly at: number; readonly message: string } | undefined
  readonly tryAt: number | undefined
}

const DAY = 86_400_000

/** All that were asked for. @param directory of certificates */
export function certificatesIn(directory: string): CertificateStatus[] {
  const store = new AcmeStore(directory)
  return store.names().map(name => certificateStatus(store, name))
}

/** SHA-256 of those that are in their place, by name. @param directory of certificates */
export function takenFrom(directory: string): Readonly<Record<string, string>> {
  const store = new AcmeStore(directory)
  const there = store.names().filter(name => store.isOurs(name))
  return Object.fromEntries(there.map(name => [name, store.record(name)!.fingerprint!]))
}

/** What is kept of a certificate that was asked for. */
export function certificateStatus(store: AcmeStore, name: string): CertificateStatus {
  const record = store.record(name)!
  const { names, directory, notAfter, renewAt, window, attempts } = record
  const { failures = 0, error, tryAt } = failing(attempts) ?? {}
  const there = store.isOurs(name)
  return {
    name,
    names,
    directory,
    notAfter: there ? notAfter : undefined,
    renewAt: there ? renewAt : undefined,
    suggested: window !== undefined,
    failures,
    error,
    tryAt,
  }
}

/** @param now milliseconds since 1970 */
export function statusTable(all: readonly CertificateStatus[], now: number): string {
  const rows = table(
    ['CERTIFICATE', 'HOSTS', 'DAYS LEFT', 'RENEWAL', 'AUTHORITY'],
    all.map(({ name, names, notAfter, renewAt, suggested, directory }) => [
      name,
      names.length > 2 ? `${names.slice(0, 2).join(',')},…` : names.join(','),
      notAfter === undefined ? undefined : Math.floor((notAfter - now) / DAY),
      renewAt === undefined ? undefined : `${minute(renewAt)}${suggested ? ' (suggested)' : ''}`,
      new URL(directory).host,
    ]),
  )
  const errors = all.flatMap(one => failureOf(one) ?? [])
  return [rows, ...errors].join('\n')
}

/** What went wrong last; undefined: nothing has. */
export function failureOf({ name, error, failures, tryAt }: CertificateStatus): string | undefined {
  if (error === undefined) return undefined
  const times = failures === 1 ? 'failed' : `failed ${failures} times, last`
  const again = tryAt === undefined ? '' : `; tried again ${minute(tryAt)}`
  return `${name} ${times} ${minute(error.at)}: ${error.message}${again}`
}

function minute(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16)}Z`
}
