import { createRequire } from 'node:module'

/** Where something of OpenSSL's lies in memory; never 0. */
export type Address = number

/** Memory that never moves, of zeros at first. */
export interface Block {
  readonly address: Address
  readonly bytes: Uint8Array
}

/**
 * OpenSSL's functions as this Node has them. An argument `uintptr_t` is an address, `uint8_t *` an array,
 * which costs more to pass. No length is checked here: a wrong one is overwritten memory.
 */
export type Bindings = ReturnType<typeof loadBindings>

/**
 * The only file under `tls13` that imports koffi; nothing is loaded before this is called.
 * @throws Error if koffi or a symbol is missing
 */
export function loadBindings() {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  // Node exports what it has linked in, or has loaded it itself.
  const library = koffi.load(null)
  const clearErrors = library.func('void ERR_clear_error()')
  /** OpenSSL notes errors in a queue that Node's own calls look at: it is left as it was found, empty. */
  const failed = (call: string): Error => {
    clearErrors()
    return new Error(`${call} failed`)
  }
  const ifThere = (definition: string) => {
    try {
      return library.func(definition)
    } catch {
      return undefined
    }
  }
  return {
    failed,
    clearErrors,
    /** @throws Error unless a call has said 1 */
    check(call: string, status: number): void {
      if (status !== 1) throw failed(call)
    },
    /** @throws Error if a call has given no address */
    there(call: string, pointer: number | bigint): Address {
      const number = Number(pointer)
      if (number === 0) throw failed(call)
      return number
    },
    /** @param length bytes @returns never freed: for what lives as long as the process */
    block(length: number): Block {
      const address = koffi.alloc('uint8', length)
      return { address: Number(address), bytes: new Uint8Array(koffi.view(address, length)).fill(0) }
    },

    cipherFetch: library.func('uintptr_t EVP_CIPHER_fetch(uintptr_t, const char *, uintptr_t)'),
    cipherContextNew: library.func('uintptr_t EVP_CIPHER_CTX_new()'),
    cipherContextFree: library.func('void EVP_CIPHER_CTX_free(uintptr_t)'),
    cipherInit: library.func(
      'int EVP_CipherInit_ex(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, int)',
    ),
    update: library.func('int EVP_CipherUpdate(uintptr_t, uintptr_t, uintptr_t, uintptr_t, int)'),
    updateFrom: library.func('int EVP_CipherUpdate(uintptr_t, uintptr_t, uintptr_t, uint8_t *, int)'),
    updateBytes: library.func('int EVP_CipherUpdate(uintptr_t, uint8_t *, uintptr_t, uint8_t *, int)'),
    final: library.func('int EVP_CipherFinal_ex(uintptr_t, uintptr_t, uintptr_t)'),
    control: library.func('int EVP_CIPHER_CTX_ctrl(uintptr_t, int, int, uintptr_t)'),
    digestFetch: library.func('uintptr_t EVP_MD_fetch(uintptr_t, const char *, uintptr_t)'),
    digestContextNew: library.func('uintptr_t EVP_MD_CTX_new()'),
    digestInit: library.func('int EVP_DigestInit_ex(uintptr_t, uintptr_t, uintptr_t)'),
    digestUpdate: library.func('int EVP_DigestUpdate(uintptr_t, uint8_t *, size_t)'),
    digestFinal: library.func('int EVP_DigestFinal_ex(uintptr_t, uintptr_t, uintptr_t)'),
    hmacContextNew: library.func('uintptr_t HMAC_CTX_new()'),
    hmacInit: library.func('int HMAC_Init_ex(uintptr_t, uintptr_t, int, uintptr_t, uintptr_t)'),
    hmacInitFrom: library.func('int HMAC_Init_ex(uintptr_t, uint8_t *, int, uintptr_t, uintptr_t)'),
    hmacUpdate: library.func('int HMAC_Update(uintptr_t, uintptr_t, size_t)'),
    hmacUpdateFrom: library.func('int HMAC_Update(uintptr_t, uint8_t *, size_t)'),
    hmacFinal: library.func('int HMAC_Final(uintptr_t, uintptr_t, uintptr_t)'),
    // Not of OpenSSL's public face: compared with `node` before it is used, like all of this.
    x25519Public: ifThere('void ossl_x25519_public_from_private(uintptr_t, uintptr_t)'),
    x25519Shared: ifThere('int ossl_x25519(uintptr_t, uintptr_t, uintptr_t)'),
  }
}

interface Koffi {
  load(path: null): {
    func(definition: string): (...args: (number | string | Uint8Array)[]) => number
  }
  alloc(type: string, count: number): bigint
  view(pointer: bigint, length: number): ArrayBuffer
}
