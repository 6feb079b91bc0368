import type { Problem } from './problem.ts'

/** Bytes that connections of one process may hold together by default. */
export const DEFAULT_MEMORY = 134_217_728

/** What holds memory because of one client: a connection, as a rule. */
export interface Holder {
  /** Bytes that it holds now. */
  weigh(): number
  /** Bytes that have come from the client and gone to it so far; it never falls. */
  readonly progress: number
  /**
   * Gives up what it holds, in the best order that is still possible.
   * @returns false if it cannot now: its connection is on its way to another process
   */
  shed(): boolean
}

/** Milliseconds after which a new sample of a client's progress begins; its rate is that of the last two. */
const SAMPLE = 5000
/** The part of the limit that is free when a connection had to go. */
const MARGIN = 16
/** Milliseconds until it is tried again when all that is held is of those who cannot give it up now. */
const PAUSE = 50
/** Who holds less than this part of the mean makes no room, and goes last. */
const NEGLIGIBLE = 1 / 64
/** Bytes a second that are added to every rate: below it, clients are equally slow. */
const SLOW = 1024

/**
 * What all connections of one process hold together, and who goes when that is too much: the one that has
 * held most for longest and has the lowest rate. It has no clock: every `now` is milliseconds of one that
 * does not go back.
 */
export class MemoryBudget {
  readonly limit: number
  /** Accounts that hold something. */
  readonly #holding = new Set<Account>()
  #held = 0
  #shed = 0
  #making = false
  #nextTry = Number.NEGATIVE_INFINITY

  /** @param limit bytes; 0: none */
  constructor(limit: number = DEFAULT_MEMORY) {
    this.limit = limit
  }

  /** Bytes that are held now, as far as they have been {@link Account.weigh | weighed}. */
  get held(): number {
    return this.#held
  }

  /** Connections that had to give up what they held. */
  get shed(): number {
    return this.#shed
  }

  open(holder: Holder): Account {
    return new Account(this, holder)
  }

  /** For accounts alone. */
  changed(account: Account, by: number, now: number): void {
    this.#held += by
    if (account.held > 0) this.#holding.add(account)
    else this.#holding.delete(account)
    if (by > 0 && this.limit > 0 && this.#held > this.limit && !this.#making) this.#makeRoom(now)
  }

  #makeRoom(now: number): void {
    if (now < this.#nextTry) return
    this.#making = true
    const before = this.#held
    try {
      // Clients may have taken since what was held for them then.
      for (const account of [...this.#holding]) account.weigh(now)
      if (this.#held <= this.limit) return
      // A little more than it takes, so that not every byte that comes then ends another connection.
      const target = this.limit - this.limit / MARGIN
      const least = (this.#held / this.#holding.size) * NEGLIGIBLE
      const order = Array.from(this.#holding, account => ({
        account,
        cost: account.held < least ? 0 : account.cost(now),
      }))
      // Of equal costs the one that holds most: what has come just now has cost nothing yet.
      for (const { account } of order.sort((a, b) => b.cost - a.cost || b.account.held - a.account.held)) {
        if (this.#held <= target) return
        const held = account.held
        if (!account.holder.shed()) continue
        account.weigh(now)
        if (account.held < held) this.#shed++
      }
    } finally {
      this.#making = false
      if (this.#held >= before) this.#nextTry = now + PAUSE
    }
  }
}

/** What one holder has of a {@link MemoryBudget}. */
export class Account {
  readonly holder: Holder
  readonly #budget: MemoryBudget
  #held = 0
  /** The mean of the moments since when each byte is held. */
  #since = 0
  #closed = false
  /** Progress at the beginning of this sample and of the one before. */
  #sampled: number
  #sampledAt = Number.NEGATIVE_INFINITY
  #before: number
  #beforeAt = Number.NEGATIVE_INFINITY

  constructor(budget: MemoryBudget, holder: Holder) {
    this.#budget = budget
    this.holder = holder
    this.#sampled = this.#before = holder.progress
  }

  /** Bytes, when it was weighed last. */
  get held(): number {
    return this.#held
  }

  /**
   * Finds out what is held now. If it is too much for all together, one of them has to {@link Holder.shed},
   * perhaps this one, before it returns.
   */
  weigh(now: number): void {
    if (this.#closed) return
    this.#sample(now)
    this.#set(this.holder.weigh(), now)
  }

  /** Nothing is held any more, nor will be. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#set(0, 0)
  }

  /** Byte-seconds that it has cost so far, for each byte a second that its client moves. */
  cost(now: number): number {
    const seconds = Math.max(0, now - this.#since) / 1000
    return (this.#held * seconds) / (this.#rate(now) + SLOW)
  }

  #set(bytes: number, now: number): void {
    const before = this.#held
    if (bytes === before) return
    // What has been added is held since now, and the rest as long as before.
    if (bytes > before) this.#since = (this.#since * before + now * (bytes - before)) / bytes
    this.#held = bytes
    this.#budget.changed(this, bytes - before, now)
  }

  #sample(now: number): void {
    if (now - this.#sampledAt < SAMPLE) return
    this.#before = this.#sampled
    this.#beforeAt = this.#sampledAt
    this.#sampled = this.holder.progress
    this.#sampledAt = now
  }

  /** Bytes a second. */
  #rate(now: number): number {
    const [from, at] = Number.isFinite(this.#beforeAt)
      ? [this.#before, this.#beforeAt]
      : [this.#sampled, this.#sampledAt]
    return Number.isFinite(at) ? ((this.holder.progress - from) * 1000) / Math.max(1000, now - at) : 0
  }
}

/**
 * The answer to a request that was given up for the memory that it held: 503 with Retry-After (RFC 9110
 * §15.6.4).
 * @param setting the limit's key in the configuration
 */
export function memoryProblem(setting: string, limit: number): Problem {
  return {
    name: 'memory-limit',
    status: 503,
    detail:
      `all connections together hold the limit of ${limit} bytes, ` +
      'and this one has held the most for the longest',
    extensions: { setting, bytes: limit },
    headers: [['retry-after', '1']],
  }
}
