import { createHash, X509Certificate } from 'node:crypto'
import { selfSigned } from '../certificates/request.ts'
import type { Clock } from '../time/clock.ts'
import type { CryptoProvider } from '../tls13/crypto/provider.ts'
import { type ClientConfig, type ServerConfig, TlsError } from '../tls13/index.ts'
import { toClientConfig, toServerConfig } from '../tls13/io/net.ts'

const NOT_VOUCHED = 'no host is in the directory with that certificate'

/** What two links speak above TLS. */
export const ALPN = 'hotpotato-hosts/1'

/** Which host shows a certificate with that digest, as the directory says; undefined: none does. */
export type Vouch = (digest: string) => string | undefined

/** Who this link is: a key that never leaves it, made at its start. */
export interface Identity {
  /** SHA-256 of its certificate, in hexadecimal. */
  readonly digest: string
  readonly client: ClientConfig
  readonly server: ServerConfig
}

/** @param name of this host @param vouch of the others: a peer for which it does not is refused */
export async function makeIdentity(
  provider: CryptoProvider,
  name: string,
  clock: Clock,
  vouch: Vouch,
): Promise<Identity> {
  const { der, privateKey } = await selfSigned(name, [name], clock.wall())
  const verify: Exclude<ClientConfig['verify'], 'ask'> = ([leaf]) => {
    if (vouch(digestOf(leaf!)) === undefined)
      throw new TlsError('unknown_ca', 'local', 'refused_by_application', NOT_VOUCHED)
    const { publicKey } = new X509Certificate(leaf!)
    return { publicKey: Uint8Array.from(publicKey.export({ type: 'spki', format: 'der' })) }
  }
  const own = { provider, cert: der, key: privateKey, alpn: [ALPN] }
  return {
    digest: digestOf(der),
    client: toClientConfig({ ...own, verify }, name),
    server: toServerConfig({ ...own, tickets: false, clientCertificates: { required: true, verify } }),
  }
}

/** SHA-256 of a certificate in DER, in hexadecimal. */
export function digestOf(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex')
}
