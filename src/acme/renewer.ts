import type { WantedCertificate } from '../platform/acme-settings.ts'
import type { Clock, Timer } from '../time/clock.ts'
import { reasonOf } from '../wire/thrown.ts'
import { attemptOf, sameWish } from './attempts.ts'
import { look, type ObtainOptions, obtain } from './obtain.ts'
import { mayLook, mayTryAgain } from './renewal.ts'
import type { CertificateRecord } from './store.ts'

/** Milliseconds between two looks at the certificates, however far away the next renewal is. */
const PERIOD = 60_000
/** The same while another process asks for certificates there. */
const HELD = 2000

/** What a renewer tells. */
export interface RenewerNews {
  /**
   * Another certificate than the one that is in use is in its place, whichever process has put it there.
   * @param fingerprint SHA-256 of it
   */
  installed(name: string, fingerprint: string): void
  failed(name: string, message: string): void
  said(name: string, what: string): void
}

export interface RenewerOptions extends Omit<ObtainOptions, 'report' | 'byHand'> {
  readonly certificates: readonly WantedCertificate[]
  readonly news: RenewerNews
  /** SHA-256 of the certificates that are in use, by name: what another one is told from. */
  readonly taken: Readonly<Record<string, string>>
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
  const wish = { directory, names: wanted.names }
  const attempt = attemptOf(record?.attempts, wish)
  const past = (moment: number | undefined): boolean => moment !== undefined && moment <= now
  const good = there && record !== undefined && sameWish(record, wish) && !past(record.notAfter)
  // A renewal that has failed is not in its place, whatever is there.
  if (!good || attempt?.tryAt !== undefined || past(record.renewAt))
    return mayTryAgain(attempt?.tryAt, attempt?.error?.at, now) ? 'obtain' : undefined
  return record.renewAt === undefined || mayLook(record.lookAt, now) ? 'look' : undefined
}

/** Keeps certificates good: one after the other, and never two processes at a time. */
export class Renewer {
  readonly #options: RenewerOptions
  readonly #clock: Clock
  readonly #timer: Timer
  /** What the platform has of each name. */
  readonly #taken: Map<string, string>
  /** Names that are to be renewed now, whatever their dates. */
  readonly #forced = new Set<string>()
  /** What was last told to have failed, by name: the same is not told each minute. */
  readonly #told = new Map<string, string>()
  #working = false
  #ended = false

  constructor(options: RenewerOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#timer = options.clock.timer(() => void this.work())
    this.#taken = new Map(Object.entries(options.taken))
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
      try {
        held = !(await this.#look(wanted)) || held
        this.#told.delete(wanted.name)
      } catch (error) {
        this.#broken(wanted.name, reasonOf(error))
      }
      if (this.#ended) break
    }
    this.#working = false
    if (!this.#ended) this.#timer.after(this.#forced.size > 0 && !held ? 1 : held ? HELD : PERIOD)
  }

  /** @returns false if another process works there @throws Error what is kept cannot be read */
  async #look(wanted: WantedCertificate): Promise<boolean> {
    this.#notice(wanted)
    return this.#due(wanted) === undefined || this.#options.alone(() => this.#one(wanted))
  }

  /** What is kept of one certificate is of no use: others are looked at all the same. */
  #broken(name: string, message: string): void {
    const asked = this.#forced.delete(name)
    if (!asked && this.#told.get(name) === message) return
    this.#told.set(name, message)
    this.#options.news.failed(name, message)
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
    const byHand = this.#forced.delete(name)
    try {
      const report = (what: string): void => news.said(name, what)
      if (due === 'obtain') await obtain(wanted, { ...this.#options, report, byHand })
      if (due === 'look') await look(name, this.#options)
    } catch (error) {
      news.failed(name, reasonOf(error))
    }
    this.#notice(wanted)
  }

  /** Tells of a certificate that is another one than before, unless it is for others: it would not do. */
  #notice({ name, names }: WantedCertificate): void {
    const { store, news } = this.#options
    const record = store.record(name)
    const fingerprint = record?.fingerprint
    if (fingerprint === undefined || fingerprint === this.#taken.get(name) || !store.isOurs(name)) return
    if (!names.every(one => record!.names.includes(one))) return
    this.#taken.set(name, fingerprint)
    news.installed(name, fingerprint)
  }
}
