/** Everything cryptographic that a session needs. A plain record: build a new one from parts of others. */
export interface CryptoProvider {
  readonly name: string
  /** In order of preference. */
  readonly cipherSuites: readonly CipherSuite[]
  /** In order of preference; a client sends a key share for the first. */
  readonly groups: readonly KeyExchangeGroup[]
  /**
   * Groups that a client may make a server work for out of all proportion (CVE-2002-20001). They are in
   * no list unless they are put there by name, as `select` does.
   */
  readonly costlyGroups?: readonly KeyExchangeGroup[]
  /** In order of preference. */
  readonly signatureAlgorithms: readonly SignatureAlgorithm[]
  readonly random: Random
}

/** Fills `length` new bytes from a cryptographic source (or from a test's script). */
export type Random = (length: number) => Uint8Array

/** A TLS 1.3 cipher suite: an AEAD and a hash under one number (RFC 8446 Appendix B.4). */
export interface CipherSuite {
  readonly id: number
  readonly name: string
  readonly aead: AeadAlgorithm
  readonly hash: HashAlgorithm
  /**
   * Binds a traffic secret (RFC 8446 §7.3). Optional: where it is missing, keys are derived by `hash` and
   * bound by `aead`, and the bytes are the same.
   */
  readonly protect?: (trafficSecret: Uint8Array) => RecordCipher
}

/** The records of one direction under one traffic secret, with key, iv and nonces (RFC 8446 §5.2, §5.3). */
export interface RecordCipher {
  /**
   * Writes a whole record to `output` from `at`, where there is room for it.
   * @param content overlaps none of it, and fits into one record @param padding bytes of zeros behind it
   */
  seal(
    sequenceNumber: number,
    type: number,
    content: Uint8Array,
    padding: number,
    output: Uint8Array,
    at: number,
  ): void
  /**
   * Opens the record whose header begins at `at`. @param length bytes of its fragment
   * @param allocate memory for its content, or for all of the inner plaintext; it need not be asked
   * @returns undefined if the tag does not fit: not one unverified byte gets out
   */
  open(
    sequenceNumber: number,
    bytes: Uint8Array,
    at: number,
    length: number,
    allocate: Allocate,
  ): Opened | undefined
  /** Forgets the keys, for good: `seal` and `open` throw afterwards. */
  wipe(): void
}

/** Gives memory of so many bytes. */
export type Allocate = (length: number) => Uint8Array

/** What a protected record held. */
export interface Opened {
  /** 0: nothing but padding. */
  readonly type: number
  readonly content: Uint8Array
  /** Bytes of the inner plaintext: content, content type and padding. */
  readonly length: number
}

/** An AEAD algorithm (RFC 5116). Lengths in bytes. */
export interface AeadAlgorithm {
  readonly name: string
  readonly keyLength: number
  readonly ivLength: number
  readonly tagLength: number
  /** Records that may be sealed under one key (RFC 8446 §5.5). */
  readonly confidentialityLimit: number
  /**
   * Binds a key. The result depends on the key alone: equal nonces give equal bytes, in any order, in any
   * process.
   */
  withKey(key: Uint8Array): Aead
}

/** A keyed AEAD. It remembers nothing between calls. */
export interface Aead {
  /** @returns ciphertext and tag, `plaintext.length + tagLength` bytes */
  seal(nonce: Uint8Array, additionalData: Uint8Array, plaintext: Uint8Array): Uint8Array
  /**
   * @param memory of exactly the plaintext's length, which may be used for it, and overlaps nothing else
   * @returns the plaintext, or undefined if the tag does not fit: not one unverified byte gets out
   */
  open(
    nonce: Uint8Array,
    additionalData: Uint8Array,
    ciphertext: Uint8Array,
    memory?: Uint8Array,
  ): Uint8Array | undefined
  /**
   * Like {@link seal} for `plaintext` with `tail` behind it, but into memory that is there: `plaintext.length
   * + tail.length + tagLength` bytes of `output` from `at`, which must not overlap the others. A `RangeError`
   * if they do not fit. Optional: where it is missing, `seal` is called and its result copied.
   */
  sealInto?(
    nonce: Uint8Array,
    additionalData: Uint8Array,
    plaintext: Uint8Array,
    tail: Uint8Array,
    output: Uint8Array,
    at: number,
  ): void
  /**
   * Forgets the key, for good: `seal` and `open` throw afterwards. Optional: elsewhere the garbage collector
   * does it in its time.
   */
  wipe?(): void
}

/** A hash function with its HMAC. HKDF is written once over `hmac`. */
export interface HashAlgorithm {
  readonly name: 'sha256' | 'sha384'
  /** Bytes of a digest. */
  readonly length: number
  digest(data: Uint8Array): Uint8Array
  /** @param count bytes wanted of it, from the front; all of them by default */
  hmac(key: Uint8Array, data: Uint8Array, count?: number): Uint8Array
}

/**
 * A key exchange group (RFC 8446 §4.2.7), shaped so that Diffie-Hellman and a KEM both fit. Private
 * keys are bytes, so a session can leave in the middle of its handshake.
 */
export interface KeyExchangeGroup {
  readonly id: number
  readonly name: string
  /** What a client offers. `keyExchange` goes on the wire (RFC 8446 §4.2.8). */
  generate(random: Random): { readonly privateKey: Uint8Array; readonly keyExchange: Uint8Array }
  /**
   * What a server answers; undefined if the peer's share is no valid one (wrong length, not on the curve,
   * all-zero result).
   */
  respond(
    random: Random,
    peerKeyExchange: Uint8Array,
  ): { readonly keyExchange: Uint8Array; readonly sharedSecret: Uint8Array } | undefined
  /** What the client makes of the answer; undefined if the peer's share is no valid one. */
  complete(privateKey: Uint8Array, peerKeyExchange: Uint8Array): Uint8Array | undefined
}

/** A signature scheme (RFC 8446 §4.2.3). */
export interface SignatureAlgorithm {
  readonly scheme: number
  readonly name: string
  /** Parses a PKCS#8 DER private key once; undefined if it is not a key for this scheme. */
  signer(privateKey: Uint8Array): Signer | undefined
  /**
   * Whether a public key is one for this scheme: of its kind, on its curve, and not restricted to another
   * hash (RFC 8446 §4.2.3). @param publicKey SubjectPublicKeyInfo in DER
   */
  fits(publicKey: Uint8Array): boolean
  /**
   * @param publicKey SubjectPublicKeyInfo in DER. A key of another kind, or malformed input, is just false.
   */
  verify(publicKey: Uint8Array, content: Uint8Array, signature: Uint8Array): boolean
}

/** A private key bound to one scheme. */
export interface Signer {
  readonly scheme: number
  sign(content: Uint8Array): Uint8Array
}
