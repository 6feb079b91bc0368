import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificates } from '../../src/certificates/authority.ts'

/** A certificate for a server, its key, and who has signed it: all in PEM. */
export interface Identity {
  readonly certificate: string
  readonly key: string
  readonly authority: string
}

/** A certificate (ECDSA, P-256) for a host name, under an authority of its own. */
export async function makeIdentity(host: string): Promise<Identity> {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-bench-'))
  try {
    await makeCertificates({ directory, certificates: [{ name: 'bench', hosts: [host] }], now: Date.now() })
    const read = (file: string): string => readFileSync(join(directory, file), 'utf8')
    return { certificate: read('bench.crt'), key: read('bench.key'), authority: read('ca.crt') }
  } finally {
    rmSync(directory, { recursive: true })
  }
}
