import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificates } from '../../../src/certificates/authority.ts'

/** PEM texts of an authority and of a certificate that it has issued for `localhost` and for `name`. */
export interface Credentials {
  readonly authority: string
  readonly certificate: string
  readonly key: string
}

/** Makes an authority and one certificate, for a server by default, and leaves no file behind. */
export async function makeCredentials(
  name = 'localhost',
  purpose: 'server' | 'client' = 'server',
): Promise<Credentials> {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-example-'))
  try {
    await makeCertificates({
      directory,
      certificates: [{ name: 'leaf', hosts: [name] }],
      purpose,
      now: Date.now(),
    })
    const read = (file: string): string => readFileSync(join(directory, file), 'utf8')
    return { authority: read('ca.crt'), certificate: read('leaf.crt'), key: read('leaf.key') }
  } finally {
    rmSync(directory, { recursive: true })
  }
}
