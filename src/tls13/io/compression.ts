import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  deflateSync,
  type InputType,
  inflateSync,
} from 'node:zlib'
import { equal } from '../../wire/index.ts'
import { CertificateCompressionAlgorithm } from '../codepoints.ts'
import type { CertificateCompression } from '../config.ts'

/** Certificates by zlib (RFC 1950; RFC 8879 §3). */
export const zlib: CertificateCompression = compression(
  CertificateCompressionAlgorithm.zlib,
  message => deflateSync(message, { level: 9 }),
  inflateSync,
)

/** Certificates by Brotli (RFC 7932; RFC 8879 §3). */
export const brotli: CertificateCompression = compression(
  CertificateCompressionAlgorithm.brotli,
  message => brotliCompressSync(message, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: message.length } }),
  brotliDecompressSync,
)

/**
 * With `info`, Node also gives the engine, which knows how much of the input it has taken; its types do not
 * say so.
 */
type Decompress = (input: InputType, options: { maxOutputLength: number; info: true }) => unknown

function compression(
  algorithm: number,
  compress: (message: Uint8Array) => Uint8Array,
  decompress: Decompress,
): CertificateCompression {
  let last: { readonly message: Uint8Array; readonly compressed: Uint8Array } | undefined
  return {
    algorithm,
    compress(message) {
      // A server shows the same certificate again and again, and compressing costs more than everything else
      // about it.
      if (last === undefined || !equal(last.message, message)) {
        last = { message: message.slice(), compressed: Uint8Array.from(compress(message)) }
      }
      return last.compressed
    },
    decompress(compressed, length) {
      if (length === 0) return undefined
      try {
        const { buffer, engine } = decompress(compressed, { maxOutputLength: length, info: true }) as {
          buffer: Uint8Array
          engine: { bytesWritten: number }
        }
        const whole = buffer.length === length && engine.bytesWritten === compressed.length
        return whole ? Uint8Array.from(buffer) : undefined
      } catch {
        // Malformed, cut, or longer than it says.
        return undefined
      }
    },
  }
}
