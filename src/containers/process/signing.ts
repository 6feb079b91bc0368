import { type ShortLivedKey, shortLivedKey } from '../../certificates/short-lived.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import { type Certificate, certificateId } from '../../tls13/authentication.ts'
import { SignatureScheme } from '../../tls13/codepoints.ts'
import type { Answer, CryptoProvider, Question } from '../../tls13/index.ts'
import type { ControlMessage } from '../../transfer/control.ts'
import { equal, hex } from '../../wire/index.ts'

/** What a key of ours signs by that may speak for a certificate, and milliseconds until the next one does. */
const DELEGATED_SCHEME = SignatureScheme.ecdsa_secp256r1_sha256
const RENEWAL = 1_800_000
/** Handshakes that wait at a time. */
const MOST = 4096
/** Bytes of what is signed that stand before the hash of the transcript (RFC 8446 §4.4.3). */
const BEFORE_HASH = 64 + 'TLS 1.3, server CertificateVerify'.length + 1

type SignatureQuestion = Extract<Question, { kind: 'signature' }>
type Delegated = Extract<ControlMessage, { kind: 'delegated' }>
type Sign = Extract<ControlMessage, { kind: 'sign' }>
type SignedFor = Extract<ControlMessage, { kind: 'certificates' }>['certificates']

/** A handshake that waits. */
interface Asked {
  readonly message: Sign
  readonly settle: (answer: Answer) => void
  readonly timer: Timer
}

/** The signatures of a container that has no key of its certificate: it asks the signer for them. */
export class Signing {
  /** For the configuration of sessions: the newest first. What is in it changes when the signer says so. */
  readonly certificates: Certificate[] = []
  readonly counters = { signaturesAsked: 0, signaturesMissed: 0 }
  readonly #provider: CryptoProvider
  readonly #clock: Clock
  readonly #patience: number
  readonly #tell: (signer: number, message: ControlMessage) => boolean
  /** The signer's ids of certificates, by those that sessions name them with. */
  readonly #ids = new Map<string, Uint8Array>()
  readonly #asked = new Map<number, Asked>()
  #signer: number | undefined
  /** Certificates that allow delegated credentials, by their ids. */
  #delegating: readonly Uint8Array[] = []
  #tickets = 0
  /** Our own keys that are to speak for certificates, by the ids of these in hexadecimal, until they do. */
  readonly #offered = new Map<string, ShortLivedKey>()
  readonly #renewal: Timer
  #ready: () => void = () => {}
  /** When the first certificates have come. */
  readonly ready = new Promise<void>(resolve => {
    this.#ready = resolve
  })

  /**
   * @param patience milliseconds that a handshake waits: the signer may have to be started again
   * @param tell sends a message to a signer; false if it is not there any more
   */
  constructor(
    provider: CryptoProvider,
    clock: Clock,
    patience: number,
    tell: (signer: number, message: ControlMessage) => boolean,
  ) {
    this.#provider = provider
    this.#clock = clock
    this.#patience = patience
    this.#tell = tell
    this.#renewal = clock.timer(() => this.#askDelegations())
  }

  /** @returns whether the message was for us */
  take(message: ControlMessage, from: number): boolean {
    if (message.kind === 'certificates') this.#certified(message.certificates, from)
    else if (message.kind === 'signed') this.#signed(message.ticket, message.signature, message.reason)
    else if (message.kind === 'delegated') this.#delegated(message)
    else return false
    return true
  }

