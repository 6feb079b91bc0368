import type { Budget } from '../wire/index.ts'
import type { AlertName, TlsError } from './alert.ts'
import type { Certificate, CertificateVerifier } from './authentication.ts'
import type { CookieSealer } from './cookie.ts'
import type { CryptoProvider, Random } from './crypto/provider.ts'
import type { ExternalPsk } from './external-psk.ts'
import type { ExposedSecret } from './key-schedule.ts'
import type { HandshakeMessage } from './messages.ts'
import type { Question } from './question.ts'
import type { ResumptionTicket } from './state.ts'
import type { TicketSealer } from './ticket.ts'

/** What both roles may be told. Everything optional has a safe default. */
export interface CommonConfig {
  readonly provider: CryptoProvider
  /** Protocol names in order of preference (RFC 7301). */
  readonly alpn?: readonly string[]
  /** Default: the provider's. */
  readonly random?: Random
  /** Milliseconds since 1970; default: the system's clock. */
  readonly now?: () => number
  /**
   * Shown every secret as the key schedule makes it. Off unless given: a program that gets these can read
   * every connection.
   */
  readonly onSecret?: (exposed: ExposedSecret, clientRandom: Uint8Array) => void
  /**
   * A last look at each handshake message of ours before it is encoded; what it returns is sent. For
   * experiments and for replaying published traces.
   */
  readonly shape?: (message: HandshakeMessage) => HandshakeMessage
  /**
   * The owner copies what it keeps of `application_data`: small pieces may then lie in a block together,
   * which is quicker. Default: each has memory of its own.
   */
  readonly sharesMemory?: boolean
  /** Zeros to put behind the content of a record (RFC 8446 §5.4); default: none. */
  readonly padding?: (contentLength: number) => number
  /** Bytes of the largest handshake message taken; default 64 KiB. */
  readonly handshakeMessageLimit?: number
  /** Ways to shorten certificates that we take and, in this order, use (RFC 8879); default: none. */
  readonly certificateCompression?: readonly CertificateCompression[]
  /**
   * Bytes of content that the peer may put into a record (RFC 8449), 63 to 16384; default: 16384, and a
   * client does not ask.
   */
  readonly recordSizeLimit?: number
  /** Keys that both sides were given before; in order of preference. */
  readonly psks?: readonly ExternalPsk[]
  /**
   * How PSKs may be used (RFC 8446 §4.2.9); default psk_dhe_ke alone, because psk_ke gives up forward
   * secrecy.
   */
  readonly pskModes?: readonly ('psk_dhe_ke' | 'psk_ke')[]
  /**
   * KeyUpdates, ChangeCipherSpecs, alerts user_canceled and records without content that may come in a row,
   * together; default 32.
   */
  readonly emptyLimit?: number
  /**
   * Records with less than 64 bytes of content; larger ones pay back. Default 100,000, and 10,000 in a
   * second.
   */
  readonly tinyRecords?: Budget
  /** Bytes that may wait while a question is unanswered; default 256 KiB. */
  readonly waitingLimit?: number
  /**
   * Offer, or agree to, extended key updates (draft-ietf-tls-extended-key-update): a session that has agreed
   * on them changes its keys by new key exchanges, has no KeyUpdates, and gives and takes no tickets. A
   * client that offers them offers no ticket either. Default false.
   */
  readonly extendedKeyUpdate?: boolean
}

/** One algorithm of RFC 8879. */
export interface CertificateCompression {
  /** As in `CertificateCompressionAlgorithm`. */
  readonly algorithm: number
  compress(message: Uint8Array): Uint8Array
  /**
   * @returns exactly `length` bytes, or undefined for anything else; it must not expand further to find out
   */
  decompress(compressed: Uint8Array, length: number): Uint8Array | undefined
}

/** Where a server remembers which early data has come already (RFC 8446 §8). */
export interface ReplayStore {
  /**
   * @param clientHelloHash names the hello
   * @param expiresAt milliseconds since 1970, when it may be forgotten: hellos that come later are refused
   * for their age
   * @param now milliseconds since 1970
   * @returns true if it is the first time
   */
  register(clientHelloHash: Uint8Array, expiresAt: number, now: number): boolean
}

