import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { brotliCompress, gzip, constants as zlib } from 'node:zlib'
import type { Validators } from './conditions.ts'
import type { Coding } from './encodings.ts'

/** What is sent of a resource, before it is cut or encoded (RFC 9110 §3.2). */
export interface Representation {
  /** As in Content-Type. */
  readonly type: string
  /** Of the identity coding. */
  readonly validators: Validators
  readonly content: Whole | Stored | Flowing
  /** Fields of the response beside those of the content. */
  readonly headers: Readonly<Record<string, string>>
}

/** Content that lies in memory, and its encoded forms once they were asked for. */
export interface Whole {
  readonly kind: 'whole'
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Whether encoding makes it smaller. */
  readonly compressible: boolean
  readonly encoded: Map<Coding, Promise<Uint8Array<ArrayBuffer>>>
}

/** Content that is read from a file as it is sent; the handle belongs to it. */
export interface Stored {
  readonly kind: 'stored'
  readonly handle: FileHandle
  readonly length: number
  /** Where it is below the directory that is shown, and what tells it from another one there. */
  readonly names: readonly string[]
  readonly tag: string
}

/** Content that is made as it is sent, of a file. */
export interface Flowing {
  readonly kind: 'flowing'
  readonly handle: FileHandle
  pieces(): AsyncGenerator<Uint8Array>
}

/** Bytes below which encoding is not worth its fields. */
const LEAST_ENCODED = 256
/** Quality of brotli: near its best for text, at a twentieth of the time. */
const BROTLI_QUALITY = 5

/** Content in memory. */
export function whole(bytes: Uint8Array<ArrayBuffer>, compressible: boolean): Whole {
  return {
    kind: 'whole',
    bytes,
    compressible: compressible && bytes.length >= LEAST_ENCODED,
    encoded: new Map(),
  }
}

/** The bytes in a coding; each is made once. */
export function encoded(content: Whole, coding: Coding): Promise<Uint8Array<ArrayBuffer>> {
  let made = content.encoded.get(coding)
  if (made === undefined) {
    made = encode(content.bytes, coding)
    content.encoded.set(coding, made)
  }
  return made
}

async function encode(bytes: Uint8Array<ArrayBuffer>, coding: Coding): Promise<Uint8Array<ArrayBuffer>> {
  switch (coding) {
    case 'identity':
      return bytes
    case 'gzip':
      return new Uint8Array(await promisify(gzip)(bytes))
    case 'br': {
      const params = {
        [zlib.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
        [zlib.BROTLI_PARAM_MODE]: zlib.BROTLI_MODE_TEXT,
        [zlib.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      }
      return new Uint8Array(await promisify(brotliCompress)(bytes, { params }))
    }
  }
}

/** An entity tag of bytes: other bytes have another one. */
export function tagOf(bytes: Uint8Array): string {
  return `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
}

/** The tag of a coding of what has this tag: each coding is a representation of its own. */
export function codedTag(tag: string, coding: Coding): string {
  return coding === 'identity' ? tag : `${tag.slice(0, -1)}-${coding}"`
}
