/** The keys that certificates can be made for. */
export const KEY_ALGORITHMS = ['p256', 'p384', 'ed25519', 'rsa'] as const
export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[number]
