import { expect, it } from 'vitest'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import { keyPair, providers, scripted } from '../support/providers.ts'

it('a provider made of parts of two others works like each of them', () => {
  const mixed: CryptoProvider = { ...node, name: 'mixed', cipherSuites: noble.cipherSuites }
  const random = scripted(1)
  mixed.cipherSuites.forEach((suite, index) => {
    const key = random(suite.aead.keyLength)
    const nonce = random(suite.aead.ivLength)
    const sealed = suite.aead.withKey(key).seal(nonce, key, nonce)
    expect(node.cipherSuites[index]!.aead.withKey(key).open(nonce, key, sealed)).toEqual(nonce)
  })
  mixed.groups.forEach((group, index) => {
    const client = group.generate(random)
    const answer = noble.groups[index]!.respond(random, client.keyExchange)!
    expect(group.complete(client.privateKey, answer.keyExchange)).toEqual(answer.sharedSecret)
  })
  const { privateKey, publicKey } = keyPair('ed25519')
  const own = mixed.signatureAlgorithms.find(algorithm => algorithm.name === 'ed25519')!
  const signature = own.signer(privateKey)!.sign(publicKey)
  const other = noble.signatureAlgorithms.find(algorithm => algorithm.name === 'ed25519')!
  expect(other.verify(publicKey, publicKey, signature)).toBe(true)
})

it('all providers have the same suites, groups and schemes in the same order', () => {
  const outline = (provider: CryptoProvider): unknown => ({
    cipherSuites: provider.cipherSuites.map(({ id, name, aead: { withKey: _, ...aead }, hash }) => [
      id,
      name,
      aead,
      hash.name,
      hash.length,
    ]),
    groups: provider.groups.map(group => [group.id, group.name]),
    signatureAlgorithms: provider.signatureAlgorithms.map(({ scheme, name }) => [scheme, name]),
  })
  for (const provider of providers) expect(outline(provider)).toEqual(outline(node))
})
