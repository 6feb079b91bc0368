import { describe, expect, it } from 'vitest'
import type { Certificate } from '../../src/tls13/authentication.ts'
import { SignatureScheme } from '../../src/tls13/codepoints.ts'
import type { ClientConfig } from '../../src/tls13/config.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { delegate } from '../../src/tls13/delegated.ts'
import { Session } from '../../src/tls13/session.ts'
import { certificateOf, ed25519Identity, newIdentity, trusting } from '../support/identity.ts'
import {
  clientConfig,
  connectedPair,
  createPair,
  identity,
  joined,
  NOW,
  serverConfig,
} from '../support/pair.ts'
import { keyPair } from '../support/providers.ts'

/* Several entries of `certificates` with one end-entity certificate: which key signs (RFC 9345 §4.1). */

const day = 24 * 3600
const notBefore = NOW - day * 1000
const { signers } = certificateOf(identity, node)
const client = (): Partial<ClientConfig> => ({
  delegatedCredentials: [SignatureScheme.ed25519],
  verify: ([leaf]) => ({ publicKey: leaf!, delegation: { notBefore, notAfter: NOW + 90 * day * 1000 } }),
})

describe('of several entries with one certificate, the one that was chosen signs (§4.1)', () => {
  const keyOf = (seed: number) => {
    const key = ed25519Identity(seed)
    return { publicKey: key.publicKey, signer: certificateOf(key, node).signers[0]! }
  }
  const credentialFor = (seed: number, validTime: number) =>
    delegate(identity.publicKey, signers[0] as never, keyOf(seed), notBefore, validTime)
  const entry = (delegated?: Certificate['delegated']): Certificate => ({
    chain: [identity.publicKey],
    signers,
    ...(delegated === undefined ? {} : { delegated }),
  })
  const [expired, fresh, other] = [
    credentialFor(40, day - 1),
    credentialFor(41, 2 * day),
    credentialFor(42, day),
  ]

  it.each([
    ['an expired credential before a fresh one', [entry(expired), entry(fresh)]],
    ['a fresh credential before an expired one', [entry(fresh), entry(expired)]],
    ['no credential before one', [entry(), entry(fresh)]],
    [
      'a credential for a scheme that the client does not take before one for another',
      [
        entry(
          delegate(
            identity.publicKey,
            signers[0] as never,
            {
              publicKey: keyPair('p256').publicKey,
              signer: { scheme: SignatureScheme.ecdsa_secp256r1_sha256 },
            },
            notBefore,
            2 * day,
          ),
        ),
        entry(fresh),
      ],
    ],
    ['two good credentials', [entry(other), entry(fresh)]],
  ])('%s', (_, certificates) => {
    const { client: one } = connectedPair(client(), { certificates })
    expect(one.peerCertificate).toEqual(identity.publicKey)
    // and one that takes no credential is answered with the key of the certificate
    connectedPair({}, { certificates })
  })

  it('where the session has moved before it is signed, and its entries stand in another order', () => {
    const asked = [entry(expired), entry({ ...fresh, signer: { scheme: SignatureScheme.ed25519 } })]
    const pair = createPair(client(), { certificates: asked })
    pair.settle()
    expect(pair.serverEvents).toMatchObject([{ type: 'question', question: { delegated: true } }])
    for (const certificates of [
      [entry(expired), entry(fresh)],
      [entry(fresh), entry(expired)],
    ]) {
      const state = pair.server.inspect('with secrets')
      const moved = joined(
        Session.restore(pair.client.inspect('with secrets'), clientConfig(client())),
        Session.restore(state, serverConfig({ certificates })),
      )
      moved.settle()
      expect(moved.client.connected).toBe(true)
    }
  })

  it('the question names the credential, by the front of its hash', () => {
    const remote = { ...fresh, signer: { scheme: SignatureScheme.ed25519 } }
    const pair = createPair(client(), { certificates: [entry(expired), entry(remote)] })
    pair.settle()
    const { hash } = node.cipherSuites[0]!
    expect(pair.serverEvents).toMatchObject([
      { question: { certificate: hash.digest(fresh.credential).slice(0, 4), delegated: true } },
    ])
  })

  it('and so does one that has the scheme, if they differ in that', () => {
    const rsa = newIdentity('rsa2048')
    const whole = certificateOf(rsa, node)
    const only = (scheme: number) => ({
      chain: whole.chain,
      signers: whole.signers.filter(one => one.scheme === scheme),
    })
    const { rsa_pss_rsae_sha256, rsa_pss_rsae_sha384, rsa_pss_rsae_sha512 } = SignatureScheme
    const certificates = [rsa_pss_rsae_sha256, rsa_pss_rsae_sha384, rsa_pss_rsae_sha512].map(only)
    for (const scheme of [rsa_pss_rsae_sha256, rsa_pss_rsae_sha384, rsa_pss_rsae_sha512]) {
      const provider = {
        ...node,
        signatureAlgorithms: node.signatureAlgorithms.filter(one => one.scheme === scheme),
      }
      connectedPair({ provider, verify: trusting(rsa) }, { certificates })
    }
  })
})
