import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { CipherSuite, CryptoProvider } from '../../src/tls13/index.ts'

/** The providers that are compared. */
export const PROVIDERS: readonly CryptoProvider[] = [node, noble]

/** A suite of a provider. @throws Error it has none of that name */
export function suiteNamed(provider: CryptoProvider, name: string): CipherSuite {
  const suite = provider.cipherSuites.find(one => one.name === name)
  if (suite === undefined) throw new Error(`the provider ${provider.name} has no ${name}`)
  return suite
}
