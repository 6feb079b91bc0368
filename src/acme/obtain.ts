import type { WantedCertificate } from '../platform/acme-settings.ts'
import type { Clock } from '../time/clock.ts'
import { Account } from './account.ts'
import { AcmeError } from './error.ts'
import { issue, type Responder } from './issue.ts'
import {
  certificateId,
  momentIn,
  nextLook,
  nextTry,
  readWindow,
  renewalOf,
  type SuggestedWindow,
} from './renewal.ts'
import type { AcmeServer } from './server.ts'
import { type AcmeStore, type CertificateRecord, NO_CERTIFICATE } from './store.ts'
import type { AcmeWishes } from './wishes.ts'

export interface ObtainOptions {
  readonly server: AcmeServer
  readonly store: AcmeStore
  readonly wishes: AcmeWishes
  readonly responder: Responder
  readonly clock: Clock
  /** From 0 to 1. */
  readonly chance: () => number
  readonly report?: (what: string) => void
}

/**
 * Gets a certificate and puts it into its place. What fails is written down, with when it is tried again.
 * @returns the files in which what was there is kept
 * @throws AcmeError, CertificateError
 */
export async function obtain(wanted: WantedCertificate, options: ObtainOptions): Promise<readonly string[]> {
  const { server, store, wishes, clock, chance } = options
  const { name, names } = wanted
  const before = store.record(name)
  try {
    const account = await Account.open(server, store.account(server.url), wishes)
    const { keyType, challenge, profile } = wishes
    const ours = before?.directory === server.url && store.isOurs(name)
    const asked = { names, keyType, challenge, profile, replaces: ours ? before.id : undefined }
    await issue(asked, { ...options, account, shelf: store.order(name) })
    const kept = store.settle(name) ?? []
    await look(name, options)
    return kept
  } catch (error) {
    const { message, retryAfter } = error as AcmeError
    const failures = (before?.failures ?? 0) + 1
    const now = clock.wall()
    const tryAt = nextTry(now, failures, chance(), retryAfter)
    store.saveRecord(name, {
      ...NO_CERTIFICATE,
      ...(store.record(name) ?? before),
      directory: server.url,
      names,
      failures,
      error: { at: now, message },
      tryAt,
    })
    throw error
  }
}

/**
 * Chooses when a certificate is renewed: in the window that the server suggests, if it suggests one
 * (RFC 9773), or else by its dates. Once chosen, a moment stays, as long as the window does.
 * @returns what is kept of it now; undefined: there is no certificate of ours
 */
export async function look(
  name: string,
  { server, store, clock, chance }: Pick<ObtainOptions, 'server' | 'store' | 'clock' | 'chance'>,
): Promise<CertificateRecord | undefined> {
  const record = store.record(name)
  const text = store.certificate(name)
  if (record === undefined || text === undefined || !store.isOurs(name)) return undefined
  const { notBefore, notAfter } = record
  if (notBefore === undefined || notAfter === undefined) return undefined
  const id = record.id ?? certificateId(text)
  const now = clock.wall()
  const [window, retryAfter] = await suggested(server, id)
  const same =
    window !== undefined && window.start === record.window?.start && window.end === record.window.end
  const by = window === undefined ? renewalOf({ notBefore, notAfter }, chance()) : momentIn(window, chance())
  const stays =
    record.renewAt !== undefined && (same || (window === undefined && record.window === undefined))
  const next: CertificateRecord = {
    ...record,
    id,
    window,
    renewAt: stays ? record.renewAt : by,
    lookAt: nextLook(now, retryAfter),
  }
  store.saveRecord(name, next)
  return next
}

/** What a server suggests, and when it wants to be asked again. It is not asked for more than it offers. */
async function suggested(
  server: AcmeServer,
  id: string | undefined,
): Promise<readonly [SuggestedWindow | undefined, number | undefined]> {
  const { renewalInfo } = await server.directory()
  if (renewalInfo === undefined || id === undefined) return [undefined, undefined]
  try {
    const { json, retryAfter } = await server.get(`${renewalInfo.replace(/\/$/, '')}/${id}`)
    return [readWindow(json), retryAfter]
  } catch (error) {
    if (!(error instanceof AcmeError)) throw error
    // RFC 9773 §4.3.3: what it says by the dates goes on to hold.
    return [undefined, error.retryAfter]
  }
}
