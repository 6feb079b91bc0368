import type { Aead } from '../../tls13/crypto/provider.ts'
import { type CryptoProvider, createTicketSealer, type TicketSealer } from '../../tls13/index.ts'
import { hkdfExpand } from '../../tls13/key-schedule.ts'
import { CheckpointContext, type CheckpointSealer, SealedCheckpoint } from '../../transfer/checkpoint.ts'
import {
  concat,
  DecodeError,
  decode,
  EMPTY,
  Encoder,
  encode,
  equal,
  fixed,
  hex,
  Scratch,
  secret,
  struct,
  type TypeOf,
  uint32,
  utf8,
  vector,
} from '../../wire/index.ts'

/** Bytes of the name of who made a secret. */
const ORIGIN_LENGTH = 8
const SECRET_LENGTH = 32
/**
 * Secrets kept: those of all replicas of a function, and of their predecessors that have died lately. 1365
 * fit into one {@link SharedRing}.
 */
const MOST_ORIGINS = 1024
/**
 * Epochs by which a secret from elsewhere may lag: its maker may have told it just before the turn of one.
 */
const SLACK = 2
/** Epochs that are caught up with at once, about 13 µs each. */
const CATCH_UP = 64

/** One replica's secret, as its siblings know it. */
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

/** What siblings tell each other, sealed: the whole ring. */
export const SharedRing = struct('SharedRing', { secrets: vector(RingSecret, 0, 2 ** 16 - 1) })

export interface KeyRingOptions {
  /** Seconds for which a key is used before the next one takes its place. */
  readonly rotationSeconds: number
  /** Seconds for which what was sealed must be opened. */
  readonly lifetimeSeconds: number
  /** Milliseconds of a clock that only goes forward and that all replicas have in common. */
  readonly now: () => number
  /** Under what tickets are issued: one that was issued under other rules is none. Default: none. */
  readonly rules?: Uint8Array
}

/**
 * The keys that the replicas of one function share. Every replica makes a secret at its start and seals with
 * keys that follow from it; the secrets of all are told to every sibling, so that each opens what any of
 * them has sealed, also what one that is dead now has. There is no leader and nothing to agree on: rings are
 * merged like sets.
 *
 * Time is cut into epochs of `rotationSeconds`. A secret becomes the next epoch's by HKDF-Expand, and those
 * that nothing can be open under any more are wiped: an attacker who takes a container tomorrow cannot open
 * what was sealed yesterday.
 */
export class KeyRing {
  readonly #provider: CryptoProvider
  readonly #options: Omit<KeyRingOptions, 'rules'> & { readonly rules: Uint8Array | undefined }
  #own: RingSecret
  /** The latest epoch there has been: should the clock go back, it does not. */
  #latest = 0
  readonly #secrets = new Map<string, RingSecret>()
  /** Ticket sealers by the name of their key. */
  readonly #sealers = new Map<string, TicketSealer>()
  /** The key of our own checkpoints, and how many it has sealed. */
  #checkpointKey: { readonly epoch: number; readonly aead: Aead } | undefined
  #checkpoints = 0

  constructor(provider: CryptoProvider, options: KeyRingOptions) {
    this.#provider = provider
    const { rotationSeconds, lifetimeSeconds, now, rules } = options
    // Of one shape, whatever is left out: the engine compiles for it.
    this.#options = { rotationSeconds, lifetimeSeconds, now, rules }
    this.#own = this.#renew()
  }

