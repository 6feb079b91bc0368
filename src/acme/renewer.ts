import type { WantedCertificate } from '../platform/acme-settings.ts'
import type { Clock, Timer } from '../time/clock.ts'
import type { AcmeError } from './error.ts'
import { look, type ObtainOptions, obtain } from './obtain.ts'
import { mayLook, mayTryAgain } from './renewal.ts'
import type { CertificateRecord } from './store.ts'

/** Milliseconds between two looks at the certificates, however far away the next renewal is. */
const PERIOD = 60_000
/** The same while another process asks for certificates there. */
const HELD = 2000

/** What a renewer tells. */
export interface RenewerNews {
  /** Another certificate is in its place, whichever process has put it there. */
  installed(name: string): void
  failed(name: string, message: string): void
  said(name: string, what: string): void
}

export interface RenewerOptions extends Omit<ObtainOptions, 'report'> {
  readonly certificates: readonly WantedCertificate[]
  readonly news: RenewerNews
  /**
   * Lets at most one process of the machine do something with the certificates of a directory at a time.
   * @returns false if another one does
   */
  readonly alone: (work: () => Promise<void>) => Promise<boolean>
}

/** What is due for a certificate. */
export type Due = 'obtain' | 'look' | undefined

/**
 * What is due for a certificate now.
 * @param record what is kept of it @param there whether what is in its place has come from an order
 * @param directory the URL of the one that is asked now
 */
export function dueNow(
  wanted: WantedCertificate,
  record: CertificateRecord | undefined,
  there: boolean,
  directory: string,
  now: number,
): Due {
  if (record === undefined) return 'obtain'
  const asked = record.directory === directory && sameNames(record.names, wanted.names)
  if (!asked) return 'obtain'
  const { renewAt, lookAt, notAfter, tryAt } = record
  const past = (moment: number | undefined): boolean => moment !== undefined && moment <= now
  // What has failed is not in its place, whatever is there: a certificate for other names, or an older one.
  if (!there || tryAt !== undefined || past(renewAt) || past(notAfter))
    return mayTryAgain(tryAt, now) ? 'obtain' : undefined
  return renewAt === undefined || mayLook(lookAt, now) ? 'look' : undefined
}

function sameNames(one: readonly string[], other: readonly string[]): boolean {
  return JSON.stringify([...one].sort()) === JSON.stringify([...other].sort())
}

/** Keeps certificates good: one after the other, and never two processes at a time. */
export class Renewer {
  readonly #options: RenewerOptions
  readonly #clock: Clock
  readonly #timer: Timer
  readonly #seen = new Map<string, string | undefined>()
  /** Names that are to be renewed now, whatever their dates. */
  readonly #forced = new Set<string>()
  #working = false
  #ended = false

  constructor(options: RenewerOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#timer = options.clock.timer(() => void this.work())
    for (const { name } of options.certificates) this.#seen.set(name, this.#fingerprint(name))
  }

  /** Looks at all certificates now, and from now on again and again. */
  start(): void {
    this.#timer.after(1)
  }

  stop(): void {
    this.#ended = true
    this.#timer.stop()
  }

  /** Renews these at once. @param names undefined: all */
  force(names: readonly string[] | undefined): void {
    for (const { name } of this.#options.certificates)
      if (names?.includes(name) ?? true) this.#forced.add(name)
    this.start()
  }

  /** Does what is due. Does not throw. */
  async work(): Promise<void> {
    if (this.#working || this.#ended) return
    this.#working = true
    let held = false
    for (const wanted of this.#options.certificates) {
      this.#notice(wanted.name)
      if (this.#due(wanted) === undefined) continue
      const did = await this.#options.alone(() => this.#one(wanted))
      held ||= !did
      if (this.#ended) break
    }
    this.#working = false
    if (!this.#ended) this.#timer.after(this.#forced.size > 0 && !held ? 1 : held ? HELD : PERIOD)
  }

  #due(wanted: WantedCertificate): Due {
    if (this.#forced.has(wanted.name)) return 'obtain'
    const { store, server } = this.#options
    const { name } = wanted
    return dueNow(wanted, store.record(name), store.isOurs(name), server.url, this.#clock.wall())
  }

  async #one(wanted: WantedCertificate): Promise<void> {
    const { news } = this.#options
    const { name } = wanted
    // Another process may have done it meanwhile.
    const due = this.#due(wanted)
    this.#forced.delete(name)
    try {
      const report = (what: string): void => news.said(name, what)
      if (due === 'obtain') await obtain(wanted, { ...this.#options, report })
      if (due === 'look') await look(name, this.#options)
    } catch (error) {
      news.failed(name, (error as AcmeError).message)
    }
    this.#notice(name)
  }

  /** Tells of a certificate that is another one than before. */
  #notice(name: string): void {
    const now = this.#fingerprint(name)
    if (now === undefined || now === this.#seen.get(name)) return
    this.#seen.set(name, now)
    this.#options.news.installed(name)
  }

  #fingerprint(name: string): string | undefined {
    const { store } = this.#options
    return store.isOurs(name) ? store.record(name)?.fingerprint : undefined
  }
}
