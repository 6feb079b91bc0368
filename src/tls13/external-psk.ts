import type { HashAlgorithm } from './crypto/provider.ts'

/** A key that both sides were given before they met (RFC 8446 §2.2). */
export interface ExternalPsk {
  /** 1 to 65535 bytes. */
  readonly identity: Uint8Array
  /** As random as a key must be: a password is not one. */
  readonly key: Uint8Array
  /** The hash that it may be used with; default sha256. An imported PSK is used with either. */
  readonly hash?: HashAlgorithm['name']
  /**
   * Use it by way of the importer of RFC 9258, which derives a key for each hash and binds it to TLS 1.3; the
   * context is 0 to 65535 bytes that both sides agree on.
   */
  readonly imported?: { readonly context: Uint8Array }
}
