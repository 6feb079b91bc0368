import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { loadCertificate } from '../../src/certificates/load.ts'
import type { CryptoProvider } from '../../src/tls13/index.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { Mover } from './mover.ts'

/** Makes a certificate. @returns what makes a mover with it, by any provider */
export async function makeMovers(): Promise<(provider: CryptoProvider) => Mover> {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-bench-'))
  try {
    const host = 'raw-a.local'
    await makeCertificates({ directory, certificates: [{ name: 'bench', hosts: [host] }], now: Date.now() })
    const certificate = loadCertificate(directory, 'bench')
    const verify = verifier({ ca: readFileSync(join(directory, 'ca.crt'), 'utf8') })
    return provider => new Mover(provider, certificate, host, verify)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
