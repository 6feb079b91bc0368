/** Directories of ACME that have a name of their own. */
export const ACME_DIRECTORIES: Readonly<Record<string, string>> = {
  letsencrypt: 'https://acme-v02.api.letsencrypt.org/directory',
  'letsencrypt-staging': 'https://acme-staging-v02.api.letsencrypt.org/directory',
}

/** Ways to show that a name is ours (RFC 8555 §8.3, RFC 8737). */
export const CHALLENGES = ['http-01', 'tls-alpn-01'] as const
export type ChallengeType = (typeof CHALLENGES)[number]

/** The keys that an authority of the web can be asked to certify. */
export const LEAF_KEYS = ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-3072', 'rsa-4096'] as const
export type LeafKey = (typeof LEAF_KEYS)[number]

/** Where an authority looks (RFC 8555 §8.3); the token follows. */
export const HTTP01_PATH = '/.well-known/acme-challenge/'

/** A certificate that is wanted: the name of its files, and the hosts that it has to cover. */
export interface WantedCertificate {
  readonly name: string
  /** In ASCII and lower case. */
  readonly names: readonly string[]
}

/** What a stack file says of certificates from an authority of the web. */
export interface AcmeSettings {
  /** The URL of its directory. */
  readonly directory: string
  /** That the authority may write to. */
  readonly email: string | undefined
  /** Whether its terms of service are accepted. */
  readonly agreeToTerms: boolean
  /** An account with the authority that is there already; the file has its key, base64url. */
  readonly externalAccount: { readonly keyId: string; readonly keyFile: string } | undefined
  /** File of the authorities to trust for the server of the directory; undefined: those that Node trusts. */
  readonly ca: string | undefined
  readonly keyType: LeafKey
  readonly challenge: ChallengeType
  readonly profile: string | undefined
}
