import type { AlertName, TlsError } from './alert.ts'
import type { Certificate, CertificateVerifier } from './authentication.ts'
import type { CryptoProvider, Random } from './crypto/provider.ts'
import type { ExposedSecret } from './key-schedule.ts'
import type { HandshakeMessage } from './messages.ts'
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
  /** Shown every secret as the key schedule makes it. Off unless given: whoever gets these can read everything. */
  readonly onSecret?: (exposed: ExposedSecret, clientRandom: Uint8Array) => void
  /**
   * A last look at each handshake message of ours before it is encoded; what it returns is sent. For experiments and
   * for replaying published traces.
   */
  readonly shape?: (message: HandshakeMessage) => HandshakeMessage
  /** Zeros to put behind the content of a record (RFC 8446, Section 5.4); default: none. */
  readonly padding?: (contentLength: number) => number
  /** Bytes of the largest handshake message taken; default 64 KiB. */
  readonly handshakeMessageLimit?: number
}

export interface ServerConfig extends CommonConfig {
  readonly certificates: readonly Certificate[]
  /**
   * Whether a server name is one of ours; false is answered with unrecognized_name (RFC 6066, Section 3). Default: every
   * name is.
   */
  readonly recognizes?: (serverName: string) => boolean
  /** Issue tickets and accept them; off unless given. */
  readonly tickets?: {
    readonly sealer: TicketSealer
    /** Tickets sent after a handshake; default 2. */
    readonly count?: number
    /** Default 7200; at most 604800 (RFC 8446, Section 4.6.1). */
    readonly lifetimeSeconds?: number
  }
}

export interface ClientConfig extends CommonConfig {
  /** The name to ask for and to hold the certificate against. */
  readonly serverName?: string
  readonly verify: CertificateVerifier
  /** A ticket from an earlier session with this server. */
  readonly resume?: ResumptionTicket
  /** Groups to send a key share for; default: the provider's first. */
  readonly keyShares?: readonly number[]
  /** Send a session id, so that the handshake looks like TLS 1.2 (RFC 8446, Appendix D.4); default true. */
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
  | { readonly type: 'application_data'; readonly data: Uint8Array }
  | { readonly type: 'key_update'; readonly updateRequested: boolean }
  | { readonly type: 'new_session_ticket'; readonly ticket: ResumptionTicket }
  | { readonly type: 'close_notify' }
  /** The session has ended with an error: the peer's alert, or ours, which is then in the output. */
  | {
      readonly type: 'alert'
      readonly from: 'peer' | 'local'
      readonly alert: AlertName
      readonly error: TlsError
    }
