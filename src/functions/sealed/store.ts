import { deriveKey, HASH_LENGTH, type SealedCrypto, suiteOf } from '../../sealed/crypto.ts'
import { concat, utf8 } from '../../wire/index.ts'

/** What a sealed function keeps between requests: values by name, sealed before they leave its process. */
export interface Store {
  /** @returns undefined if nothing is kept under that name @throws Error it has been changed on the disk */
  get(name: string): Promise<Uint8Array | undefined>
  /** @param value at most 1 MiB; of two calls at once, the last one wins */
  set(name: string, value: Uint8Array | string): Promise<void>
  delete(name: string): Promise<void>
}

/** What keeps values that it cannot read. */
export interface Shelf {
  load(name: Uint8Array): Promise<Uint8Array>
  /** @param value empty: nothing is kept any more */
  save(name: Uint8Array, value: Uint8Array): Promise<void>
}

const MOST = 2 ** 20

/**
 * A store under keys that follow from a data key: a later version of a function that is sealed under the same
 * one finds what an earlier one has left. Who has the disk can bring back an older value, and not make one.
 */
export function sealedStore(
  shelf: Shelf,
  { functionName, cipherSuite, dataKey }: { functionName: string; cipherSuite: number; dataKey: Uint8Array },
  crypto: SealedCrypto,
): Store {
  const suite = suiteOf(crypto, cipherSuite)
  const salt = utf8(functionName)
  const names = deriveKey(suite, dataKey, salt, 'names')
  const aead = suite.aead.withKey(deriveKey(suite, dataKey, salt, 'store'))
  const { ivLength } = suite.aead
  const hidden = (name: string): Uint8Array => suite.hash.hmac(names, utf8(name), HASH_LENGTH)
  return {
    async get(name) {
      const kept = await shelf.load(hidden(name))
      if (kept.length === 0) return undefined
      const value = aead.open(kept.slice(0, ivLength), utf8(name), kept.slice(ivLength))
      if (value !== undefined) return value
      throw new Error(`what is kept under ${JSON.stringify(name)} has been changed, or is of another key`)
    },
    async set(name, given) {
      const value = typeof given === 'string' ? utf8(given) : given
      if (value.length > MOST) throw new RangeError(`a value has at most ${MOST} bytes, not ${value.length}`)
      const nonce = crypto.random(ivLength)
      await shelf.save(hidden(name), concat(nonce, aead.seal(nonce, utf8(name), value)))
    },
    delete: name => shelf.save(hidden(name), new Uint8Array(0)),
  }
}
