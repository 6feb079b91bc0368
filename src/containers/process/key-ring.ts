import type { Aead } from '../../tls13/crypto/provider.ts'
import { type CryptoProvider, createTicketSealer, type TicketSealer } from '../../tls13/index.ts'
import { CheckpointContext, type CheckpointSealer, SealedCheckpoint } from '../../transfer/checkpoint.ts'
import { ORIGIN_LENGTH, Ring, type RingOptions, type RingSecret } from '../../transfer/keys/ring.ts'
import { concat, DecodeError, decode, EMPTY, Encoder, encode, equal, hex, Scratch } from '../../wire/index.ts'

/** What seals tickets under one secret's key for one epoch. */
interface NamedSealer {
  readonly origin: Uint8Array
  readonly epoch: number
  readonly sealer: TicketSealer
}

export interface KeyRingOptions extends RingOptions {
  /** Under what tickets are issued: one that was issued under other rules is none. Default: none. */
  readonly rules?: Uint8Array
}

/**
 * The keys that the replicas of one function share. Every replica makes a secret at its start and seals with
 * keys that follow from it; the secrets of all are told to every sibling, and to the signer, so that each
 * opens what any of them has sealed, also what one that is dead now has. See {@link Ring}.
 */
export class KeyRing {
  readonly #provider: CryptoProvider
  readonly #rules: Uint8Array | undefined
  readonly #ring: Ring
  #own: RingSecret
  /** Ticket sealers by the name of their key. */
  readonly #sealers = new Map<string, NamedSealer>()
  /** The key of our own checkpoints, and how many it has sealed. */
  #checkpointKey: { readonly epoch: number; readonly aead: Aead } | undefined
  #checkpoints = 0
  /** The key by which a checkpoint was opened last. */
  #opened: { readonly secret: RingSecret; readonly epoch: number; readonly aead: Aead } | undefined

  constructor(provider: CryptoProvider, { rules, ...spans }: KeyRingOptions) {
    this.#provider = provider
    this.#rules = rules
    this.#ring = new Ring(provider, spans)
    this.#own = this.#ring.make()
  }

  /** Whose secrets are known, our own among them. */
  get size(): number {
    this.#turn()
    return this.#ring.size
  }

  /** The ring as bytes, for a sibling or the signer: they are secret. */
  share(): Uint8Array {
    this.#turn()
    return this.#ring.share()
  }

  /**
   * Takes what a sibling or the signer knows. @returns whether there was something new in it
   * @throws DecodeError for bytes that are no ring
   */
  merge(bytes: Uint8Array): boolean {
    const news = this.#ring.merge(bytes, this.#own)
    this.#turn()
    return news
  }

  /** Seals tickets with our own key of the hour, and opens those of all replicas of the function. */
  get tickets(): TicketSealer {
    return {
      seal: (contents, random) => {
        this.#turn()
        return this.#sealer(this.#own, this.#ring.epoch).seal(contents, random)
      },
      open: ticket => {
        this.#turn()
        const origin = ticket.subarray(0, ORIGIN_LENGTH)
        const known = this.#ring.find(origin)
        if (known === undefined || ticket.length < NAME_LENGTH) return undefined
        const epoch = new DataView(ticket.buffer, ticket.byteOffset).getUint32(ORIGIN_LENGTH)
        if (epoch < known.epoch || epoch > this.#ring.epoch + 1) return undefined
        const contents = this.#sealer(known, epoch).open(ticket)
        if (contents === undefined || equal(origin, this.#own.origin)) return contents
        // Whether early data has come before only its own issuer can tell.
        return { ...contents, maxEarlyData: 0 }
      },
    }
  }

  /** Checkpoints that were sealed here so far. */
  get sealed(): number {
    return this.#checkpoints
  }

  /** Seals checkpoints with our own key of the hour, and opens those of all replicas of the function. */
  get checkpoints(): CheckpointSealer {
    return {
      seal: (context, plaintext) => {
        const epoch = this.#ring.epoch
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
        const known = this.#ring.find(origin)
        if (known === undefined || epoch < known.epoch || epoch > this.#ring.epoch + 1) return undefined
        const associated = encode(CheckpointContext, context)
        return this.#opener(known, epoch).open(checkpointNonce(counter), associated, ciphertext)
      },
    }
  }

  /** Where a function wakes, many checkpoints come that one container has sealed. */
  #opener(one: RingSecret, epoch: number): Aead {
    if (this.#opened?.secret !== one || this.#opened.epoch !== epoch)
      this.#opened = { secret: one, epoch, aead: this.#checkpointAead(one, epoch) }
    return this.#opened.aead
  }

  #checkpointAead(one: RingSecret, epoch: number): Aead {
    const { aead } = this.#provider.cipherSuites[0]!
    return aead.withKey(this.#ring.expand(this.#ring.at(one, epoch), 'checkpoint', aead.keyLength))
  }

  /** Lets go of what is not needed any more. Our own secret, if it has slept for too long, is made anew. */
  #turn(): void {
    this.#own.aliveEpoch = Math.max(this.#own.aliveEpoch, this.#ring.epoch)
    this.#ring.turn()
    if (this.#ring.find(this.#own.origin) === undefined) this.#own = this.#ring.make()
    for (const [name, { origin, epoch }] of this.#sealers) {
      const known = this.#ring.find(origin)
      if (known === undefined || epoch < known.epoch) this.#sealers.delete(name)
    }
  }

  #sealer(one: RingSecret, epoch: number): TicketSealer {
    const name = nameOf(one.origin, epoch)
    const known = this.#sealers.get(hex(name))
    if (known !== undefined) return known.sealer
    const from = this.#ring.at(one, epoch)
    const { keyLength } = this.#provider.cipherSuites[0]!.aead
    const key = this.#ring.expand(from, 'ticket', keyLength)
    const sealer = createTicketSealer(this.#provider, [{ name: concat(name, PADDING), key }], this.#rules)
    this.#sealers.set(hex(name), { origin: one.origin, epoch, sealer })
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
