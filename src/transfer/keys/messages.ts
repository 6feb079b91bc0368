import { boolean, opaque, struct, text, uint16, uint32, uint64, vector } from '../../wire/index.ts'

/* What containers and signers say to each other of certificates, and the supervisor of their files. */

/** Bytes of the id of a certificate, as a session names it. */
const certificateId = opaque(1, 64)
/** SubjectPublicKeyInfo, DER. */
const publicKey = opaque(1, 1024)

/** A certificate whose key a signer has. */
const SignedFor = struct('SignedFor', {
  id: certificateId,
  /** DER, the end-entity certificate first. */
  chain: vector(opaque(1, 2 ** 24 - 1), 1, 2 ** 24 - 1),
  /** That the key signs by, in order of preference. */
  schemes: vector(uint16, 2, 254),
  /** Whether it allows delegated credentials. */
  delegates: boolean,
})

export const Certificates = struct('Certificates', { certificates: vector(SignedFor, 0, 2 ** 24 - 1) })

export const Sign = struct('Sign', {
  /** Chosen by the container. */
  ticket: uint32,
  certificate: certificateId,
  scheme: uint16,
  /** Of the handshake, up to the Certificate: all that the container can choose of what is signed. */
  transcriptHash: opaque(32, 64),
})

export const Signed = struct('Signed', {
  ticket: uint32,
  /** Empty if it is refused. */
  signature: opaque(0, 2 ** 16 - 1),
  /** Why it is; empty if it is not. */
  reason: text(0, 255),
})

export const Delegate = struct('Delegate', {
  certificate: certificateId,
  /** The one scheme that the key signs by. */
  scheme: uint16,
  publicKey,
})

export const Delegated = struct('Delegated', {
  certificate: certificateId,
  publicKey,
  /** A DelegatedCredential (RFC 9345 §4). */
  credential: opaque(1, 2 ** 16 - 1),
  /** The scheme of its own signature. */
  algorithm: uint16,
  /** Milliseconds since 1970. */
  notAfter: uint64,
})

/** `NAME.crt` and `NAME.key` in that directory. */
const KeyFiles = struct('KeyFiles', {
  functionName: text(1, 63),
  directory: text(1, 4096),
  name: text(1, 255),
})

export const Certify = struct('Certify', { files: vector(KeyFiles, 0, 2 ** 24 - 1) })
