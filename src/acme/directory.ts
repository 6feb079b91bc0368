import { AcmeError } from './error.ts'
import { type Fields, isFields, listOf, textOf } from './json.ts'

/** Where a server does what, and on which terms (RFC 8555 §7.1.1). */
export interface Directory {
  readonly newNonce: string
  readonly newAccount: string
  readonly newOrder: string
  readonly revokeCert: string
  readonly keyChange: string
  /** Where it says when a certificate is best renewed (RFC 9773 §4.1); undefined: it does not. */
  readonly renewalInfo: string | undefined
  readonly termsOfService: string | undefined
  readonly externalAccountRequired: boolean
  /** What each profile is (draft-aaron-acme-profiles §3), by name. */
  readonly profiles: ReadonlyMap<string, string>
}

const MOST_PROFILES = 64

/**
 * A URL that a server has given, if it leads to the same server. Each request is signed and says who we are:
 * none goes to another server because one of them asks for it.
 * @throws AcmeError
 */
export function ownUrl(value: unknown, what: string, directory: string): string {
  const text = textOf(value)
  if (text === undefined || !URL.canParse(text)) throw new AcmeError(`the server gives no URL for ${what}`)
  const { origin } = new URL(directory)
  const found = new URL(text)
  if (found.origin !== origin || found.username !== '' || found.password !== '')
    throw new AcmeError(`the server leads to ${found.origin} for ${what}; only ${origin} is asked`)
  return text
}

/** @param url of the directory itself @throws AcmeError what came is none */
export function readDirectory(value: unknown, url: string): Directory {
  if (!isFields(value)) throw new AcmeError(`${url} is no ACME directory`)
  const own = (name: string): string => {
    if (value[name] === undefined) throw new AcmeError(`${url} is no ACME directory: it has no ${name}`)
    return ownUrl(value[name], name, url)
  }
  const meta: Fields = isFields(value.meta) ? value.meta : {}
  return {
    newNonce: own('newNonce'),
    newAccount: own('newAccount'),
    newOrder: own('newOrder'),
    revokeCert: own('revokeCert'),
    keyChange: own('keyChange'),
    renewalInfo: value.renewalInfo === undefined ? undefined : own('renewalInfo'),
    termsOfService: textOf(meta.termsOfService),
    externalAccountRequired: meta.externalAccountRequired === true,
    profiles: profilesOf(meta.profiles),
  }
}

function profilesOf(value: unknown): ReadonlyMap<string, string> {
  if (!isFields(value)) return new Map()
  const read = (one: unknown): readonly [string, string] | undefined => {
    const [name, text] = one as [string, unknown]
    return name.length > 64 ? undefined : [name, textOf(text) ?? '']
  }
  return new Map(listOf(Object.entries(value), MOST_PROFILES, read) ?? [])
}
