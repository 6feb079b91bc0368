import type { WantedCertificate } from '../platform/acme-settings.ts'
import type { Clock } from '../time/clock.ts'
import { Account } from './account.ts'
import { attemptOf, nextOrder, sameWish, withFailure } from './attempts.ts'
import { AcmeError } from './error.ts'
import { issue, type Responder } from './issue.ts'
import {
  BETWEEN_RENEWALS,
  certificateId,
  lastMoment,
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
  /** It is asked for by hand: however many came lately. */
  readonly byHand?: boolean
}

/**
 * Gets a certificate and puts it into its place. What fails is written down, with when it is tried again.
 * @returns the files in which what was there is kept
 * @throws AcmeError, CertificateError
 */
export async function obtain(wanted: WantedCertificate, options: ObtainOptions): Promise<readonly string[]> {
  const { server, store, wishes, clock, chance } = options
  const { name, names } = wanted
  const wish = { directory: server.url, names }
  try {
    if (options.byHand !== true) checkPace(name, wish, options)
    await ordered(wanted, options)
    const kept = store.settle(name, clock.wall()) ?? []
    const record = await look(name, options)
    // By a wrong clock, or if the server suggests the past: not one after the other without end.
    const soonest = clock.wall() + BETWEEN_RENEWALS
    if (record?.renewAt !== undefined && record.renewAt <= clock.wall())
      store.saveRecord(name, { ...record, renewAt: soonest })
    return kept
  } catch (error) {
    const { message, retryAfter } = error as AcmeError
    const { keyType, challenge, profile, ca } = wishes
    const first = { ...NO_CERTIFICATE, ...wish, ordered: { keyType, challenge, profile, ca } }
    const record = store.record(name) ?? first
    const failures = (attemptOf(record.attempts, wish)?.failures ?? 0) + 1
    const now = clock.wall()
    const good = store.isOurs(name) && sameWish(record, wish)
    const left = good && record.notAfter !== undefined ? record.notAfter - now : undefined
    const tryAt = nextTry(now, failures, chance(), retryAfter, left)
    const attempts = withFailure(record.attempts, wish, { at: now, message }, tryAt)
    store.saveRecord(name, { ...record, attempts })
    throw error
  }
}

/** @throws AcmeError so many have come lately that one more would be of no use either */
function checkPace(
  name: string,
  wish: { readonly directory: string; readonly names: readonly string[] },
  { store, clock }: ObtainOptions,
): void {
  const underway = store.order(name).load()
  if (underway !== undefined && sameWish(underway, wish)) return
  const now = clock.wall()
  const at = nextOrder(attemptOf(store.record(name)?.attempts, wish)?.granted ?? [], now)
  if (at <= now) return
  throw new AcmeError(
    `${name} is asked for again ${new Date(at).toISOString()}: several came for it lately, and others ` +
      'took their place; perhaps another stack file uses the same directory of certificates ' +
      `(certificates:); hotpotato cert renew ${name} --force does not wait`,
    { retryAfter: at - now },
  )
}

/** Has the order of a certificate come to its end. An account that the server has forgotten is made anew. */
async function ordered(wanted: WantedCertificate, options: ObtainOptions): Promise<void> {
  const { server, store, wishes } = options
  const { name, names } = wanted
  const before = store.record(name)
  const { keyType, challenge, profile, ca } = wishes
  const ours = before?.directory === server.url && store.isOurs(name)
  const asked = { names, keyType, challenge, profile, ca, replaces: ours ? before.id : undefined }
  const shelf = store.order(name)
  const once = async (account: Account): Promise<unknown> => issue(asked, { ...options, account, shelf })
  const account = await Account.open(server, store.account(server.url), wishes)
  await once(account).catch(async (error: AcmeError) => {
    if (error.type !== 'accountDoesNotExist') throw error
    account.forget()
    // It was the order of that account.
    shelf.remove()
    await once(await Account.open(server, store.account(server.url), wishes))
  })
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
  const { window, retryAfter } = await suggested(server, id, record.window)
  const same =
    window !== undefined && window.start === record.window?.start && window.end === record.window.end
  const dates = { notBefore, notAfter }
  const by =
    window === undefined
      ? renewalOf(dates, chance())
      : Math.min(momentIn(window, chance()), lastMoment(dates))
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

/** What a server suggests, and when it wants to be asked again, in milliseconds. */
interface Suggestion {
  readonly window: SuggestedWindow | undefined
  readonly retryAfter: number | undefined
}

/** It is not asked for more than it offers. @param last what it suggested, which holds if it is silent now */
async function suggested(
  server: AcmeServer,
  id: string | undefined,
  last: SuggestedWindow | undefined,
): Promise<Suggestion> {
  try {
    const { renewalInfo } = await server.directory()
    if (renewalInfo === undefined || id === undefined) return { window: undefined, retryAfter: undefined }
    const { json, retryAfter } = await server.get(`${renewalInfo.replace(/\/$/, '')}/${id}`)
    return { window: readWindow(json), retryAfter }
  } catch (error) {
    if (!(error instanceof AcmeError)) throw error
    return { window: last, retryAfter: error.retryAfter }
  }
}
