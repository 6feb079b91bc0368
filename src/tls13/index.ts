/**
 * TLS 1.3 (RFC 8446) with no sockets and no clock. Loads without any `node:` import; the caller
 * that builds a config names the provider.
 */
export { AlertDescription, type AlertName, alertRecord, type ErrorOrigin, TlsError } from './alert.ts'
export {
  type Certificate,
  type CertificateVerifier,
  certificateWithKey,
  type DelegatedKey,
  type RemoteSigner,
  type Trusted,
  type VerifierContext,
} from './authentication.ts'
export {
  CertificateCompressionAlgorithm,
  CipherSuiteId,
  ContentType,
  isGrease,
  NamedGroup,
  nameOf,
  SignatureScheme,
} from './codepoints.ts'
export type {
  CertificateCompression,
  ClientConfig,
  ReplayStore,
  ServerConfig,
  SessionEvent,
} from './config.ts'
export { type CookieSealer, createCookieSealer } from './cookie.ts'
export type {
  Aead,
  AeadAlgorithm,
  CipherSuite,
  CryptoProvider,
  HashAlgorithm,
  KeyExchangeGroup,
  Random,
  SignatureAlgorithm,
  Signer,
} from './crypto/provider.ts'
export { delegate } from './delegated.ts'
export type { ExternalPsk } from './external-psk.ts'
export { keyLogLine } from './key-log.ts'
export { type ExposedSecret, KEY_SCHEDULE } from './key-schedule.ts'
export type { TrafficView } from './protection.ts'
export type { Answer, Question } from './question.ts'
export { type TlsReason, TlsReasons } from './reasons.ts'
export { recycle } from './record-memory.ts'
export { createReplayStore } from './replay.ts'
export { Session } from './session.ts'
export {
  freshServerState,
  ResumptionTicket,
  SessionState,
  SessionStateWithoutChain,
  TrafficState,
} from './state.ts'
export { createTicketKey, createTicketSealer, type TicketKey, type TicketSealer } from './ticket.ts'
