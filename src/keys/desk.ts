import type { Log } from '../platform/log.ts'
import type { Clock } from '../time/clock.ts'
import { certificateVerifyContent } from '../tls13/authentication.ts'
import type { Signer } from '../tls13/crypto/provider.ts'
import { delegate, mayBeDelegated } from '../tls13/delegated.ts'
import { type Channel, SUPERVISOR } from '../transfer/channel.ts'
import {
  type ControlMessage,
  decodeControl,
  isConsignment,
  mayAskSigner,
  type Peer,
  type Verdict,
  writeControl,
} from '../transfer/control.ts'
import { KEYS } from '../transfer/keys/ring.ts'
import { SealError, type Sealer } from '../transfer/seal.ts'
import type { Descriptor } from '../transfer/streams/descriptor.ts'
import { Allowance, type Budget, DecodeError, EMPTY } from '../wire/index.ts'
import type { Certificates, KeyFiles } from './certificates.ts'
import type { Rings } from './rings.ts'

/** Rings that a container may tell: one when it comes, and one in each epoch. */
const TOLD_RINGS: Budget = { burst: 16, perSecond: 1 }
/** Signatures that a container may ask for: more handshakes than one can make. */
const SIGNATURES: Budget = { burst: 2000, perSecond: 1000 }
/** Milliseconds that a delegated credential is good for, and how many a container may have made. */
const DELEGATED = 3_600_000
const DELEGATIONS: Budget = { burst: 8, perSecond: 1 / 300 }
/** Messages of one container that make no sense: those that the log tells, and those that it may send. */
const TOLD = 8
const NONSENSE = 64

const NOT_HERE: Verdict = {
  outcome: 'refused',
  reason: 'role',
  detail: 'a signer accepts no connections',
}

/** What a desk stands on. */
export interface DeskOptions {
  readonly channel: Pick<Channel, 'send' | 'addPeer' | 'forget' | 'cut'>
  readonly sealer: Sealer
  readonly rings: Rings
  readonly certificates: Certificates
  /** Bytes of a transcript's hash, of each cipher suite. */
  readonly hashLengths: ReadonlySet<number>
  readonly clock: Clock
  readonly log: Log
  /** Tells this process to end. */
  readonly stop: () => void
  /** More counters for the status. */
  readonly memory?: () => Readonly<Record<string, number>>
}

type Sign = Extract<ControlMessage, { kind: 'sign' }>
type Delegate = Extract<ControlMessage, { kind: 'delegate' }>

/** A container, and what it has cost so far. */
interface Visitor {
  readonly peer: Peer
  readonly rings: Allowance
  readonly signatures: Allowance
  readonly delegations: Allowance
  nonsense: number
}

/**
 * Where containers come to the signer with what they want. Which one it is, and so whose keys it may have,
 * follows from the pair that its message came through, and from the supervisor's record.
 */
export class Desk {
  readonly #options: DeskOptions
  readonly #visitors = new Map<number, Visitor>()
  readonly #counters = { ringsTold: 0, signed: 0, delegated: 0, refused: 0 }

  constructor(options: DeskOptions) {
    this.#options = options
  }

  /** A message of a peer; the descriptors are ours. */
  receive(from: number, payload: Uint8Array, descriptors: readonly Descriptor[]): void {
    const kept = this.#receive(from, payload, descriptors)
    if (!kept) for (const descriptor of descriptors) descriptor.close()
  }

