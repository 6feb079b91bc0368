import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ServerConfig } from '../tls13/index.ts'
import { parseCertificates } from '../tls13/io/pem.ts'
import { verifier } from '../tls13/io/verify.ts'
import { boolean, encode, fixed, struct, text, vector } from '../wire/index.ts'

/** What a function demands of clients: tickets are bound to the hash of it, so that no other rules can be had by resuming. */
const ClientRules = struct('ClientRules', {
  functionName: text(1, 63),
  demanded: boolean,
  /** SHA-256 of each authority's certificate, in ascending order. */
  authorities: vector(fixed(32), 0, 2 ** 24 - 1),
})

/** What a function demands of clients, as configuration and in short. */
export interface Demand {
  /** Undefined if clients need no certificate. */
  readonly clientCertificates: ServerConfig['clientCertificates']
  /** SHA-256, 32 bytes. */
  readonly digest: Uint8Array
}

/**
 * Reads what a function demands of clients.
 * @param file authorities of which clients must show a certificate, in PEM; undefined: they need none
 * @throws Error the file cannot be read, or holds no certificate
 */
export function demandOf(functionName: string, file: string | undefined): Demand {
  if (file === undefined) return { clientCertificates: undefined, digest: digestOf(functionName, undefined) }
  try {
    const ca = readFileSync(file, 'utf8')
    const verify = verifier({ ca, purpose: 'client' })
    const authorities = parseCertificates(ca).map(({ raw }) => raw)
    return { clientCertificates: { required: true, verify }, digest: digestOf(functionName, authorities) }
  } catch (error) {
    throw new Error(`clientAuthorities ${file}: ${(error as Error).message}`, { cause: error })
  }
}

function digestOf(functionName: string, authorities: readonly Uint8Array[] | undefined): Uint8Array {
  const hashes = (authorities ?? []).map(sha256).sort((a, b) => Buffer.compare(a, b))
  return sha256(
    encode(ClientRules, { functionName, demanded: authorities !== undefined, authorities: hashes }),
  )
}

function sha256(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest())
}
