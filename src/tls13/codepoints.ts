/** The numbers that IANA assigned, under their RFC names. Numbers we do not know stay numbers. */

/** RFC 8446 §5.1. */
export const ContentType = { change_cipher_spec: 20, alert: 21, handshake: 22, application_data: 23 } as const

/** TLS 1.2 on the wire, kept for middleboxes (RFC 8446 §4.1.2). */
export const LEGACY_VERSION = 0x0303
/** RFC 8446 §4.2.1. */
export const TLS13 = 0x0304

/** RFC 8446 Appendix B.4. */
export const CipherSuiteId = {
  TLS_AES_128_GCM_SHA256: 0x1301,
  TLS_AES_256_GCM_SHA384: 0x1302,
  TLS_CHACHA20_POLY1305_SHA256: 0x1303,
} as const

/** RFC 8446 §4.2.7; ML-KEM alone by draft-ietf-tls-mlkem, hybrids by draft-ietf-tls-ecdhe-mlkem. */
export const NamedGroup = {
  secp256r1: 0x0017,
  secp384r1: 0x0018,
  secp521r1: 0x0019,
  x25519: 0x001d,
  x448: 0x001e,
  ffdhe2048: 0x0100,
  ffdhe3072: 0x0101,
  ffdhe4096: 0x0102,
  ffdhe6144: 0x0103,
  ffdhe8192: 0x0104,
  MLKEM768: 0x0201,
  SecP256r1MLKEM768: 0x11eb,
  X25519MLKEM768: 0x11ec,
} as const

/** RFC 8446 §4.2.3. */
export const SignatureScheme = {
  rsa_pkcs1_sha256: 0x0401,
  rsa_pkcs1_sha384: 0x0501,
  rsa_pkcs1_sha512: 0x0601,
  ecdsa_secp256r1_sha256: 0x0403,
  ecdsa_secp384r1_sha384: 0x0503,
  ecdsa_secp521r1_sha512: 0x0603,
  rsa_pss_rsae_sha256: 0x0804,
  rsa_pss_rsae_sha384: 0x0805,
  rsa_pss_rsae_sha512: 0x0806,
  ed25519: 0x0807,
  ed448: 0x0808,
  rsa_pss_pss_sha256: 0x0809,
  rsa_pss_pss_sha384: 0x080a,
  rsa_pss_pss_sha512: 0x080b,
} as const

/** RFC 8446 §4.2.9. */
export const PskKeyExchangeMode = { psk_ke: 0, psk_dhe_ke: 1 } as const

/**
 * Bits of the extension `tls_flags` (draft-ietf-tls-tlsflags). That of draft-ietf-tls-extended-key-update is
 * still to be assigned; 64 is the first for private use.
 */
export const TlsFlag = { extended_key_update: 64 } as const

/** The name of a number in one of the tables above, or the number in hexadecimal. */
export function nameOf(table: Readonly<Record<string, number>>, value: number): string {
  for (const [name, number] of Object.entries(table)) if (number === value) return name
  return `0x${value.toString(16).padStart(4, '0')}`
}

/** Whether a 16-bit number is reserved to keep peers tolerant (RFC 8701). */
export function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff)
}

/** RFC 8879 §7.3. */
export const CertificateCompressionAlgorithm = { zlib: 1, brotli: 2, zstd: 3 } as const
