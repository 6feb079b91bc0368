import { hybridGroups } from './hybrid.ts'
import type { CryptoProvider } from './provider.ts'

/** What of a provider is wanted, by names as RFC 8446 has them, in order of preference. */
export interface Selection {
  /** `X25519MLKEM768`, `x25519`, `secp256r1`, …; default: hybrids first, then the provider's `groups`. */
  readonly groups?: readonly string[]
  /** Whether that default ends with the provider's `costlyGroups`: for tools that try what there is. */
  readonly costly?: boolean
  /** `TLS_AES_128_GCM_SHA256`, …; default: all, in the provider's order. */
  readonly cipherSuites?: readonly string[]
}

/**
 * A provider with the hybrid groups in front, as browsers prefer them, and of the rest what is wanted. A
 * server takes the first group of this list that a client has sent a key share for.
 * @throws RangeError for an unknown name, and for none; it lists those that there are
 */
export function select(
  provider: CryptoProvider,
  { groups, costly = false, cipherSuites }: Selection = {},
): CryptoProvider {
  const ordinary = [...hybridGroups(provider.groups), ...provider.groups]
  const all = [...ordinary, ...(provider.costlyGroups ?? [])]
  return {
    ...provider,
    groups: groups === undefined ? (costly ? all : ordinary) : pick(all, groups, 'group'),
    cipherSuites:
      cipherSuites === undefined
        ? provider.cipherSuites
        : pick(provider.cipherSuites, cipherSuites, 'cipher suite'),
  }
}

function pick<T extends { readonly name: string }>(
  all: readonly T[],
  names: readonly string[],
  what: string,
): readonly T[] {
  const known = all.map(({ name }) => name).join(', ')
  if (names.length === 0) throw new RangeError(`no ${what} is named; known are ${known}`)
  return names.map(name => {
    const found = all.find(one => one.name.toLowerCase() === name.toLowerCase())
    if (found === undefined) throw new RangeError(`${name} is not a ${what}; known are ${known}`)
    return found
  })
}
