import type { Annotation } from '../wire/index.ts'

/** Who sent it. */
export type Side = 'client' | 'server'

/** What a {@link Tracer} has understood, in the order in which it took place on the wire. */
export type TraceEvent =
  | TracedRecord
  | TracedMessage
  | TracedAlert
  | TracedData
  | TracedSecret
  | TracedKeys
  | TracedGap

/** A record (RFC 8446 §5.1, §5.2). */
export interface TracedRecord {
  readonly kind: 'record'
  readonly side: Side
  /** How many records that side had sent before. */
  readonly index: number
  /** Header and fragment, as they were on the wire. */
  readonly bytes: Uint8Array
  /** Of its content: what the header says of a record in clear, or what was sealed with it. */
  readonly type: number
  /** Without content type and padding. */
  readonly content: Uint8Array
  readonly sealed: TracedSeal | undefined
}

/** How a record was protected. */
export interface TracedSeal {
  /** The traffic secret whose key opened it. */
  readonly secret: string
  /** The number that went into the nonce (RFC 8446 §5.3). */
  readonly sequenceNumber: number
  /** Bytes of zeros behind the content type (RFC 8446 §5.4). */
  readonly padding: number
}

/** A whole handshake message (RFC 8446 §4). */
export interface TracedMessage {
  readonly kind: 'message'
  readonly side: Side
  readonly type: string
  /** With its header of four bytes. */
  readonly bytes: Uint8Array
  /** Its fields, those of its extensions among them. */
  readonly fields: Annotation
  /** Of all messages up to this one; undefined until the hash is chosen, and after the handshake. */
  readonly transcriptHash: Uint8Array | undefined
}

/** An alert (RFC 8446 §6). */
export interface TracedAlert {
  readonly kind: 'alert'
  readonly side: Side
  /** Undefined for a number that TLS does not know. */
  readonly name: string | undefined
  readonly bytes: Uint8Array
}

/** Content of the application. */
export interface TracedData {
  readonly kind: 'data'
  readonly side: Side
  readonly bytes: Uint8Array
}

/** A secret, and how it follows from others (RFC 8446 §7.1). */
export interface TracedSecret {
  readonly kind: 'secret'
  readonly name: string
  readonly secret: Uint8Array
  readonly step: Step
  /** Whether it comes out the same when computed from what was seen; undefined: an input is unknown. */
  readonly follows: boolean | undefined
}

/** One arrow of the key schedule. */
export type Step = Extraction | Expansion

/** HKDF-Extract: two inputs, one of which is the secret before. */
export interface Extraction {
  readonly operation: 'HKDF-Extract'
  readonly hash: string
  /** `Derive-Secret(PREVIOUS, "derived", "")`, or zeros. */
  readonly salt: { readonly from: string; readonly bytes: Uint8Array }
  /** What else goes in; its bytes are undefined where a session does not tell them. */
  readonly input: { readonly what: string; readonly bytes: Uint8Array | undefined }
}

/** HKDF-Expand-Label. */
export interface Expansion {
  readonly operation: 'HKDF-Expand-Label'
  readonly hash: string
  readonly from: string
  /** Without the "tls13 " in front. */
  readonly label: string
  /** A hash of messages, a nonce, or nothing. */
  readonly context: { readonly what: string; readonly bytes: Uint8Array }
  /** The HkdfLabel as HKDF-Expand is given it. */
  readonly info: Uint8Array
}

/** What a traffic secret is used for (RFC 8446 §7.3). */
export interface TracedKeys {
  readonly kind: 'keys'
  readonly side: Side
  readonly secret: string
  readonly aead: string
  readonly key: Uint8Array
  readonly iv: Uint8Array
}

/** Bytes that are not understood: their key is unknown, or they are no TLS. */
export interface TracedGap {
  readonly kind: 'gap'
  readonly side: Side
  readonly length: number
  readonly reason: string
  /** As they were on the wire; undefined for what lies in records that are told of themselves. */
  readonly bytes: Uint8Array | undefined
}
