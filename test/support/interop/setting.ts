import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KEY_ALGORITHMS, type KeyAlgorithm, makeCertificates } from '../../../src/certificates/authority.ts'
import type { CryptoProvider } from '../../../src/tls13/crypto/provider.ts'
import { certificateFromPem } from '../../../src/tls13/io/pem.ts'
import { LONG } from '../long.ts'

export const SUITES = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
] as const

/** OpenSSL's names for the groups, and what ours are called. */
export const GROUPS = { X25519: 'x25519', 'P-256': 'secp256r1', 'P-384': 'secp384r1' } as const
export type GroupName = keyof typeof GROUPS

/** Every suite × group × kind of certificate. */
export const MATRIX = SUITES.flatMap(suite =>
  (Object.keys(GROUPS) as GroupName[]).flatMap(group =>
    KEY_ALGORITHMS.map(certificate => ({ suite, group, certificate })),
  ),
)

/**
 * The same for programs, of which each row starts one: all of them in a long run (`HOTPOTATO_LONG=1`),
 * otherwise every kind of certificate once and, by turns, every suite and every group. (`node:tls`, which
 * starts none, meets all in each run.)
 */
export const SAMPLE = LONG
  ? MATRIX
  : MATRIX.filter(({ suite, group, certificate }) => {
      const turn = KEY_ALGORITHMS.indexOf(certificate)
      const groups = Object.keys(GROUPS)
      return SUITES[turn % SUITES.length] === suite && groups[(turn + 1) % groups.length] === group
    })

/**
 * Certificates of every kind in a directory of their own, `p256.local` to `rsa.local`, from one authority.
 */
export interface Setting {
  readonly directory: string
  /** The authority's certificate: file and PEM. */
  readonly caFile: string
  readonly ca: string
  file(name: KeyAlgorithm, kind: 'crt' | 'key'): string
  pem(name: KeyAlgorithm, kind: 'crt' | 'key'): string
  /** The certificates of a server that has them all and picks by server name. */
  certificates(provider: CryptoProvider): ReturnType<typeof certificateFromPem>[]
  remove(): void
}

export async function makeSetting(): Promise<Setting> {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-interop-'))
  for (const algorithm of KEY_ALGORITHMS) {
    await makeCertificates({ directory, certificates: [{ name: algorithm }], algorithm, now: Date.now() })
  }
  const file = (name: string, kind: string) => join(directory, `${name}.${kind}`)
  const pem = (name: string, kind: string) => readFileSync(file(name, kind), 'utf8')
  return {
    directory,
    caFile: file('ca', 'crt'),
    ca: pem('ca', 'crt'),
    file,
    pem,
    certificates: provider =>
      KEY_ALGORITHMS.map(name =>
        certificateFromPem(provider, pem(name, 'crt'), pem(name, 'key'), [`${name}.local`]),
      ),
    remove: () => rmSync(directory, { recursive: true }),
  }
}

/** The provider with one suite and some groups alone, in that order. */
export function only(
  provider: CryptoProvider,
  suite: string | undefined,
  groups: readonly GroupName[],
): CryptoProvider {
  return {
    ...provider,
    cipherSuites: provider.cipherSuites.filter(one => suite === undefined || one.name === suite),
    groups: groups.map(name => provider.groups.find(one => one.name === GROUPS[name])!),
  }
}
