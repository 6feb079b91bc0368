import { readFileSync } from 'node:fs'
import type { HashAlgorithm } from '../../tls13/crypto/provider.ts'
import type { CryptoProvider, ServerConfig } from '../../tls13/index.ts'
import { parseCertificates } from '../../tls13/io/pem.ts'
import { boolean, encode, opaque, struct, text, vector } from '../../wire/index.ts'

/**
 * What a function demands of clients: tickets are bound to the hash of it, so that no other rules can be had
 * by resuming.
 */
const ClientRules = struct('ClientRules', {
  functionName: text(1, 63),
  demanded: boolean,
  /** The hash of each authority's certificate, in ascending order. */
  authorities: vector(opaque(32, 64), 0, 2 ** 24 - 1),
})

/** What a function demands of clients, as configuration and in short. */
export interface Demand {
  /** Undefined if clients need no certificate. */
  readonly clientCertificates: ServerConfig['clientCertificates']
  /** A hash, of the provider's first suite. */
  readonly digest: Uint8Array
}

/**
 * Reads what a function demands of clients.
 * @param file authorities of which clients must show a certificate, in PEM; undefined: they need none
 * @throws Error the file cannot be read, or holds no certificate
 */
export async function demandOf(
  provider: CryptoProvider,
  functionName: string,
  file: string | undefined,
): Promise<Demand> {
  const { hash } = provider.cipherSuites[0]!
  if (file === undefined)
    return { clientCertificates: undefined, digest: digestOf(hash, functionName, undefined) }
  try {
    // Loaded when asked for: it would cost every container a fifth of its start.
    const { verifier } = await import('../../tls13/io/verify.ts')
    const ca = readFileSync(file, 'utf8')
    const verify = verifier({ ca, purpose: 'client' })
    const authorities = parseCertificates(ca).map(({ raw }) => raw)
    return {
      clientCertificates: { required: true, verify },
      digest: digestOf(hash, functionName, authorities),
    }
  } catch (error) {
    throw new Error(`clientAuthorities ${file}: ${(error as Error).message}`, { cause: error })
  }
}

function digestOf(
  hash: HashAlgorithm,
  functionName: string,
  authorities: readonly Uint8Array[] | undefined,
): Uint8Array {
  const hashes = (authorities ?? []).map(one => hash.digest(one)).sort((a, b) => Buffer.compare(a, b))
  return hash.digest(
    encode(ClientRules, { functionName, demanded: authorities !== undefined, authorities: hashes }),
  )
}
