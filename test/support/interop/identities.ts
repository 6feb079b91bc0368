import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KEY_ALGORITHMS, makeCertificates } from '../../../src/certificates/authority.ts'
import type { Certificate } from '../../../src/tls13/authentication.ts'
import type { CryptoProvider } from '../../../src/tls13/crypto/provider.ts'
import { certificateFromPem } from '../../../src/tls13/io/pem.ts'
import type { Kind } from './matrix.ts'

/** Keys that the project makes no development certificates for: `openssl genpkey` makes them. */
const OTHERS = {
  p521: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
  ed448: ['-algorithm', 'ED448'],
  'rsa-pss': [
    '-algorithm',
    'RSA-PSS',
    '-pkeyopt',
    'rsa_keygen_bits:2048',
    '-pkeyopt',
    'rsa_pss_keygen_md:sha256',
    '-pkeyopt',
    'rsa_pss_keygen_mgf1_md:sha256',
    '-pkeyopt',
    'rsa_pss_keygen_saltlen:32',
  ],
  person: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
} as const

/**
 * Certificates in a directory of their own, `p256.local` to `rsa-pss.local`, and `person` for clients, all of
 * one development authority. Those that `openssl` has to make are there only if it is.
 */
export interface Identities {
  readonly directory: string
  readonly caFile: string
  readonly ca: string
  file(name: Kind | 'person', kind: 'crt' | 'key'): string
  pem(name: Kind | 'person', kind: 'crt' | 'key'): string
  /** For a server of ours that picks by server name. */
  certificates(provider: CryptoProvider, kinds: readonly Kind[]): Certificate[]
  /** A file with certificate and key in the format PKCS #12, password `potato`. */
  pkcs12(name: Kind | 'person'): string
  remove(): void
}

export async function makeIdentities(): Promise<Identities> {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-peers-'))
  const file = (name: string, kind: string) => join(directory, `${name}.${kind}`)
  for (const algorithm of KEY_ALGORITHMS) {
    await makeCertificates({ directory, certificates: [{ name: algorithm }], algorithm, now: Date.now() })
  }
  for (const [name, args] of Object.entries(OTHERS)) {
    const purpose = name === 'person' ? 'clientAuth' : 'serverAuth'
    writeFileSync(
      file(name, 'ext'),
      'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n' +
        `extendedKeyUsage=${purpose}\n` +
        `subjectAltName=DNS:${name}.local,DNS:localhost,IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n`,
    )
    openssl('genpkey', ...args, '-out', file(name, 'key'))
    openssl('req', '-new', '-key', file(name, 'key'), '-subj', `/CN=${name}`, '-out', file(name, 'csr'))
    const authority = ['-CA', file('ca', 'crt'), '-CAkey', file('ca', 'key'), '-CAcreateserial']
    const result = ['-days', '30', '-sha256', '-extfile', file(name, 'ext'), '-out', file(name, 'crt')]
    openssl('x509', '-req', '-in', file(name, 'csr'), ...authority, ...result)
  }
  const pem = (name: string, kind: string) => readFileSync(file(name, kind), 'utf8')
  return {
    directory,
    caFile: file('ca', 'crt'),
    ca: pem('ca', 'crt'),
    file,
    pem,
    certificates: (provider, kinds) =>
      kinds.map(name => certificateFromPem(provider, pem(name, 'crt'), pem(name, 'key'), [`${name}.local`])),
    pkcs12(name) {
      const pair = ['-in', file(name, 'crt'), '-inkey', file(name, 'key')]
      openssl(
        'pkcs12',
        '-export',
        ...pair,
        '-name',
        name,
        '-passout',
        'pass:potato',
        '-out',
        file(name, 'p12'),
      )
      return file(name, 'p12')
    },
    remove: () => rmSync(directory, { recursive: true }),
  }
}

function openssl(...args: string[]): void {
  const { status, stderr, error } = spawnSync('openssl', args, { encoding: 'utf8' })
  if (error !== undefined) throw new Error('no openssl on the path, which makes certificates for these tests')
  if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`)
}