  #renew(): RingSecret {
    const { random } = this.#provider
    const epoch = this.#epoch
    this.#own = { origin: random(ORIGIN_LENGTH), epoch, secret: random(SECRET_LENGTH), aliveEpoch: epoch }
    this.#secrets.set(hex(this.#own.origin), this.#own)
    return this.#own
  }

  /** Whose secrets are known, our own among them. */
  get size(): number {
    this.#turn()
    return this.#secrets.size
  }

  /** The ring as bytes, for a sibling: they are secret. */
  share(): Uint8Array {
    this.#turn()
    return encode(SharedRing, { secrets: [...this.#secrets.values()] })
  }

  /**
   * Takes what a sibling knows. @returns whether there was something new in it
   * @throws DecodeError for bytes that are no ring
   */
  merge(bytes: Uint8Array): boolean {
    const { secrets } = decode(SharedRing, bytes)
    this.#turn()
    let news = false
    for (const one of secrets) {
      const known = this.#secrets.get(hex(one.origin))
      // What is ahead of our time must not make us forget, nor what is far behind it make us work.
      if (one.aliveEpoch > this.#epoch + 1 || one.epoch > this.#epoch + 1 || this.#isOver(one)) continue
      if (this.#behind(one) > SLACK) continue
      if (known === undefined) {
        if (this.#secrets.size >= MOST_ORIGINS) continue
        this.#secrets.set(hex(one.origin), one)
        news = true
      } else if (known !== this.#own && one.aliveEpoch > known.aliveEpoch) {
        known.aliveEpoch = one.aliveEpoch
        news = true
      }
    }
    this.#turn()
    return news
  }

  /** Seals tickets with our own key of the hour, and opens those of all replicas of the function. */
  get tickets(): TicketSealer {
    return {
      seal: (contents, random) => {
        this.#turn()
        return this.#sealer(this.#own, this.#epoch).seal(contents, random)
      },
      open: ticket => {
        this.#turn()
        const origin = ticket.subarray(0, ORIGIN_LENGTH)
        const known = this.#secrets.get(hex(origin))
        if (known === undefined || ticket.length < NAME_LENGTH) return undefined
        const epoch = new DataView(ticket.buffer, ticket.byteOffset).getUint32(ORIGIN_LENGTH)
        if (epoch < known.epoch || epoch > this.#epoch + 1) return undefined
        const contents = this.#sealer(known, epoch).open(ticket)
        if (contents === undefined || equal(origin, this.#own.origin)) return contents
        // Whether early data has come before only its own issuer can tell.
        return { ...contents, maxEarlyData: 0 }
      },
    }
  }

  /** Seals checkpoints with our own key of the hour, and opens those of all replicas of the function. */
  get checkpoints(): CheckpointSealer {
    return {
      seal: (context, plaintext) => {
        const epoch = this.#epoch
        if (this.#checkpointKey?.epoch !== epoch) {
          this.#turn()
          this.#checkpointKey = { epoch, aead: this.#checkpointAead(this.#own, epoch) }
        }
        // Never begun anew, whatever the key: no nonce is used twice.
        const counter = ++this.#checkpoints
        const { aead } = this.#checkpointKey
        const { tagLength } = this.#provider.cipherSuites[0]!.aead
        const { origin } = this.#own
        const head = SEALED.encode({ origin, epoch, counter, ciphertext: EMPTY })
        const sealed = CHECKPOINT_MEMORY.first(head.length + plaintext.length + tagLength)
        sealed.set(head)
        const [nonce, associated] = [checkpointNonce(counter), CONTEXT.encode(context)]
        if (aead.sealInto !== undefined)
          aead.sealInto(nonce, associated, plaintext, EMPTY, sealed, head.length)
        else sealed.set(aead.seal(nonce, associated, plaintext), head.length)
        return sealed
      },
      open: (context, sealed) => {
        this.#turn()
        const { origin, epoch, counter, ciphertext } = parseCheckpoint(sealed) ?? NO_CHECKPOINT
        const known = this.#secrets.get(hex(origin))
        if (known === undefined || epoch < known.epoch || epoch > this.#epoch + 1) return undefined
        const associated = encode(CheckpointContext, context)
        return this.#checkpointAead(known, epoch).open(checkpointNonce(counter), associated, ciphertext)
      },
    }
  }

  #checkpointAead(one: RingSecret, epoch: number): Aead {
    const { aead } = this.#provider.cipherSuites[0]!
    return aead.withKey(this.#expand(this.#at(one, epoch), 'checkpoint', aead.keyLength))
  }

  get #epoch(): number {
    const { now, rotationSeconds } = this.#options
    this.#latest = Math.max(this.#latest, Math.floor(now() / 1000 / rotationSeconds))
    return this.#latest
  }

  /** Epochs that a secret lags behind the oldest one that is still needed. */
  #behind({ epoch }: RingSecret): number {
    return this.#epoch - this.#kept - epoch
  }

  /** Epochs, besides the present one, from which something may still have to be opened. */
  get #kept(): number {
    return Math.ceil(this.#options.lifetimeSeconds / this.#options.rotationSeconds)
  }

  /** Whether nothing that was sealed with it can be valid. */
  #isOver({ aliveEpoch }: RingSecret): boolean {
    // One more: its maker may have died at the end of an epoch in which no sibling heard from it.
    return aliveEpoch + this.#kept + 1 < this.#epoch
  }

  /** Lets go of what is not needed any more. */
  #turn(): void {
    const epoch = this.#epoch
    this.#own.aliveEpoch = Math.max(this.#own.aliveEpoch, epoch)
    for (const [name, one] of this.#secrets) {
      // What has slept for so long is told again by its maker; our own is made anew.
      if (this.#isOver(one) || this.#behind(one) > CATCH_UP) {
        one.secret.fill(0)
        this.#secrets.delete(name)
        if (one === this.#own) this.#renew()
        continue
      }
      while (one.epoch < epoch - this.#kept) {
        const next = this.#expand(one, 'next', SECRET_LENGTH)
        one.secret.fill(0)
        one.secret = next
        one.epoch++
      }
    }
    for (const name of this.#sealers.keys()) {
      const known = this.#secrets.get(name.slice(0, 2 * ORIGIN_LENGTH))
      if (known === undefined || Number.parseInt(name.slice(2 * ORIGIN_LENGTH), 16) < known.epoch)
        this.#sealers.delete(name)
    }
  }

  #expand({ secret: from }: Pick<RingSecret, 'secret'>, label: string, length: number): Uint8Array {
    const { hash } = this.#provider.cipherSuites[0]!
    return hkdfExpand(hash, from, utf8(`hotpotato ring ${label}`), length)
  }

  /** A secret as it is in a later epoch. */
  #at(one: RingSecret, epoch: number): Pick<RingSecret, 'secret'> {
    let from: Pick<RingSecret, 'secret'> = one
    for (let at = one.epoch; at < epoch; at++) from = { secret: this.#expand(from, 'next', SECRET_LENGTH) }
    return from
  }

  #sealer(one: RingSecret, epoch: number): TicketSealer {
    const name = nameOf(one.origin, epoch)
    const known = this.#sealers.get(hex(name))
    if (known !== undefined) return known
    const from = this.#at(one, epoch)
    const { keyLength } = this.#provider.cipherSuites[0]!.aead
    const key = this.#expand(from, 'ticket', keyLength)
    const sealer = createTicketSealer(
      this.#provider,
      [{ name: concat(name, PADDING), key }],
      this.#options.rules,
    )
    this.#sealers.set(hex(name), sealer)
    return sealer
  }
}

/**
 * Bytes of a key's name: who made it, and for which epoch. In a ticket, zeros follow up to the 16 bytes of
 * RFC 5077.
 */
const NAME_LENGTH = ORIGIN_LENGTH + 4
const PADDING = new Uint8Array(16 - NAME_LENGTH)

function nameOf(origin: Uint8Array, epoch: number): Uint8Array {
  const name = new Uint8Array(NAME_LENGTH)
  name.set(origin)
  new DataView(name.buffer).setUint32(ORIGIN_LENGTH, epoch)
  return name
}

const NO_CHECKPOINT = { origin: new Uint8Array(0), epoch: 0, counter: 0, ciphertext: new Uint8Array(0) }

function parseCheckpoint(sealed: Uint8Array) {
  try {
    return decode(SealedCheckpoint, sealed)
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}

const SEALED = new Encoder(SealedCheckpoint)
const CONTEXT = new Encoder(CheckpointContext)
/** For a sealed checkpoint, and for its nonce: each is used at once. */
const CHECKPOINT_MEMORY = new Scratch(16_384)
const NONCE_BYTES = new Uint8Array(12)
const NONCE = new DataView(NONCE_BYTES.buffer)

function checkpointNonce(counter: number): Uint8Array {
  NONCE.setUint32(4, Math.floor(counter / 2 ** 32))
  NONCE.setUint32(8, counter >>> 0)
  return NONCE_BYTES
}