  /** @returns whether the descriptors are kept */
  #receive(from: number, payload: Uint8Array, descriptors: readonly Descriptor[]): boolean {
    let message: ControlMessage
    try {
      message = decodeControl(payload)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.#senseless(from, error.message)
      return false
    }
    if (from === SUPERVISOR) return this.#order(message, descriptors)
    const visitor = this.#visitors.get(from)
    if (visitor === undefined || !mayAskSigner(visitor.peer.role, message.kind)) {
      // The other side has it in custody until it hears of it.
      if (isConsignment(message))
        this.#tell(from, { kind: 'verdict', ticket: message.ticket, verdict: NOT_HERE })
      this.#senseless(from, `a message of kind ${message.kind}`)
    } else if (message.kind === 'keys') this.#told(visitor, message.sealed)
    else if (message.kind === 'sign') this.#sign(visitor, message)
    else if (message.kind === 'delegate') this.#delegate(visitor, message)
    return false
  }

  #order(message: ControlMessage, descriptors: readonly Descriptor[]): boolean {
    switch (message.kind) {
      case 'introduce':
        this.#introduced(message.peer, descriptors)
        return true
      case 'gone':
        this.#options.channel.forget(message.id)
        this.#options.sealer.forget(message.id)
        this.#visitors.delete(message.id)
        return false
      case 'statusRequest':
        this.#tell(SUPERVISOR, this.#status())
        return false
      case 'certify':
        this.#certify(message.files)
        return false
      case 'stop':
        this.#options.stop()
    }
    return false
  }

  #introduced(peer: Peer, ends: readonly Descriptor[]): void {
    const { channel, sealer, log, clock } = this.#options
    try {
      if (peer.role !== 'container') throw new RangeError(`a ${peer.role} has nothing to ask of a signer`)
      sealer.addPeer(peer.id, peer.publicKey)
      channel.addPeer(peer.id, ends)
    } catch (error) {
      for (const end of ends) end.close()
      if (!(error instanceof RangeError)) throw error
      // One with a key that is none must not end all others.
      log.warn({ from: peer.name }, error.message)
      return
    }
    const now = (): number => clock.steady()
    const [rings, signatures, delegations] = [TOLD_RINGS, SIGNATURES, DELEGATIONS].map(
      budget => new Allowance(budget, now),
    )
    const budgets = { rings: rings!, signatures: signatures!, delegations: delegations! }
    this.#visitors.set(peer.id, { peer, ...budgets, nonsense: 0 })
    this.#present(peer)
    this.#share(peer)
  }

  /** The files of keys are others, or may have changed: containers hear of what they get in their place. */
  #certify(files: readonly KeyFiles[]): void {
    const { certificates, log } = this.#options
    const failed = (err: Error, functionName: string): void =>
      log.error({ err, functionName }, 'a certificate cannot be read: the one before stays')
    const changed = certificates.load(files, failed)
    for (const { peer } of this.#visitors.values())
      if (changed.includes(peer.functionName)) this.#present(peer)
    if (changed.length > 0) log.info({ functions: changed }, 'certificates were read anew')
  }

  /** Tells a container for which certificates it may ask. */
  #present({ id, functionName }: Peer): void {
    const held = this.#options.certificates.of(functionName)
    if (held.length === 0) return
    const certificates = held.map(one => ({
      id: one.id,
      chain: one.certificate.chain,
      schemes: one.certificate.signers.map(({ scheme }) => scheme),
      delegates: one.delegation !== undefined,
    }))
    this.#tell(id, { kind: 'certificates', certificates })
  }

  /**
   * Signs a handshake. What is signed begins with what nothing but a server's CertificateVerify begins with:
   * no container can have anything else signed, a credential neither (RFC 8446 §4.4.3, RFC 9345 §4).
   */
  #sign({ peer, signatures }: Visitor, { ticket, certificate, scheme, transcriptHash }: Sign): void {
    const refuse = (reason: string): void =>
      this.#tell(peer.id, { kind: 'signed', ticket, signature: EMPTY, reason })
    const { certificates, hashLengths } = this.#options
    if (!signatures.spend()) {
      this.#counters.refused++
      refuse('it asks for more signatures than it may')
      return
    }
    const signer = certificates.signer(peer.functionName, certificate, scheme)
    if (signer === undefined || !hashLengths.has(transcriptHash.length)) {
      refuse('that is no certificate of its function, or no scheme of its key')
      this.#senseless(peer.id, 'a signature that is not for it')
      return
    }
    const signature = signer.sign(certificateVerifyContent('server', transcriptHash))
    this.#counters.signed++
    this.#tell(peer.id, { kind: 'signed', ticket, signature, reason: '' })
  }

  /**
   * Lets a container's own key speak for the certificate of its function for {@link DELEGATED} (RFC 9345), if
   * the certificate allows that.
   */
  #delegate({ peer, delegations }: Visitor, { certificate, scheme, publicKey }: Delegate): void {
    const { certificates, clock } = this.#options
    const held = certificates.delegating(peer.functionName, certificate)
    const owner = held?.certificate.signers.find((one): one is Signer => one.sign !== undefined)
    if (held?.delegation === undefined || owner === undefined || !mayBeDelegated(scheme)) {
      this.#senseless(peer.id, 'a credential that is not for it')
      return
    }
    if (!delegations.spend()) {
      this.#counters.refused++
      return
    }
    const { notBefore, notAfter } = held.delegation
    const validTime = Math.floor((Math.min(clock.wall() + DELEGATED, notAfter) - notBefore) / 1000)
    if (validTime <= 0) return
    const key = { publicKey, signer: { scheme } }
    const made = delegate(held.certificate.chain[0]!, owner, key, notBefore, validTime)
    this.#counters.delegated++
    const { credential, algorithm } = made
    this.#tell(peer.id, {
      kind: 'delegated',
      certificate,
      publicKey,
      credential,
      algorithm,
      notAfter: made.notAfter!,
    })
  }

  /** Tells a container the ring of its function. */
  #share({ id, functionName }: Peer): void {
    const ring = this.#options.rings.share(functionName)
    try {
      this.#tell(id, { kind: 'keys', sealed: this.#options.sealer.seal(id, KEYS, ring) })
    } finally {
      ring.fill(0)
    }
  }

  /** What a container tells of the ring of its function. */
  #told({ peer, rings }: Visitor, sealed: Uint8Array): void {
    if (!rings.spend()) {
      this.#counters.refused++
      return
    }
    try {
      const opened = this.#options.sealer.open(peer.id, KEYS, sealed)
      this.#options.rings.merge(peer.functionName, opened)
      opened.fill(0)
      this.#counters.ringsTold++
    } catch (error) {
      if (!(error instanceof SealError || error instanceof DecodeError)) throw error
      this.#senseless(peer.id, error.message)
    }
  }

  /** Nothing can be said to that process any more: the supervisor looks whether it lives. */
  lost(id: number, reason: string): void {
    this.#tell(SUPERVISOR, { kind: 'unreachable', id, reason: reason.slice(0, 255) })
  }

  #senseless(from: number, reason: string): void {
    this.#counters.refused++
    const visitor = this.#visitors.get(from)
    if (visitor === undefined) return
    const { channel, log } = this.#options
    if (++visitor.nonsense <= TOLD) log.warn({ from: visitor.peer.name, reason }, 'a request that is refused')
    if (visitor.nonsense === NONSENSE) channel.cut(from, 'it keeps asking for what it may not have')
  }

  #status(): ControlMessage {
    const counters = {
      // It has no connections, as others that are asked this.
      connections: 0,
      inCustody: 0,
      ...this.#counters,
      containers: this.#visitors.size,
      keyRing: this.#options.rings.size,
      certificates: this.#options.certificates.size,
      ...this.#options.memory?.(),
    }
    return { kind: 'status', counters: Object.entries(counters).map(([name, value]) => ({ name, value })) }
  }

  #tell(to: number, message: ControlMessage): void {
    this.#options.channel.send(to, writeControl(message))
  }
}
