import { NamedGroup } from '../tls13/codepoints.ts'
import type { Aead, CipherSuite, CryptoProvider, KeyExchangeGroup } from '../tls13/crypto/provider.ts'
import { hkdfExpand, hkdfExtract } from '../tls13/key-schedule.ts'
import {
  concat,
  EMPTY,
  Encoder,
  encode,
  equal,
  fixed,
  lentView,
  opaque,
  rest,
  type Scratch,
  struct,
  uint8,
  uint16,
  uint32,
  uint64,
  utf8,
} from '../wire/index.ts'

/** Bytes of the random number that names a session. */
export const SESSION_ID_LENGTH = 16

/** The version of the sealing itself; what is sealed has its own. */
export const SEAL_VERSION = 1

/**
 * What a sealed message looks like: the counter is the nonce, and says that the message is newer than all
 * before it.
 */
export const SealedMessage = struct('SealedMessage', {
  version: uint8,
  /** The AEAD and hash, under the number of their TLS cipher suite. */
  cipherSuite: uint16,
  counter: uint64,
  /** With the tag at its end. */
  ciphertext: rest,
})

/** What the tag vouches for besides the plaintext. */
export const SealedContext = struct('SealedContext', {
  version: uint8,
  cipherSuite: uint16,
  sessionId: fixed(SESSION_ID_LENGTH),
  generation: uint32,
  source: uint32,
  target: uint32,
  counter: uint64,
})

/** What the key of a direction is bound to (the info of HKDF-Expand). */
export const SealingKeyInfo = struct('SealingKeyInfo', {
  label: opaque(1, 255),
  version: uint8,
  cipherSuite: uint16,
  source: uint32,
  target: uint32,
  sourcePublicKey: opaque(1, 255),
  targetPublicKey: opaque(1, 255),
  epoch: uint64,
})

/** In the place of ids, where two hosts have each given the other's process one of their own. */
const NO_ID = 0

const SALT = utf8('hotpotato seal v1')
const CONTEXT = new Encoder(SealedContext)
const HEADER_LENGTH = encode(SealedMessage, {
  version: 0,
  cipherSuite: 0,
  counter: 0,
  ciphertext: EMPTY,
}).length

/**
 * Messages under one key. After them the next key is derived, so that even messages of 16 MiB stay within
 * what an AES-GCM key may protect (2^34.5 blocks; RFC 8446 §5.5).
 */
const EPOCH_MESSAGES = 2 ** 14

/** A process's X25519 key pair, made at its start. The private half cannot be read out of it. */
export interface Identity {
  /** Of the process; never given to another one. */
  readonly id: number
  /** 32 bytes, for the others' {@link Sealer.addPeer}. */
  readonly publicKey: Uint8Array
  /** X25519 with a peer's public key; undefined if that is no valid one. */
  agree(peerPublicKey: Uint8Array): Uint8Array | undefined
}

/** Makes the key pair of the process `id` (uint32). @throws Error the provider has no x25519 */
export function createIdentity(provider: CryptoProvider, id: number): Identity {
  const group = x25519(provider)
  const { privateKey, keyExchange } = group.generate(provider.random)
  return { id, publicKey: keyExchange, agree: peer => group.complete(privateKey, peer) }
}

function x25519(provider: CryptoProvider): KeyExchangeGroup {
  const group = provider.groups.find(one => one.id === NamedGroup.x25519)
  if (group === undefined) throw new Error(`the provider ${provider.name} has no x25519`)
  return group
}

/** Why a message was not sealed or opened. */
export type SealFailure = 'unknown_peer' | 'stale' | 'forged' | 'truncated' | 'version'

export class SealError extends Error {
  override readonly name = 'SealError'
  readonly reason: SealFailure

  constructor(reason: SealFailure, message: string) {
    super(message)
    this.reason = reason
  }
}

/** Which state of which session is sealed; the tag vouches for it. */
export interface SealAssociated {
  /** 16 bytes. */
  readonly sessionId: Uint8Array
  /** uint32. */
  readonly generation: number
}

/**
 * Seals messages to other processes and opens theirs, each at most once. Every pair of processes has a key
 * for either direction; within one, counters only grow, and the receiver accepts only a greater one than
 * before. So a message can be lost but neither repeated nor put behind a later one, and the memory for that
 * is one number.
 */
export class Sealer {
  readonly #suite: CipherSuite
  readonly #self: Identity
  readonly #peers = new Map<number, Peer>()

  /** @param provider the first of its cipher suites does the work; all processes must agree on it */
  constructor(provider: CryptoProvider, self: Identity) {
    const [suite] = provider.cipherSuites
    if (suite === undefined) throw new Error(`the provider ${provider.name} has no cipher suite`)
    this.#suite = suite
    this.#self = self
  }

