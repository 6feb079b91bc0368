import { describe, expect, it } from 'vitest'
import { nameOf, SignatureScheme } from '../../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig } from '../../../src/tls13/config.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import { DelegatedCredential, delegate } from '../../../src/tls13/delegated.ts'
import { decode, encode } from '../../../src/wire/index.ts'
import { certificateOf, ed25519Identity, trusting } from '../../support/identity.ts'
import { createPair, NOW, type Pair } from '../../support/pair.ts'
import { keyPair } from '../../support/providers.ts'
import { reshape } from '../../support/reshape.ts'

/* The scheme of a CertificateVerify must go with the key that it is held against (RFC 8446 §4.4.3). */

const RSAE = ['rsa_pss_rsae_sha256', 'rsa_pss_rsae_sha384', 'rsa_pss_rsae_sha512'] as const
const PSS = ['rsa_pss_pss_sha256', 'rsa_pss_pss_sha384', 'rsa_pss_pss_sha512'] as const

/** Every kind of key, and the schemes that go with it. */
const KINDS: readonly (readonly [
  Parameters<typeof keyPair>[0],
  readonly (keyof typeof SignatureScheme)[],
])[] = [
  ['p256', ['ecdsa_secp256r1_sha256']],
  ['p384', ['ecdsa_secp384r1_sha384']],
  ['p521', ['ecdsa_secp521r1_sha512']],
  ['ed25519', ['ed25519']],
  ['ed448', ['ed448']],
  ['rsa2048', RSAE],
  ['rsaPss2048', PSS],
  ['rsaPss2048sha384', ['rsa_pss_pss_sha384']],
]

const SCHEMES = node.signatureAlgorithms.map(({ scheme }) => scheme)

/** A key that says that it signs by a scheme that it is not for. */
const claiming = (algorithm: number) => reshape('certificate_verify', () => ({ algorithm }))()

/** The end of one side. */
const endOf = (events: Pair['clientEvents']) => {
  const last = events.at(-1)
  return last?.type === 'alert' ? [last.from, last.alert, last.error.reason] : [last?.type]
}
const WRONG = ['local', 'illegal_parameter', 'signature_scheme_of_other_keys']
const FORGED = ['local', 'decrypt_error', 'wrong_signature']

describe.each(KINDS)('a key of kind %s', (kind, good) => {
  const pair = keyPair(kind)
  const certificates = [certificateOf(pair, node)]
  const own = certificates[0]!.signers[0]!.scheme
  const others = SCHEMES.filter(scheme => scheme !== own)
  const expected = (scheme: number) =>
    (good as readonly string[]).includes(nameOf(SignatureScheme, scheme)) ? FORGED : WRONG

  it.each(others.map(scheme => [nameOf(SignatureScheme, scheme), scheme] as const))(
    'does not go with %s, of a server, of a client, or after the handshake, but with its own',
    (_, scheme) => {
      const server = createPair({ verify: trusting(pair) }, { certificates, shape: claiming(scheme) })
      server.settle()
      expect(endOf(server.clientEvents)).toEqual(expected(scheme))

      const asking: Partial<ServerConfig> = { clientCertificates: { verify: trusting(pair) } }
      const client = createPair({ certificates, shape: claiming(scheme) }, asking)
      client.settle()
      expect(endOf(client.serverEvents)).toEqual(expected(scheme))

      const later = { clientCertificates: { verify: trusting(pair), postHandshake: true } }
      const after = createPair({ certificates, postHandshakeAuth: true, shape: claiming(scheme) }, later)
      after.settle()
      after.server.requestCertificate()
      after.settle()
      expect(endOf(after.serverEvents)).toEqual(expected(scheme))
    },
  )
})

describe('the key of a delegated credential (RFC 9345 §4.1.3)', () => {
  const owner = ed25519Identity(7)
  const [signer] = certificateOf(owner, node).signers
  const DAY = 24 * 3600

  it.each([
    ['p256', 'p384'],
    ['p384', 'p256'],
    ['ed25519', 'ed448'],
    ['ed448', 'ed25519'],
    ['rsa2048', 'rsaPss2048'],
    ['p256', 'rsaPss2048'],
  ] as const)('of kind %s does not go with a scheme for keys of kind %s', (kind, claimed) => {
    const key = keyPair(kind)
    const delegateSigner = certificateOf(keyPair(claimed), node).signers[0]!
    const delegated = delegate(
      owner.publicKey,
      signer as never,
      { publicKey: key.publicKey, signer: delegateSigner },
      NOW - DAY * 1000,
      2 * DAY,
    )
    expect(decode(DelegatedCredential, delegated.credential).cred.dcCertVerifyAlgorithm).toBe(
      delegateSigner.scheme,
    )
    const client: Partial<ClientConfig> = {
      delegatedCredentials: [delegateSigner.scheme],
      verify: ([leaf]) => ({
        publicKey: leaf!,
        delegation: { notBefore: NOW - DAY * 1000, notAfter: NOW + 90 * DAY * 1000 },
      }),
    }
    const { chain } = certificateOf(owner, node)
    const both = createPair(client, { certificates: [{ chain, signers: [signer!], delegated }] })
    both.settle()
    expect(endOf(both.clientEvents)).toEqual(WRONG)
  })

  it('does not sign the credential by a scheme that the certificate is not for', () => {
    const key = keyPair('p256')
    const made = delegate(
      owner.publicKey,
      signer as never,
      { publicKey: key.publicKey, signer: certificateOf(key, node).signers[0]! },
      NOW - DAY * 1000,
      2 * DAY,
    )
    const algorithm = SignatureScheme.ed448
    const credential = encode(DelegatedCredential, {
      ...decode(DelegatedCredential, made.credential),
      algorithm,
    })
    const client: Partial<ClientConfig> = {
      delegatedCredentials: [SignatureScheme.ecdsa_secp256r1_sha256],
      verify: ([leaf]) => ({
        publicKey: leaf!,
        delegation: { notBefore: NOW - DAY * 1000, notAfter: NOW + 90 * DAY * 1000 },
      }),
    }
    const delegated = { ...made, credential, algorithm }
    const { chain } = certificateOf(owner, node)
    const both = createPair(client, { certificates: [{ chain, signers: [signer!], delegated }] })
    both.settle()
    expect(endOf(both.clientEvents)).toEqual(['local', 'illegal_parameter', 'wrong_delegated_signature'])
  })
})
