import { createHash } from 'node:crypto'
import type { Credential } from '../../sealed/credential.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import { equal } from '../../wire/index.ts'

/** Workers that one container has at a time, each with the function open. */
const WORKERS = 16
/** Where no key is remembered: milliseconds for which requests join a worker that is there. */
const JOINED = 60_000

/** A worker as its place sees it. */
export interface Placeable {
  readonly ended: boolean
  end(): void
}

/** A worker, and the requests that use it. */
export interface Place<Worker extends Placeable> {
  readonly worker: Worker
  /** Settled when it has opened the bundle, or cannot. */
  readonly opened: Promise<unknown>
  /** Of what it was opened with, by which the next request is known: the worker alone keeps the key. */
  readonly fingerprint: Uint8Array
}

interface Held<Worker extends Placeable> extends Place<Worker> {
  readonly since: number
  readonly timer: Timer
  uses: number
}

/**
 * The workers of a sealed function. Where no key is remembered, a worker ends with the last request that uses
 * it, and no request joins it after a minute. Otherwise it ends so long after its last request as its key is
 * remembered, or earlier when another key needs its place.
 */
export class Places<Worker extends Placeable> {
  readonly #clock: Clock
  readonly #milliseconds: number
  /** Of those that wait, those that have waited longest come first. */
  readonly #held = new Set<Held<Worker>>()

  /** @param milliseconds that a worker waits after its last request; 0: it does not */
  constructor(clock: Clock, milliseconds: number) {
    this.#clock = clock
    this.#milliseconds = milliseconds
  }

  /** The place whose worker has the bundle open with that credential, for one more request to use. */
  join(credential: Credential): Place<Worker> | undefined {
    const now = this.#clock.steady()
    const wanted = fingerprintOf(credential)
    for (const place of this.#held) {
      const { fingerprint, worker, since } = place
      if (worker.ended) continue
      if (this.#milliseconds === 0 && now - since > JOINED) continue
      if (equal(fingerprint, wanted)) return this.#use(place)
    }
    return undefined
  }

  /** Makes room for one more worker. @returns false: requests use all that there may be */
  makeRoom(): boolean {
    for (const place of this.#held) if (place.worker.ended) this.end(place)
    if (this.#held.size < WORKERS) return true
    const idle = [...this.#held].find(place => place.uses === 0)
    if (idle !== undefined) this.end(idle)
    return idle !== undefined
  }

  /** A place for a worker, which one request uses. @param credential is not kept */
  add(worker: Worker, opened: Promise<unknown>, credential: Credential): Place<Worker> {
    const place: Held<Worker> = {
      worker,
      opened,
      fingerprint: fingerprintOf(credential),
      since: this.#clock.steady(),
      timer: this.#clock.timer(() => this.end(place)).unref(),
      uses: 0,
    }
    this.#held.add(place)
    return this.#use(place)
  }

  /** One of the requests that use it is over. */
  release(one: Place<Worker>): void {
    const place = one as Held<Worker>
    place.uses--
    if (place.uses > 0) return
    if (this.#milliseconds === 0 || place.worker.ended) {
      this.end(place)
      return
    }
    place.timer.after(this.#milliseconds)
    this.#held.delete(place)
    this.#held.add(place)
  }

  /** Ends its worker, and with it the key. */
  end(one: Place<Worker>): void {
    const place = one as Held<Worker>
    place.timer.stop()
    this.#held.delete(place)
    place.worker.end()
  }

  endAll(): void {
    for (const place of this.#held) this.end(place)
  }

  #use(place: Held<Worker>): Held<Worker> {
    place.timer.stop()
    place.uses++
    return place
  }
}

/** SHA-256 of a key and its kind. Both kinds have 256 random bits: it cannot be guessed from that. */
function fingerprintOf({ kind, key }: Credential): Uint8Array {
  return createHash('sha256').update(`${kind} `).update(key).digest()
}
