import { ownUrl } from './directory.ts'
import { AcmeError } from './error.ts'
import { isFields, textOf } from './json.ts'
import { AccountKey, externalBinding, type PrivateJwk } from './jws.ts'
import type { AcmeServer, Signing } from './server.ts'

/** What its owner says of an account. */
export interface AccountWishes {
  /** Whom the authority writes to; undefined: as before, and to no address if there was none. */
  readonly email: string | undefined
  /** Whether its owner has read and accepts the authority's terms of service. */
  readonly agreeToTerms: boolean
  /** What binds it to one that is there already (RFC 8555 §7.3.4). */
  readonly externalAccount?: { readonly keyId: string; readonly secret: string } | undefined
}

/** An account, as it is kept: secret. */
export interface KeptAccount {
  readonly key: PrivateJwk
  /** Its URL; undefined: it has not been made, or it is not known that it was. */
  readonly url: string | undefined
  /** A key that is about to take the place of `key`, and may have done so. */
  readonly next: PrivateJwk | undefined
  readonly email: string | undefined
}

/** Where an account is kept. */
export interface AccountShelf {
  load(): KeptAccount | undefined
  /** What is saved is there after any end of the process. */
  save(account: KeptAccount): void
  remove(): void
}

/** An email address, as the `mailto` of a contact may have it: one, without header fields (RFC 8555 §7.3). */
export function isEmail(text: string): boolean {
  return text.length <= 254 && /^[^\s@,?<>"%]+@[^\s@,?<>"%]+\.[^\s@,?<>"%]+$/.test(text)
}

/** An account signs, by its URL. */
export interface AccountSigning extends Signing {
  readonly key: AccountKey
  readonly account: string
}

/** One account with one server. */
export class Account {
  readonly #server: AcmeServer
  readonly #shelf: AccountShelf
  #signing: AccountSigning

  private constructor(server: AcmeServer, shelf: AccountShelf, signing: AccountSigning) {
    this.#server = server
    this.#shelf = shelf
    this.#signing = signing
  }

  /** What signs its requests. */
  get signing(): AccountSigning {
    return this.#signing
  }

  get url(): string {
    return this.#signing.account
  }

  get thumbprint(): string {
    return this.#signing.key.thumbprint
  }

  /**
   * Takes the account that is kept, or makes one; and anew, with the same key, one that the server has
   * forgotten. The key is kept before the server hears of it: an end of the process in between makes no
   * second account.
   * @throws AcmeError the terms are not agreed to, or the server refuses
   */
  static async open(server: AcmeServer, shelf: AccountShelf, wishes: AccountWishes): Promise<Account> {
    return Account.#known(server, shelf, wishes).catch((error: AcmeError) => {
      if (error.type !== 'accountDoesNotExist') throw error
      forget(shelf)
      return Account.#known(server, shelf, wishes)
    })
  }

  static async #known(server: AcmeServer, shelf: AccountShelf, wishes: AccountWishes): Promise<Account> {
    let kept = shelf.load() ?? (await begin(shelf, wishes))
    kept = await settled(server, shelf, kept)
    const key = await AccountKey.from(kept.key)
    const { email = kept.email } = wishes
    const url = kept.url ?? (await register(server, key, { ...wishes, email }))
    if (url !== kept.url) shelf.save({ ...kept, url, email })
    const account = new Account(server, shelf, { key, account: url })
    if (kept.url !== undefined && kept.email !== email) await account.#tellContact(email)
    return account
  }

  async #tellContact(email: string | undefined): Promise<void> {
    await this.#server.post(this.url, { contact: contactOf(email) }, this.#signing)
    this.#shelf.save({ ...this.#shelf.load()!, email })
  }

  /**
   * Puts another key in the place of the account's (RFC 8555 §7.3.5). It is kept before it is sent, until the
   * server has said which of the two is good: now, at the next change, or as the account is opened again.
   * @throws AcmeError the server refuses, or it is not known yet
   */
  async rollOver(): Promise<void> {
    const kept = await settled(this.#server, this.#shelf, this.#shelf.load()!)
    this.#signing = { key: await AccountKey.from(kept.key), account: this.url }
    const next = await AccountKey.make()
    this.#shelf.save({ ...kept, next })
    await changeKey(this.#server, this.#signing, await AccountKey.from(next))
    this.#shelf.save({ ...kept, key: next, next: undefined })
    this.#signing = { key: await AccountKey.from(next), account: this.url }
  }

  /** The server does not know it: the next {@link open} makes it anew, with the same key. */
  forget(): void {
    forget(this.#shelf)
  }

  /** Ends the account, for ever (RFC 8555 §7.3.6). */
  async deactivate(): Promise<void> {
    await this.#server.post(this.url, { status: 'deactivated' }, this.#signing)
    this.#shelf.remove()
  }

  /** What the server says of it. */
  async status(): Promise<string> {
    const { json } = await this.#server.post(this.url, undefined, this.#signing)
    return (isFields(json) ? textOf(json.status, 32) : undefined) ?? 'unknown'
  }
}

async function begin(shelf: AccountShelf, { email }: AccountWishes): Promise<KeptAccount> {
  const account = { key: await AccountKey.make(), url: undefined, next: undefined, email }
  shelf.save(account)
  return account
}

/** Either key does for another account. */
function forget(shelf: AccountShelf): void {
  shelf.save({ ...shelf.load()!, url: undefined, next: undefined })
}

async function register(server: AcmeServer, key: AccountKey, wishes: AccountWishes): Promise<string> {
  const { newAccount, termsOfService, externalAccountRequired } = await server.directory()
  const { email, agreeToTerms, externalAccount } = wishes
  if (termsOfService !== undefined && !agreeToTerms)
    throw new AcmeError(
      `the terms of service are not agreed to; read ${termsOfService}, then say agreeToTerms: true in the ` +
        'stack file, or --agree-to-terms',
    )
  if (externalAccountRequired && externalAccount === undefined)
    throw new AcmeError(
      'this authority wants an external account binding: give the key id and the key that it has given you',
    )
  const binding =
    externalAccount === undefined
      ? {}
      : { externalAccountBinding: await externalBinding(key.jwk, externalAccount, newAccount) }
  const wanted = { contact: contactOf(email), termsOfServiceAgreed: agreeToTerms, ...binding }
  const { location } = await server.post(newAccount, wanted, { key })
  if (location === undefined) throw new AcmeError(`${newAccount} names no account (RFC 8555 §7.3)`)
  return ownUrl(location, 'an account', server.url)
}

function contactOf(email: string | undefined): string[] {
  return email === undefined ? [] : [`mailto:${email}`]
}

/** RFC 8555 §7.3.5: the new key signs that it is to replace the old one, which signs that in turn. */
async function changeKey(server: AcmeServer, old: AccountSigning, next: AccountKey): Promise<void> {
  const { keyChange } = await server.directory()
  const inner = await next.sign(
    { jwk: next.jwk, url: keyChange },
    { account: old.account, oldKey: old.key.jwk },
  )
  await server.post(keyChange, inner, old)
}

/**
 * A change of keys whose answer was lost has happened, or has not: the server is asked with both. A refusal
 * may have another reason than the key; so the next one goes only if the one before is accepted.
 */
async function settled(server: AcmeServer, shelf: AccountShelf, kept: KeptAccount): Promise<KeptAccount> {
  const { next, url } = kept
  if (next === undefined || url === undefined) return kept
  const accepts = async (jwk: PrivateJwk): Promise<void> => {
    await server.post(url, undefined, { key: await AccountKey.from(jwk), account: url })
  }
  const changed = await accepts(next).then(
    () => true,
    () => accepts(kept.key).then(() => false),
  )
  const now = { ...kept, key: changed ? next : kept.key, next: undefined }
  shelf.save(now)
  return now
}
