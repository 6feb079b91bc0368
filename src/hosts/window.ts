/** Bytes of a span that may be on their way in one direction, and one read more. */
export const WINDOW = 2 ** 18

/** How many bytes of one direction of a span are on their way, as its sender knows. */
export class SendWindow {
  #underway = 0

  /** Whether more may be sent. */
  get open(): boolean {
    return this.#underway < WINDOW
  }

  sent(bytes: number): void {
    this.#underway += bytes
  }

  /** The other side has passed so many on. @throws RangeError more than were sent */
  credited(bytes: number): void {
    if (bytes > this.#underway) throw new RangeError(`a credit of ${bytes} for ${this.#underway} bytes`)
    this.#underway -= bytes
  }
}

/** What the receiver of one direction owes its sender: credit is given in portions. */
export class ReceiveWindow {
  #underway = 0
  #owed = 0

  /** Bytes that have come and for which no credit was given. @throws RangeError more than may be sent */
  came(bytes: number, longestRead: number): void {
    if (this.#underway >= WINDOW || bytes > longestRead)
      throw new RangeError(`${bytes} bytes more than the ${this.#underway} that are underway`)
    this.#underway += bytes
  }

  /** So many were passed on. @returns the credit that is to be given now; 0: none yet */
  passed(bytes: number): number {
    this.#owed += bytes
    if (this.#owed < WINDOW / 4) return 0
    const credit = this.#owed
    this.#owed = 0
    this.#underway -= credit
    return credit
  }
}

/** Sessions whose revisions are remembered. */
const REMEMBERED = 10_000

/** The highest revision by which each session was claimed: who brings a lower one is late. */
export class Fence {
  /** The oldest first. */
  readonly #revisions = new Map<string, number>()

  /** Whether a claim of that session is newer than all before. */
  admits(sessionId: string, revision: number): boolean {
    if (revision <= (this.#revisions.get(sessionId) ?? 0)) return false
    this.#revisions.delete(sessionId)
    this.#revisions.set(sessionId, revision)
    if (this.#revisions.size > REMEMBERED) this.#revisions.delete(this.#revisions.keys().next().value!)
    return true
  }
}
