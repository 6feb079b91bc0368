import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import * as tls from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { CertificateVerifier } from '../../../src/tls13/authentication.ts'
import { withHybridGroups } from '../../../src/tls13/crypto/hybrid.ts'
import { noble } from '../../../src/tls13/crypto/noble.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import type { CryptoProvider } from '../../../src/tls13/crypto/provider.ts'
import { connect, createServer } from '../../../src/tls13/io/net.ts'
import { certificateFromPem } from '../../../src/tls13/io/pem.ts'

/*
 * Whole handshakes with the TLS of this very Node over every group and every kind of key: an implementation
 * that shares no line with ours says whether numbers, orders and lengths are right.
 */

const VERSION = process.versions.openssl

/** Our names of the groups and OpenSSL's. */
const GROUPS: Readonly<Record<string, string>> = {
  x25519: 'X25519',
  secp256r1: 'prime256v1',
  secp384r1: 'secp384r1',
  secp521r1: 'secp521r1',
  x448: 'X448',
  ffdhe2048: 'ffdhe2048',
  ffdhe3072: 'ffdhe3072',
  ffdhe4096: 'ffdhe4096',
  ffdhe6144: 'ffdhe6144',
  ffdhe8192: 'ffdhe8192',
  X25519MLKEM768: 'X25519MLKEM768',
  SecP256r1MLKEM768: 'SecP256r1MLKEM768',
}

/** Kinds of certificates: what `openssl req` is asked for, and the scheme that only such a key has. */
const KINDS = [
  { kind: 'P-521', scheme: 'ecdsa_secp521r1_sha512', args: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-521'] },
  { kind: 'Ed448', scheme: 'ed448', args: ['ed448'] },
  { kind: 'id-RSASSA-PSS', scheme: 'rsa_pss_pss_sha256', args: ['rsa-pss'] },
  {
    kind: 'id-RSASSA-PSS for SHA-384',
    scheme: 'rsa_pss_pss_sha384',
    args: [
      ...['rsa-pss', '-pkeyopt', 'rsa_pss_keygen_md:sha384', '-pkeyopt', 'rsa_pss_keygen_mgf1_md:sha384'],
      ...['-pkeyopt', 'rsa_pss_keygen_saltlen:48'],
    ],
  },
] as const

const hasTool = spawnSync('openssl', ['version']).status === 0
const tool = hasTool ? 'certificates by openssl' : 'SKIPPED: there is no openssl on the path'

let directory: string
const closers: (() => void)[] = []

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-openssl-'))
})
afterAll(() => rmSync(directory, { recursive: true }))
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

describe.each([node, noble].map(withHybridGroups))('$name with the TLS of Node', provider => {
  // an unknown name is an error of createSecureContext: that is how we know what this OpenSSL has
  for (const [name, curve] of Object.entries(GROUPS)) {
    const there = knows(curve)
    const title = there ? `OpenSSL ${VERSION}` : `SKIPPED: OpenSSL ${VERSION} does not have this group`
    const all = [...provider.groups, ...(provider.costlyGroups ?? [])]
    const only = { ...provider, groups: all.filter(group => group.name === name) }
    it.skipIf(!there || !hasTool)(`${name}, ${title}, ${tool}`, async () => {
      const identity = certificate('p256', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'])
      expect(only.groups.length).toBe(1)
      await theyServe(only, identity, { ecdhCurve: curve })
      await weServe(only, identity, { ecdhCurve: curve })
    })
  }

  it.skipIf(!hasTool).each(KINDS)(`$kind, OpenSSL ${VERSION}, ${tool}`, async ({ args, kind, scheme }) => {
    const identity = certificate(kind.replaceAll(' ', '-'), args)
    const signatureAlgorithms = provider.signatureAlgorithms.filter(({ name }) => name === scheme)
    expect(signatureAlgorithms.length).toBe(1)
    const only = { ...provider, signatureAlgorithms }
    await theyServe(only, identity)
    await weServe(only, identity)
  })
})

interface Pem {
  readonly cert: string
  readonly key: string
}

/** Node serves, we ask. */
async function theyServe(
  provider: CryptoProvider,
  identity: Pem,
  options: tls.TlsOptions = {},
): Promise<void> {
  const server = tls.createServer({ ...identity, minVersion: 'TLSv1.3', ...options }, socket => {
    socket.on('error', () => {}) // the client goes without a word
    socket.pipe(socket)
  })
  const port = await listen(server)
  await echoes(connect({ host: '127.0.0.1', port, serverName: 'echo.local', provider, verify }))
}

/** We serve, Node asks. */
async function weServe(
  provider: CryptoProvider,
  { cert, key }: Pem,
  options: tls.ConnectionOptions = {},
): Promise<void> {
  const certificates = [certificateFromPem(provider, cert, key)]
  const port = await listen(
    createServer({ certificates, provider }, connection => {
      connection.on('error', () => {})
      connection.pipe(connection)
    }),
  )
  // the certificate is its own authority; the signature over the handshake is verified in any case
  const client = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
  await echoes(client)
  expect(client.getProtocol()).toBe('TLSv1.3')
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  return (server.address() as AddressInfo).port
}

async function echoes(client: Duplex): Promise<void> {
  closers.push(() => client.destroy())
  client.write('potato')
  const [chunk] = await once(client, 'data')
  expect(Buffer.from(chunk).toString()).toBe('potato')
}

/** Trusts any certificate: what is tried here is the signature that its key makes. */
const verify: CertificateVerifier = ([leaf]) => {
  const { publicKey } = new X509Certificate(leaf!)
  return { publicKey: new Uint8Array(publicKey.export({ format: 'der', type: 'spki' })) }
}

function knows(curve: string): boolean {
  try {
    tls.createSecureContext({ ecdhCurve: curve })
    return true
  } catch {
    return false
  }
}

const made = new Map<string, Pem>()

/** A certificate that signs itself; made once for each name. */
function certificate(name: string, args: readonly string[]): Pem {
  const known = made.get(name)
  if (known !== undefined) return known
  const [cert, key] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)]
  const { status, stderr } = spawnSync(
    'openssl',
    [
      ...['req', '-x509', '-nodes', '-subj', '/CN=echo.local', '-keyout', key, '-out', cert, '-newkey'],
      ...args,
    ],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(stderr)
  const identity = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
  made.set(name, identity)
  return identity
}