export interface ServerConfig extends CommonConfig {
  readonly certificates: readonly Certificate[]
  /**
   * Whether a server name is one of ours; false is answered with unrecognized_name (RFC 6066 §3), and so is
   * what is no host name. Default: every name is, and what is no host name counts as none.
   */
  readonly recognizes?: (serverName: string) => boolean
  /** Issue tickets and accept them; off unless given. */
  readonly tickets?: {
    readonly sealer: TicketSealer
    /** Tickets sent after a full handshake; default 2. After a resumed one it is one at most. */
    readonly count?: number
    /** Default 7200; at most 604800 (RFC 8446 §4.6.1). */
    readonly lifetimeSeconds?: number
  }
  /**
   * Ask clients for a certificate; off unless given. A client that is known by one of `psks` is not asked
   * in the handshake (§4.3.2).
   */
  readonly clientCertificates?: {
    /** Whether a client without one is let in; default true. */
    readonly required?: boolean
    /** `ask`: the verdict comes by `Session.answer`. */
    readonly verify: CertificateVerifier | 'ask'
    /** Distinguished names (DER) of the authorities that we trust, as a hint. */
    readonly authorities?: readonly Uint8Array[]
    /**
     * Do not ask in the handshake, but when `Session.requestCertificate` is called (§4.6.2); default
     * false.
     */
    readonly postHandshake?: boolean
  }
  /**
   * Take early data (§2.3) with tickets that we issue; off unless given. What comes early may come
   * again at another server: only who knows what a request does can tell whether that matters (RFC 8470).
   */
  readonly earlyData?: {
    /** Bytes at most in one handshake. */
    readonly maximum: number
    /** `ask`: the verdict comes by `Session.answer`. */
    readonly replay: ReplayStore | 'ask'
    /**
     * Milliseconds by which a client's and our reckoning of a ticket's age may differ; default 10000 (§8.3).
     */
    readonly window?: number
  }
  /**
   * Bytes of refused early data that are passed over (§4.2.10), records' overhead included; default 64
   * KiB more than `earlyData`.
   */
  readonly skipEarlyData?: number
  /**
   * Send every client back once with a cookie, and keep nothing of what it said until it returns (§4.2.2):
   * that is in the cookie, sealed. A session that has not spoken yet takes a hello with the cookie of another
   * one. Off unless given.
   */
  readonly cookies?: CookieSealer
}

export interface ClientConfig extends CommonConfig {
  /**
   * The name to ask for and to hold the certificate against: a host name in ASCII, other letters as A-labels
   * (RFC 5890 §2.3.2.1). A dot at its end is left out.
   */
  readonly serverName?: string
  /** `ask`: the verdict comes by `Session.answer`. */
  readonly verify: CertificateVerifier | 'ask'
  /** Our own certificates, for servers that ask for one. */
  readonly certificates?: readonly Certificate[]
  /** Let the server ask for a certificate after the handshake, too (§4.6.2); default false. */
  readonly postHandshakeAuth?: boolean
  /** A ticket from an earlier session with this server. */
  readonly resume?: ResumptionTicket
  /**
   * Offer early data if the ticket allows it; `Session.sendEarly` gives it. Default false: it can be
   * replayed.
   */
  readonly earlyData?: boolean
  /** Sprinkle reserved values over the hello, so that servers stay tolerant (RFC 8701); default true. */
  readonly grease?: boolean
  /** Groups to send a key share for; default: the provider's first. */
  readonly keyShares?: readonly number[]
  /**
   * Ask for an OCSP response and for certificate timestamps; what comes is given to the verifier. Default
   * false.
   */
  readonly requestStatus?: boolean
  /** Schemes for which we take a delegated credential (RFC 9345); default: none. */
  readonly delegatedCredentials?: readonly number[]
  /** Send a session id, so that the handshake looks like TLS 1.2 (RFC 8446 Appendix D.4); default true. */
  readonly compatibilityMode?: boolean
}

/** What a session tells its owner. */
export type SessionEvent =
  | {
      readonly type: 'handshake_complete'
      readonly cipherSuite: string
      readonly serverName: string | undefined
      readonly alpn: string | undefined
      readonly resumed: boolean
    }
  /** `early`: it came before the handshake was over, and may be a replay. */
  | { readonly type: 'application_data'; readonly data: Uint8Array; readonly early?: true }
  /** Client: what became of the early data that was offered. Rejected data must be sent again, if at all. */
  | { readonly type: 'early_data'; readonly accepted: boolean }
  /** Work for the application; the session waits for `answer(id, …)`. */
  | { readonly type: 'question'; readonly id: number; readonly question: Question }
  /** Server: a client has shown a certificate, or that it has none, after the handshake. */
  | { readonly type: 'client_authenticated'; readonly certificate: Uint8Array | undefined }
  | { readonly type: 'key_update'; readonly updateRequested: boolean }
  /** Both sides have new keys. `generation`: how many extended key updates that makes; travels with moves. */
  | { readonly type: 'extended_key_update'; readonly generation: number }
  | { readonly type: 'new_session_ticket'; readonly ticket: ResumptionTicket }
  | { readonly type: 'close_notify' }
  /** The session has ended with an error: the peer's alert, or ours, which is then in the output. */
  | {
      readonly type: 'alert'
      readonly from: 'peer' | 'local'
      readonly alert: AlertName
      readonly error: TlsError
    }
