import { leafJwk } from '../certificates/leaf-key.ts'
import { certificateBlocks } from '../wire/pem.ts'
import { base64url } from './base64url.ts'
import type { AcmeError } from './error.ts'
import { ownKey } from './jws.ts'
import type { AcmeServer, Signing } from './server.ts'

/** Why a certificate is revoked, by the numbers of RFC 5280 §5.3.1 that an owner can give. */
export const REASONS = {
  unspecified: 0,
  'key-compromise': 1,
  superseded: 4,
  'cessation-of-operation': 5,
} as const
export type Reason = keyof typeof REASONS

/**
 * Revokes a certificate (RFC 8555 §7.6). That it was revoked already is no error.
 * @param pem the certificate, perhaps with its chain
 * @param signing the account that has got it, or the key of the certificate itself: {@link byOwnKey}
 * @throws AcmeError
 */
export async function revoke(
  server: AcmeServer,
  pem: string,
  reason: Reason,
  signing: Signing,
): Promise<void> {
  const { revokeCert } = await server.directory()
  const certificate = base64url(certificateBlocks(pem)[0]!.der)
  await server
    .post(revokeCert, { certificate, reason: REASONS[reason] }, signing)
    .catch((error: AcmeError) => {
      if (error.type !== 'alreadyRevoked') throw error
    })
}

/** What signs for who has the key of a certificate, and not its account. @param privateKey PEM */
export async function byOwnKey(privateKey: string): Promise<Signing> {
  return { key: await ownKey(leafJwk(privateKey)) }
}
