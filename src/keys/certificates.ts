import { loadCertificate, validityOf } from '../certificates/load.ts'
import { mayDelegate } from '../certificates/short-lived.ts'
import { type Certificate, certificateId, certificateWithKey } from '../tls13/authentication.ts'
import type { CryptoProvider, Signer } from '../tls13/crypto/provider.ts'
import { equal, hex } from '../wire/index.ts'

/** Where the certificate of a function and its key lie: `NAME.crt` and `NAME.key`. */
export interface KeyFiles {
  readonly functionName: string
  readonly directory: string
  readonly name: string
}

/** A certificate, by the id that a container names it with. */
export interface Held {
  readonly id: Uint8Array
  readonly certificate: Certificate
  /** It allows delegated credentials; then when it is valid, in milliseconds since 1970. */
  readonly delegation: { readonly notBefore: number; readonly notAfter: number } | undefined
}

/** Certificates of one function that are kept: a handshake may still wait for the one before. */
const KEPT = 2

/** The certificates of functions, each with its key. */
export class Certificates {
  readonly #provider: CryptoProvider
  /** The newest first. */
  readonly #byFunction = new Map<string, readonly Held[]>()

  constructor(provider: CryptoProvider) {
    this.#provider = provider
  }

  /**
   * Reads all files anew; functions that are not named have none any more.
   * @param failed told of what cannot be read: that function keeps what it had
   * @returns the functions whose certificate is another one than before
   */
  load(files: readonly KeyFiles[], failed: (error: Error, functionName: string) => void): string[] {
    const named = new Set(files.map(({ functionName }) => functionName))
    for (const functionName of [...this.#byFunction.keys()])
      if (!named.has(functionName)) this.#byFunction.delete(functionName)
    return files.filter(one => this.#loadOne(one, failed)).map(({ functionName }) => functionName)
  }

  #loadOne({ functionName, directory, name }: KeyFiles, failed: Parameters<this['load']>[1]): boolean {
    let read: Held
    try {
      const { chain, privateKey } = loadCertificate(directory, name)
      const certificate = certificateWithKey(this.#provider, chain, privateKey)
      const id = certificateId(this.#provider.cipherSuites[0]!.hash, certificate)
      read = { id, certificate, delegation: delegationOf(chain[0]!) }
    } catch (error) {
      failed(error as Error, functionName)
      return false
    }
    const before = this.of(functionName)
    if (before[0] !== undefined && equal(before[0].id, read.id)) return false
    const others = before.filter(({ id }) => hex(id) !== hex(read.id))
    this.#byFunction.set(functionName, [read, ...others].slice(0, KEPT))
    return true
  }

  /** What a function has, the newest first; none if its containers have their keys themselves. */
  of(functionName: string): readonly Held[] {
    return this.#byFunction.get(functionName) ?? []
  }

  /** What signs by that scheme with the key of that certificate, if it is one of that function. */
  signer(functionName: string, id: Uint8Array, scheme: number): Signer | undefined {
    const signers = this.of(functionName).find(one => equal(one.id, id))?.certificate.signers
    return signers?.find((one): one is Signer => one.scheme === scheme && one.sign !== undefined)
  }

  /** A certificate of that function that allows delegated credentials. */
  delegating(functionName: string, id: Uint8Array): Held | undefined {
    return this.of(functionName).find(one => equal(one.id, id) && one.delegation !== undefined)
  }

  /** Functions that have one. */
  get size(): number {
    return this.#byFunction.size
  }
}

function delegationOf(leaf: Uint8Array): Held['delegation'] {
  return mayDelegate(leaf) ? validityOf(leaf) : undefined
}