  /**
   * Introduces a process. Doing so again changes nothing, and brings back one that was forgotten with its
   * counters.
   * @param salt of a process of another host: random bytes that both know, new each time that the two hosts
   * meet. Its id is ours alone, so ids are left out of what is sealed; and counters begin anew under new keys
   * @throws RangeError the key is no X25519 key, or not the one that this id had; or the id or the key is our
   * own
   */
  addPeer(id: number, publicKey: Uint8Array, salt: Uint8Array = EMPTY): void {
    if (id === this.#self.id) throw new RangeError(`${id} is this process`)
    const known = this.#peers.get(id)
    // A new key would start the counters anew; and the key of a living peer never changes.
    if (known !== undefined && !equal(known.publicKey, publicKey))
      throw new RangeError(`the peer ${id} already has a different key`)
    // Both directions would have one key, and what we seal could be sent back to us.
    if (equal(publicKey, this.#self.publicKey)) throw new RangeError(`the peer ${id} has our own key`)
    if (known?.directions !== undefined) return
    const sharedSecret = this.#self.agree(publicKey)
    if (sharedSecret === undefined) throw new RangeError(`the public key of the peer ${id} is not valid`)
    const secret = hkdfExtract(this.#suite.hash, SALT, sharedSecret)
    sharedSecret.fill(0)
    const far = salt.length > 0
    const own = { id: far ? NO_ID : this.#self.id, publicKey: this.#self.publicKey }
    const other = { id: far ? NO_ID : id, publicKey: Uint8Array.from(publicKey) }
    const directions = {
      out: new Direction(this.#suite, secret, own, other, salt),
      in: new Direction(this.#suite, secret, other, own, salt),
    }
    if (known === undefined)
      this.#peers.set(id, { publicKey: other.publicKey, far, sent: 0, received: 0, directions })
    else known.directions = directions
  }

  /** Drops the keys shared with a process. Its counters stay, because the same keys may come back. */
  forget(id: number): void {
    const peer = this.#peers.get(id)
    if (peer !== undefined) peer.directions = undefined
  }

  /**
   * Seals to the process `target`. @param memory for the result, which is borrowed then
   * @returns 11 bytes of header, the ciphertext and its tag
   * @throws SealError `unknown_peer`
   */
  seal(target: number, associated: SealAssociated, plaintext: Uint8Array, memory?: Scratch): Uint8Array {
    const { peer, directions } = this.#peer(target)
    const counter = peer.sent + 1
    const key = directions.out.keyOf(counter)
    const context = this.#context(associated, peer, this.#self.id, target, counter)
    // Spent before it is used: whatever fails after this, the nonce is not used again.
    peer.sent = counter
    directions.out.keep(key)
    const length = HEADER_LENGTH + plaintext.length + this.#suite.aead.tagLength
    const sealed = memory?.first(length) ?? new Uint8Array(length)
    writeHeader(sealed, this.#suite.id, counter)
    const { aead } = key
    const nonce = nonceOf(key, counter)
    if (aead.sealInto !== undefined) aead.sealInto(nonce, context, plaintext, EMPTY, sealed, HEADER_LENGTH)
    else sealed.set(aead.seal(nonce, context, plaintext), HEADER_LENGTH)
    return sealed
  }

  /**
   * Opens what the process `source` has sealed to this one with the same `associated`, once.
   * @param memory for the plaintext, which is borrowed then
   * @throws SealError; a message that is not accepted changes nothing
   */
  open(source: number, associated: SealAssociated, sealed: Uint8Array, memory?: Scratch): Uint8Array {
    const { peer, directions } = this.#peer(source)
    const counter = this.#parse(sealed)
    if (counter <= peer.received) {
      throw new SealError('stale', `the message ${counter} of ${source} is not newer than ${peer.received}`)
    }
    const key = directions.in.keyOf(counter)
    const context = this.#context(associated, peer, source, this.#self.id, counter)
    const ciphertext = lentView(sealed, HEADER_LENGTH, sealed.length)
    const place = memory?.first(ciphertext.length - this.#suite.aead.tagLength)
    const plaintext = key.aead.open(nonceOf(key, counter), context, ciphertext, place)
    if (plaintext === undefined) {
      throw new SealError(
        'forged',
        `the message ${counter} of ${source} is not what was sealed for this session`,
      )
    }
    peer.received = counter
    directions.in.keep(key)
    return plaintext
  }

  #peer(id: number): { readonly peer: Peer; readonly directions: Directions } {
    const peer = this.#peers.get(id)
    if (peer?.directions === undefined) throw new SealError('unknown_peer', `no key is shared with ${id}`)
    return { peer, directions: peer.directions }
  }

  /** @returns the counter */
  #parse(sealed: Uint8Array): number {
    if (sealed.length > 0 && sealed[0] !== SEAL_VERSION) {
      throw new SealError('version', `sealed with version ${sealed[0]}, not ${SEAL_VERSION}`)
    }
    if (sealed.length < HEADER_LENGTH + this.#suite.aead.tagLength) {
      throw new SealError('truncated', `${sealed.length} bytes are too few for a sealed message`)
    }
    const cipherSuite = (sealed[1]! << 8) | sealed[2]!
    if (cipherSuite !== this.#suite.id) {
      const [theirs, ours] = [cipherSuite, this.#suite.id].map(id => `0x${id.toString(16).padStart(4, '0')}`)
      throw new SealError('version', `sealed with the cipher suite ${theirs}, not ${ours}`)
    }
    return counterOf(sealed)
  }

  #context(
    { sessionId, generation }: SealAssociated,
    { far }: Peer,
    from: number,
    to: number,
    counter: number,
  ): Uint8Array {
    const [source, target] = far ? [NO_ID, NO_ID] : [from, to]
    const version = SEAL_VERSION
    const cipherSuite = this.#suite.id
    return CONTEXT.encode({ version, cipherSuite, sessionId, generation, source, target, counter })
  }
}

interface Peer {
  readonly publicKey: Uint8Array
  /** Of another host. */
  readonly far: boolean
  /** The counter of the last message sealed to it. */
  sent: number
  /** The highest counter of a message of its that was opened. */
  received: number
  directions: Directions | undefined
}

interface Directions {
  readonly out: Direction
  readonly in: Direction
}

interface Party {
  readonly id: number
  readonly publicKey: Uint8Array
}

interface EpochKey {
  readonly epoch: number
  readonly aead: Aead
  readonly iv: Uint8Array
}

/** The keys from one process to one other. It keeps the one that is in use. */
class Direction {
  readonly #suite: CipherSuite
  readonly #secret: Uint8Array
  readonly #source: Party
  readonly #target: Party
  readonly #salt: Uint8Array
  #current: EpochKey

  constructor(suite: CipherSuite, secret: Uint8Array, source: Party, target: Party, salt: Uint8Array) {
    this.#suite = suite
    this.#secret = secret
    this.#source = source
    this.#target = target
    this.#salt = salt.slice()
    this.#current = this.#derive(0)
  }

  /** The key that the message with this counter is sealed with. */
  keyOf(counter: number): EpochKey {
    const epoch = Math.floor(counter / EPOCH_MESSAGES)
    return epoch === this.#current.epoch ? this.#current : this.#derive(epoch)
  }

  /**
   * Keeps a key for the messages that follow: once a message is sealed with it, or is known not to be forged.
   */
  keep(key: EpochKey): void {
    this.#current = key
  }

  #derive(epoch: number): EpochKey {
    const { id, aead, hash } = this.#suite
    const output = (label: string, length: number): Uint8Array => {
      const info = encode(SealingKeyInfo, {
        label: concat(utf8(label), this.#salt),
        version: SEAL_VERSION,
        cipherSuite: id,
        source: this.#source.id,
        target: this.#target.id,
        sourcePublicKey: this.#source.publicKey,
        targetPublicKey: this.#target.publicKey,
        epoch,
      })
      return hkdfExpand(hash, this.#secret, info, length)
    }
    return { epoch, aead: aead.withKey(output('key', aead.keyLength)), iv: output('iv', aead.ivLength) }
  }
}

/**
 * The counter, padded on the left, XORed with the iv, as RFC 8446 §5.3, does with sequence numbers.
 */
function nonceOf({ iv }: EpochKey, counter: number): Uint8Array {
  const nonce = iv.length === NONCE.length ? NONCE : new Uint8Array(iv.length)
  nonce.set(iv)
  for (let at = nonce.length - 1, left = counter; left > 0; at--, left = Math.floor(left / 256)) {
    nonce[at]! ^= left % 256
  }
  return nonce
}

/** For a nonce of the usual length; filled for each message anew. */
const NONCE = new Uint8Array(12)

/** Where the counter of a {@link SealedMessage} ends. */
const COUNTER_END = 11

/** What stands before the ciphertext of a {@link SealedMessage}. */
function writeHeader(sealed: Uint8Array, cipherSuite: number, counter: number): void {
  sealed[0] = SEAL_VERSION
  sealed[1] = cipherSuite >> 8
  sealed[2] = cipherSuite & 0xff
  let rest = counter
  for (let at = COUNTER_END - 1; at > 2; at--) {
    sealed[at] = rest % 256
    rest = Math.floor(rest / 256)
  }
}

function counterOf(sealed: Uint8Array): number {
  let counter = 0
  for (let at = 3; at < COUNTER_END; at++) counter = counter * 256 + sealed[at]!
  if (counter > Number.MAX_SAFE_INTEGER) throw new SealError('forged', 'a counter above 2^53 - 1')
  return counter
}
