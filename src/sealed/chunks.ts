import type { AeadAlgorithm } from '../tls13/crypto/provider.ts'
import { EMPTY } from '../wire/index.ts'
import { SealedError } from './error.ts'

/** Bytes of clear content in each chunk but the last. */
export const CHUNK = 65_536

/**
 * Seals content in chunks (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015): the
 * nonce counts the chunks and says which is the last, so that none can be missing, added or moved.
 * @param key used for nothing else, ever
 */
export function sealChunks(algorithm: AeadAlgorithm, key: Uint8Array, content: Uint8Array): Uint8Array {
  const aead = algorithm.withKey(key)
  const { tagLength } = algorithm
  const count = chunkCount(content.length)
  const output = new Uint8Array(content.length + count * tagLength)
  for (let index = 0; index < count; index++) {
    const chunk = content.subarray(index * CHUNK, (index + 1) * CHUNK)
    output.set(aead.seal(nonceOf(algorithm, index, count), EMPTY, chunk), index * (CHUNK + tagLength))
  }
  aead.wipe?.()
  return output
}

/**
 * Opens what {@link sealChunks} gave. @param length bytes of the content
 * @returns memory that no other thing shares, to be wiped
 * @throws SealedError `damaged`; not one byte that was not verified gets out
 */
export function openChunks(
  algorithm: AeadAlgorithm,
  key: Uint8Array,
  sealed: Uint8Array,
  length: number,
): Uint8Array {
  const { tagLength } = algorithm
  const count = chunkCount(length)
  if (sealed.length !== length + count * tagLength) throw damaged('it has lost bytes, or has too many')
  const aead = algorithm.withKey(key)
  const content = new Uint8Array(new ArrayBuffer(length))
  try {
    for (let index = 0; index < count; index++) {
      const start = index * (CHUNK + tagLength)
      const chunk = sealed.subarray(start, start + CHUNK + tagLength)
      const clear = aead.open(nonceOf(algorithm, index, count), EMPTY, chunk)
      if (clear === undefined) throw damaged(`its chunk ${index + 1} of ${count} has been changed`)
      content.set(clear, index * CHUNK)
      clear.fill(0)
    }
    return content
  } catch (error) {
    content.fill(0)
    throw error
  } finally {
    aead.wipe?.()
  }
}

/** There is always one: an empty content has a last chunk, too. */
function chunkCount(length: number): number {
  return Math.max(1, Math.ceil(length / CHUNK))
}

/** Which chunk it is, and whether it is the last (1) or not (0). */
function nonceOf({ ivLength }: AeadAlgorithm, index: number, count: number): Uint8Array {
  const nonce = new Uint8Array(ivLength)
  new DataView(nonce.buffer).setUint32(ivLength - 5, index)
  nonce[ivLength - 1] = index === count - 1 ? 1 : 0
  return nonce
}

function damaged(what: string): SealedError {
  return new SealedError('damaged', `the bundle is damaged: ${what}`)
}
