import { diffieHellmanGroup, X25519 } from '../algorithms.ts'
import type { KeyExchangeGroup } from '../provider.ts'
import type { Bindings } from './bindings.ts'

/** Bytes of a private key, a public key and a shared secret. */
const LENGTH = 32

// The block: what stands where, in bytes.
const PRIVATE_AT = 0
const PEER_AT = LENGTH
const RESULT_AT = 2 * LENGTH
const BLOCK = 3 * LENGTH

/**
 * X25519 (RFC 7748) by the functions that OpenSSL's key objects stand on. An object has its public key
 * computed whenever it is made of a private one, which is half of the work of a client's second step.
 * @returns undefined where this Node has no such functions: a shared libcrypto hides them
 */
export function x25519({ x25519Public, x25519Shared, block }: Bindings): KeyExchangeGroup | undefined {
  if (x25519Public === undefined || x25519Shared === undefined) return undefined
  const { address, bytes } = block(BLOCK)
  /** Runs a function on a private key. @returns what it has written; undefined if it says 0 */
  const run = (privateKey: Uint8Array, work: () => number): Uint8Array | undefined => {
    bytes.set(privateKey, PRIVATE_AT)
    try {
      return work() === 0 ? undefined : bytes.slice(RESULT_AT, RESULT_AT + LENGTH)
    } finally {
      bytes.fill(0)
    }
  }
  return diffieHellmanGroup(X25519, privateKey => ({
    publicKey: () =>
      run(privateKey, () => {
        x25519Public(address + RESULT_AT, address + PRIVATE_AT)
        return 1
      })!,
    sharedSecret: peer =>
      run(privateKey, () => {
        bytes.set(peer, PEER_AT)
        // 0 for a result of zeros (RFC 8446 §7.4.2).
        return x25519Shared(address + RESULT_AT, address + PRIVATE_AT, address + PEER_AT)
      }),
  }))
}