  #certified(all: SignedFor, from: number): void {
    const certificates = all.map(({ id, chain, schemes, delegates }) => ({
      id: id.slice(),
      delegates,
      certificate: { chain: chain.map(one => one.slice()), signers: schemes.map(scheme => ({ scheme })) },
    }))
    this.#delegating = certificates.filter(({ delegates }) => delegates).map(({ id }) => id)
    this.certificates.splice(0, this.certificates.length, ...certificates.map(one => one.certificate))
    this.#ids.clear()
    for (const { id, certificate } of certificates)
      for (const { hash } of this.#provider.cipherSuites)
        this.#ids.set(hex(certificateId(hash, certificate)), id)
    this.#ready()
    const another = this.#signer !== from
    this.#signer = from
    this.#askDelegations()
    if (!another) return
    // Another one, in the place of one that has ended: what that had not answered is asked again.
    for (const { message } of this.#asked.values()) this.#tell(from, message)
  }

  /** Asks that a new key of ours may speak for each certificate that allows it, again and again. */
  #askDelegations(): void {
    this.#renewal.stop()
    const algorithm = this.#provider.signatureAlgorithms.find(({ scheme }) => scheme === DELEGATED_SCHEME)
    if (this.#signer === undefined || algorithm === undefined || this.#delegating.length === 0) return
    this.#renewal.after(RENEWAL)
    for (const certificate of this.#delegating) {
      const key = shortLivedKey()
      this.#offered.set(hex(certificate), key)
      const { publicKey } = key
      this.#tell(this.#signer, { kind: 'delegate', certificate, scheme: DELEGATED_SCHEME, publicKey })
    }
  }

  #delegated({ certificate: id, publicKey, credential, algorithm, notAfter }: Delegated): void {
    const key = this.#offered.get(hex(id))
    const place = this.certificates.findIndex(one => equal(this.#idOf(one), id))
    if (key === undefined || place < 0 || !equal(key.publicKey, publicKey)) return
    this.#offered.delete(hex(id))
    const signs = this.#provider.signatureAlgorithms.find(({ scheme }) => scheme === DELEGATED_SCHEME)
    const signer = signs?.signer(key.privateKey)
    if (signer === undefined) return
    const delegated = { credential: credential.slice(), algorithm, signer, notAfter }
    this.certificates[place] = { ...this.certificates[place]!, delegated }
  }

  #idOf(certificate: Certificate): Uint8Array {
    return certificateId(this.#provider.cipherSuites[0]!.hash, certificate)
  }

  #signed(ticket: number, signature: Uint8Array, reason: string): void {
    if (signature.length > 0) this.#settle(ticket, { kind: 'signature', signature: signature.slice() })
    else this.#refuse(ticket, reason)
  }

  /** That process has ended. */
  gone(id: number): void {
    if (this.#signer === id) this.#signer = undefined
  }

  /** Asks for a signature. @param settle called once, never before this returns */
  ask(question: SignatureQuestion, settle: (answer: Answer) => void): void {
    this.#tickets = (this.#tickets + 1) >>> 0
    const ticket = this.#tickets
    const certificate = this.#ids.get(hex(question.certificate))
    const timer = this.#clock.after(this.#patience, () => this.#refuse(ticket, 'no signature came in time'))
    const { scheme, content } = question
    const transcriptHash = content.slice(BEFORE_HASH)
    const message = { kind: 'sign', ticket, certificate: certificate!, scheme, transcriptHash } as const
    this.#asked.set(ticket, { message, settle, timer })
    this.counters.signaturesAsked++
    if (certificate === undefined || this.#asked.size > MOST) {
      const why = certificate === undefined ? 'the certificate is not known' : 'too many handshakes wait'
      this.#clock.after(0, () => this.#refuse(ticket, why))
    } else if (this.#signer !== undefined) this.#tell(this.#signer, message)
  }

  #refuse(ticket: number, reason: string): void {
    if (this.#asked.has(ticket)) this.counters.signaturesMissed++
    this.#settle(ticket, { kind: 'refused', alert: 'internal_error', reason: `the signer: ${reason}` })
  }

  #settle(ticket: number, answer: Answer): void {
    const asked = this.#asked.get(ticket)
    if (asked === undefined) return
    this.#asked.delete(ticket)
    asked.timer.stop()
    asked.settle(answer)
  }
}

/** For what is only practised: certificates whose signatures no peer looks at. */
export function pretended(certificates: readonly Certificate[]): Certificate[] {
  return certificates.map(({ chain, signers }) => ({
    chain,
    signers: signers.map(one => (one.sign === undefined ? { ...one, sign: () => new Uint8Array(64) } : one)),
  }))
}
