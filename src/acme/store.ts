import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { makeDirectory } from '../certificates/directory.ts'
import { replaceFile, replacePair, unwritable } from '../certificates/files.ts'
import { describeIssued, IssuedError } from '../certificates/issued.ts'
import type { ChallengeType, LeafKey } from '../platform/acme-settings.ts'
import type { AccountShelf, KeptAccount } from './account.ts'
import { type Attempt, withGrant } from './attempts.ts'
import { AcmeError } from './error.ts'
import type { KeptOrder, OrderShelf } from './issue.ts'
import { isFields } from './json.ts'
import type { SuggestedWindow } from './renewal.ts'

/** How a certificate was asked for, as far as its renewal needs it. */
export interface Ordered {
  readonly keyType: LeafKey
  readonly challenge: ChallengeType
  readonly profile: string | undefined
  /** File of the authorities to trust for the server; undefined: those that Node trusts. */
  readonly ca: string | undefined
}

/**
 * What is kept of a certificate besides itself. Nothing of it is secret. Until one has come, authority and
 * hosts are those of the first wish.
 */
export interface CertificateRecord {
  readonly directory: string
  readonly names: readonly string[]
  /** Undefined: it is not known any more. */
  readonly ordered: Ordered | undefined
  /** SHA-256 of what was put into its place; undefined: nothing was yet. */
  readonly fingerprint: string | undefined
  /** Milliseconds since 1970. */
  readonly notBefore: number | undefined
  readonly notAfter: number | undefined
  /** Its name in questions about its renewal (RFC 9773 §4.1). */
  readonly id: string | undefined
  /** When it is renewed, and what the server suggests. */
  readonly renewAt: number | undefined
  readonly window: SuggestedWindow | undefined
  /** When the server is asked again what it suggests. */
  readonly lookAt: number | undefined
  /** What became of each wish for these files, the newest last. */
  readonly attempts: readonly Attempt[]
}

export const NO_CERTIFICATE = {
  ordered: undefined,
  fingerprint: undefined,
  notBefore: undefined,
  notAfter: undefined,
  id: undefined,
  renewAt: undefined,
  window: undefined,
  lookAt: undefined,
  attempts: [],
} as const satisfies Omit<CertificateRecord, 'directory' | 'names'>

/**
 * What is kept of accounts, orders and certificates: files of JSON in `acme` of the directory of
 * certificates, which is 0700, as each file is 0600. Each is written beside its place and renamed: any end of
 * the process leaves the old one or the new one.
 */
export class AcmeStore {
  readonly #certificates: string
  readonly directory: string

  /** @param certificates the directory, absolute */
  constructor(certificates: string) {
    this.#certificates = certificates
    this.directory = join(certificates, 'acme')
  }

  /** Makes the directory if it is not there. @throws CertificateError it cannot be made */
  open(): this {
    try {
      makeDirectory(this.directory)
    } catch (error) {
      throw unwritable(this.directory, error)
    }
    return this
  }

  /** The account with one server. @param url of its directory */
  account(url: string): AccountShelf {
    const file = this.#file(`account-${keyOf(url)}`)
    return {
      load: () => this.#load<KeptAccount & { readonly directory: string }>(file),
      save: account => this.#save(file, { directory: url, ...account }),
      remove: () => rmSync(file, { force: true }),
    }
  }

  /** The order that is underway for a certificate. @param name of its files */
  order(name: string): OrderShelf {
    const file = this.#file(`${name}.order`)
    return {
      load: () => this.#load<KeptOrder>(file),
      save: order => this.#save(file, order),
      remove: () => rmSync(file, { force: true }),
    }
  }

  /** Of the certificates that were asked for, in order. */
  names(): string[] {
    if (!existsSync(this.directory)) return []
    const found = readdirSync(this.directory).flatMap(
      file => /^([a-z0-9-]+)\.certificate\.json$/.exec(file)?.[1] ?? [],
    )
    return found.sort()
  }

  record(name: string): CertificateRecord | undefined {
    const kept = this.#load<CertificateRecord>(this.#file(`${name}.certificate`))
    return kept && { ...NO_CERTIFICATE, ...kept }
  }

  saveRecord(name: string, record: CertificateRecord): void {
    this.#save(this.#file(`${name}.certificate`), record)
  }

  /**
   * Puts what an order has brought into its place, if it has; and that is the end of the order. A process
   * that was ended in between has left a key beside the certificate of another one: that is mended here, too.
   * @param now milliseconds since 1970
   * @returns the files in which what was there is kept, if it was not of an authority of the web; undefined:
   * there is nothing to put
   * @throws CertificateError it cannot be written
   */
  settle(name: string, now: number): readonly string[] | undefined {
    const shelf = this.order(name)
    const order = shelf.load()
    if (order?.chain === undefined) return undefined
    const { fingerprint, notBefore, notAfter } = describeIssued(order.chain)
    const ours = this.isOurs(name) || this.#fingerprintOf(name) === fingerprint
    const kept = replacePair(
      this.#certificates,
      name,
      { key: order.privateKey, certificate: order.chain },
      !ours,
    )
    const { directory, names, keyType, challenge, profile, ca } = order
    const attempts = withGrant(this.record(name)?.attempts ?? [], { directory, names }, now)
    const ordered = { keyType, challenge, profile, ca }
    const found = { fingerprint, notBefore, notAfter }
    this.saveRecord(name, { ...NO_CERTIFICATE, directory, names, ordered, ...found, attempts })
    shelf.remove()
    return kept
  }

  /** Whether what is in its place has come from an order. */
  isOurs(name: string): boolean {
    const fingerprint = this.record(name)?.fingerprint
    return fingerprint !== undefined && this.#fingerprintOf(name) === fingerprint
  }

  /** The certificate in its place, PEM; undefined: there is none. */
  certificate(name: string): string | undefined {
    const file = join(this.#certificates, `${name}.crt`)
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined
  }

  #fingerprintOf(name: string): string | undefined {
    const text = this.certificate(name)
    if (text === undefined) return undefined
    try {
      return describeIssued(text).fingerprint
    } catch (error) {
      if (!(error instanceof IssuedError)) throw error
      return undefined
    }
  }

  #file(name: string): string {
    return join(this.directory, `${name}.json`)
  }

  #save(file: string, value: object): void {
    this.open()
    try {
      replaceFile(file, `${JSON.stringify(value, undefined, 2)}\n`, 0o600)
    } catch (error) {
      throw unwritable(file, error)
    }
  }

  #load<T>(file: string): T | undefined {
    let text: string
    try {
      text = readFileSync(file, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new AcmeError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
    }
    const value = parsed(text)
    if (!isFields(value)) throw new AcmeError(`${file} is damaged: put it aside, and it is made anew`)
    return value as T
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A file name for a URL: its host to be read, and a hash to be sure. */
function keyOf(url: string): string {
  const hash = createHash('sha256').update(url).digest('hex').slice(0, 12)
  return `${new URL(url).hostname.replace(/[^a-z0-9.-]/g, '')}-${hash}`
}
