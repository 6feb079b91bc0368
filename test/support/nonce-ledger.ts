import type { Aead, CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import { concat, hex } from '../../src/wire/index.ts'

/** One call of an AEAD's `seal`. */
export interface Sealed {
  readonly key: string
  readonly nonce: string
  readonly plaintext: Uint8Array
  readonly ciphertext: Uint8Array
}

/** Writes down everything that is sealed with the AEADs of a provider. */
export class NonceLedger {
  readonly provider: CryptoProvider
  readonly entries: Sealed[] = []

  constructor(inner: CryptoProvider) {
    const cipherSuites = inner.cipherSuites.map(suite => ({
      ...suite,
      aead: { ...suite.aead, withKey: (key: Uint8Array) => this.#watch(suite.aead.withKey(key), hex(key)) },
    }))
    this.provider = { ...inner, cipherSuites }
  }

  #watch(aead: Aead, key: string): Aead {
    return {
      open: (...words) => aead.open(...words),
      seal: (nonce, additionalData, plaintext) => {
        const ciphertext = aead.seal(nonce, additionalData, plaintext)
        this.entries.push({
          key,
          nonce: hex(nonce),
          plaintext: plaintext.slice(),
          ciphertext: ciphertext.slice(),
        })
        return ciphertext
      },
      sealInto: (nonce, additionalData, plaintext, tail, output, at) => {
        const whole = concat(plaintext, tail)
        const ciphertext = aead.seal(nonce, additionalData, whole)
        this.entries.push({ key, nonce: hex(nonce), plaintext: whole, ciphertext: ciphertext.slice() })
        output.set(ciphertext, at)
      },
    }
  }

  /** What was sealed and begins with these bytes, at least one. */
  find(beginning: Uint8Array): Sealed | undefined {
    if (beginning.length === 0) return undefined
    return this.entries.find(
      ({ ciphertext }) =>
        ciphertext.length >= beginning.length &&
        ciphertext[0] === beginning[0] &&
        beginning.every((byte, i) => ciphertext[i] === byte),
    )
  }
}
