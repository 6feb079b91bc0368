import type { CryptoProvider } from '../../tls13/crypto/provider.ts'
import { hkdfExpand } from '../../tls13/key-schedule.ts'
import {
  decode,
  encode,
  fixed,
  hex,
  secret,
  struct,
  type TypeOf,
  uint32,
  utf8,
  vector,
} from '../../wire/index.ts'

/** Bytes of the name of who made a secret. */
export const ORIGIN_LENGTH = 8
const SECRET_LENGTH = 32
/**
 * Secrets kept: those of all replicas of a function, and of their predecessors that have died lately. A
 * function that sleeps and wakes has a new one every time; with the default lifetime there is room for one
 * every other second.
 */
const MOST_ORIGINS = 8192
/**
 * Epochs by which a secret from elsewhere may lag: its maker may have told it just before the turn of one.
 */
const SLACK = 2
/** Epochs that are caught up with at once, about 13 µs each. */
const CATCH_UP = 64

/** One container's secret, as the others of its function know it. */
export const RingSecret = struct('RingSecret', {
  /** Random; made anew with every start. */
  origin: fixed(ORIGIN_LENGTH),
  /** Of `secret`: each follows from the one before, and not the other way round. */
  epoch: uint32,
  secret: secret(fixed(SECRET_LENGTH)),
  /** The last epoch in which its maker is known to have been alive. */
  aliveEpoch: uint32,
})
export type RingSecret = TypeOf<typeof RingSecret>

/** What those who keep a ring tell each other, sealed: the whole ring. */
export const SharedRing = struct('SharedRing', { secrets: vector(RingSecret, 0, 2 ** 24 - 1) })

/** What a ring is sealed for, in the place of a session: its id is the label that tells it from others. */
export const KEYS = { sessionId: utf8('hotpotato keys/2'), generation: 0 } as const

/** How long secrets are of use. */
export interface RingOptions {
  /** Seconds for which a key is used before the next one takes its place. */
  readonly rotationSeconds: number
  /** Seconds for which what was sealed must be opened. */
  readonly lifetimeSeconds: number
  /** Milliseconds of a clock that only goes forward and that all who keep the ring have in common. */
  readonly now: () => number
}

/**
 * The secrets that the containers of one function share, by who made them. There is no leader and nothing to
 * agree on: rings are merged like sets.
 *
 * Time is cut into epochs of `rotationSeconds`. A secret becomes the next epoch's by HKDF-Expand, and those
 * that nothing can be open under any more are wiped: an attacker who has the ring tomorrow cannot open what
 * was sealed yesterday.
 */
export class Ring {
  readonly #provider: CryptoProvider
  readonly #options: RingOptions
  /** The latest epoch there has been: should the clock go back, it does not. */
  #latest = 0
  /** The epoch in which what is not needed has been let go of; undefined if something is new since. */
  #turned: number | undefined
  readonly #secrets = new Map<string, RingSecret>()

  constructor(provider: CryptoProvider, { rotationSeconds, lifetimeSeconds, now }: RingOptions) {
    this.#provider = provider
    this.#options = { rotationSeconds, lifetimeSeconds, now }
  }

  /** Makes a secret, which the ring then has. */
  make(): RingSecret {
    const { random } = this.#provider
    const { epoch } = this
    const made = { origin: random(ORIGIN_LENGTH), epoch, secret: random(SECRET_LENGTH), aliveEpoch: epoch }
    this.#secrets.set(hex(made.origin), made)
    this.#turned = undefined
    return made
  }

  /** Whose secrets are known. */
  get size(): number {
    this.turn()
    return this.#secrets.size
  }

  /** The secret of who has that name, as it is now; undefined if it is not known any more. */
  find(origin: Uint8Array): RingSecret | undefined {
    return this.#secrets.get(hex(origin))
  }

  /** The ring as bytes, for another one that keeps it: they are secret. */
  share(): Uint8Array {
    this.turn()
    return encode(SharedRing, { secrets: [...this.#secrets.values()] })
  }

  /**
   * Takes what another one knows.
   * @param own a secret whose maker we are: only we know that it lives
   * @returns whether there was something new in it @throws DecodeError for bytes that are no ring
   */
  merge(bytes: Uint8Array, own?: RingSecret): boolean {
    const { secrets } = decode(SharedRing, bytes)
    this.turn()
    let news = false
    for (const one of secrets) {
      const known = this.#secrets.get(hex(one.origin))
      // What is ahead of our time must not make us forget, nor what is far behind it make us work.
      if (one.aliveEpoch > this.epoch + 1 || one.epoch > this.epoch + 1 || this.#isOver(one)) continue
      if (this.#behind(one) > SLACK) continue
      if (known === undefined) {
        if (this.#secrets.size >= MOST_ORIGINS) continue
        this.#secrets.set(hex(one.origin), one)
        this.#turned = undefined
        news = true
      } else if (known !== own && one.aliveEpoch > known.aliveEpoch) {
        known.aliveEpoch = one.aliveEpoch
        news = true
      }
    }
    this.turn()
    return news
  }

  /** The span of time that it is now. */
  get epoch(): number {
    const { now, rotationSeconds } = this.#options
    this.#latest = Math.max(this.#latest, Math.floor(now() / 1000 / rotationSeconds))
    return this.#latest
  }

  /** Lets go of what is not needed any more. */
  turn(): void {
    const { epoch } = this
    if (this.#turned === epoch) return
    this.#turned = epoch
    for (const [name, one] of this.#secrets) {
      // What has slept for so long is told again by its maker.
      if (this.#isOver(one) || this.#behind(one) > CATCH_UP) {
        one.secret.fill(0)
        this.#secrets.delete(name)
        continue
      }
      while (one.epoch < epoch - this.#kept) {
        const next = this.expand(one, 'next', SECRET_LENGTH)
        one.secret.fill(0)
        one.secret = next
        one.epoch++
      }
    }
  }

  /** A key that follows from a secret. @param label what it is for @param length bytes */
  expand({ secret: from }: Pick<RingSecret, 'secret'>, label: string, length: number): Uint8Array {
    const { hash } = this.#provider.cipherSuites[0]!
    return hkdfExpand(hash, from, utf8(`hotpotato ring ${label}`), length)
  }

  /** A secret as it is in a later epoch. */
  at(one: RingSecret, epoch: number): Pick<RingSecret, 'secret'> {
    let from: Pick<RingSecret, 'secret'> = one
    for (let at = one.epoch; at < epoch; at++) from = { secret: this.expand(from, 'next', SECRET_LENGTH) }
    return from
  }

  /** Epochs that a secret lags behind the oldest one that is still needed. */
  #behind({ epoch }: RingSecret): number {
    return this.epoch - this.#kept - epoch
  }

  /** Epochs, besides the present one, from which something may still have to be opened. */
  get #kept(): number {
    return Math.ceil(this.#options.lifetimeSeconds / this.#options.rotationSeconds)
  }

  /** Whether nothing that was sealed with it can be valid. */
  #isOver({ aliveEpoch }: RingSecret): boolean {
    // One more: its maker may have died at the end of an epoch in which no other one heard from it.
    return aliveEpoch + this.#kept + 1 < this.epoch
  }
}
