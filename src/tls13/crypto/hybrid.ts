import { ml_kem768 } from '@noble/post-quantum/ml-kem.js'
import { concat } from '../../wire/index.ts'
import { NamedGroup } from '../codepoints.ts'
import { drawBytes, groupNamed } from './algorithms.ts'
import type { CryptoProvider, KeyExchangeGroup } from './provider.ts'

/*
 * Key exchange that a quantum computer does not break: ML-KEM-768 (FIPS 203), alone and together with
 * elliptic curves (draft-ietf-tls-ecdhe-mlkem). A module of its own, because its library costs 17 ms to load;
 * a caller that wants these groups puts them into a provider. node:crypto has ML-KEM from Node 24.7 on, but
 * draws the randomness of a ciphertext itself, and ours is an argument: the library does it over every
 * provider. It gives no promise of constant time.
 */

/**
 * A provider that also has the hybrid groups, each after the classic group that it strengthens: classic
 * groups cost a tenth, and a server takes the first of its own list that a client brought a key share for. To
 * prefer hybrids, compose the list otherwise.
 */
export function withHybridGroups(provider: CryptoProvider): CryptoProvider {
  return { ...provider, groups: provider.groups.flatMap(group => [group, ...hybridGroups([group])]) }
}

/**
 * The hybrids over classic groups: X25519MLKEM768 over x25519, SecP256r1MLKEM768 over secp256r1, none over
 * others.
 */
export function hybridGroups(classic: readonly KeyExchangeGroup[]): readonly KeyExchangeGroup[] {
  return classic.flatMap(group => HYBRIDS[group.id]?.(group) ?? [])
}

/**
 * ML-KEM-768 alone (draft-ietf-tls-mlkem). The private key is the seed of 64 bytes, `d ‖ z`; key shares are
 * the encapsulation key of 1184 bytes and the ciphertext of 1088. `respond` refuses a key whose coefficients
 * are not below the modulus (FIPS 203, §7.2). `complete` refuses only other lengths: of a wrong
 * ciphertext it makes a secret that the peer does not have (§7.3), and the first protected record does not
 * open.
 */
export const mlKem768: KeyExchangeGroup = {
  ...groupNamed('MLKEM768'),
  generate(random) {
    const privateKey = drawBytes(random, SEED_LENGTH)
    const { publicKey, secretKey } = ml_kem768.keygen(privateKey)
    secretKey.fill(0)
    return { privateKey, keyExchange: publicKey }
  },
  respond(random, peerKeyExchange) {
    if (peerKeyExchange.length !== ENCAPSULATION_KEY_LENGTH) return undefined
    const message = drawBytes(random, MESSAGE_LENGTH)
    try {
      const { cipherText, sharedSecret } = ml_kem768.encapsulate(peerKeyExchange, message)
      return { keyExchange: cipherText, sharedSecret: sharedSecret.slice() } // a view of something larger
    } catch {
      return undefined // the lengths are right, so it is the modulus check
    }
  },
  complete(privateKey, peerKeyExchange) {
    if (privateKey.length !== SEED_LENGTH) throw new RangeError('not a private key of MLKEM768')
    if (peerKeyExchange.length !== CIPHERTEXT_LENGTH) return undefined
    const { secretKey } = ml_kem768.keygen(privateKey)
    const sharedSecret = ml_kem768.decapsulate(peerKeyExchange, secretKey).slice()
    secretKey.fill(0)
    return sharedSecret
  },
}

const SEED_LENGTH = 64
const MESSAGE_LENGTH = 32
const ENCAPSULATION_KEY_LENGTH = 1184
const CIPHERTEXT_LENGTH = 1088

/**
 * The first half of a hybrid group, and where it ends: in bytes of the private key, the client's share and
 * the server's.
 */
interface FirstHalf {
  readonly group: KeyExchangeGroup
  readonly privateKey: number
  readonly offer: number
  readonly answer: number
}

const ML_KEM_768: FirstHalf = {
  group: mlKem768,
  privateKey: SEED_LENGTH,
  offer: ENCAPSULATION_KEY_LENGTH,
  answer: CIPHERTEXT_LENGTH,
}

/**
 * Which hybrid there is over a classic group, by the latter's number (draft-ietf-tls-ecdhe-mlkem, §4).
 */
const HYBRIDS: { readonly [id: number]: (classic: KeyExchangeGroup) => KeyExchangeGroup } = {
  // ML-KEM comes first here, although the name says otherwise
  [NamedGroup.x25519]: classic => hybrid('X25519MLKEM768', ML_KEM_768, classic),
  [NamedGroup.secp256r1]: classic =>
    hybrid('SecP256r1MLKEM768', { group: classic, privateKey: 32, offer: 65, answer: 65 }, mlKem768),
}

/**
 * Two groups side by side: key shares, secrets and private keys of the one are followed by those of the
 * other. The halves look at their lengths themselves, so that a whole of another length is refused.
 */
function hybrid(name: keyof typeof NamedGroup, first: FirstHalf, second: KeyExchangeGroup): KeyExchangeGroup {
  return {
    ...groupNamed(name),
    generate(random) {
      const [a, b] = [first.group.generate(random), second.generate(random)]
      return {
        privateKey: concat(a.privateKey, b.privateKey),
        keyExchange: concat(a.keyExchange, b.keyExchange),
      }
    },
    respond(random, peerKeyExchange) {
      const a = first.group.respond(random, peerKeyExchange.subarray(0, first.offer))
      const b = a && second.respond(random, peerKeyExchange.subarray(first.offer))
      return (
        b && {
          keyExchange: concat(a.keyExchange, b.keyExchange),
          sharedSecret: concat(a.sharedSecret, b.sharedSecret),
        }
      )
    },
    complete(privateKey, peerKeyExchange) {
      const [keyA, keyB] = [privateKey.subarray(0, first.privateKey), privateKey.subarray(first.privateKey)]
      const a = first.group.complete(keyA, peerKeyExchange.subarray(0, first.answer))
      const b = a && second.complete(keyB, peerKeyExchange.subarray(first.answer))
      return b && concat(a, b)
    },
  }
}
