import { peerError } from '../alert.ts'
import { DerError, DerReader, only, Tag, toNumber, toObjectIdentifier } from './der.ts'

/*
 * Policy constraints (RFC 5280 §6.1): the verifier wants no policy itself, but an authority may demand that
 * the path below it has one. In place of the tree of §6.1.2 the policies of one certificate at a time are
 * kept, which is all that is asked here, and grows with their number alone (RFC 9618 §1).
 */

const ANY_POLICY = '2.5.29.32.0'

/** What a certificate says of policies: the values of its extensions, as they are there. */
export interface PolicyExtensions {
  readonly policies: Uint8Array | undefined
  readonly mappings: Uint8Array | undefined
  readonly inhibitAny: Uint8Array | undefined
  readonly constraints: PolicyConstraints | undefined
  readonly selfIssued: boolean
}

/** Certificates that may follow until a policy is needed, and until none may be mapped (§4.2.1.11). */
interface PolicyConstraints {
  readonly requireExplicit: number | undefined
  readonly inhibitMapping: number | undefined
}

/** @throws DerError if it is malformed or empty */
export function readPolicyConstraints(value: Uint8Array): PolicyConstraints {
  const reader = new DerReader(only(value, Tag.sequence))
  const requireExplicit = reader.takeIf(0x80)
  const inhibitMapping = reader.takeIf(0x81)
  reader.end()
  if (requireExplicit === undefined && inhibitMapping === undefined)
    throw new DerError('policy constraints without any')
  return {
    requireExplicit: requireExplicit && toNumber(requireExplicit),
    inhibitMapping: inhibitMapping && toNumber(inhibitMapping),
  }
}

/** CertificatePolicies (§4.2.1.4). */
function readPolicies(value: Uint8Array): ReadonlySet<string> {
  const reader = new DerReader(only(value, Tag.sequence))
  const policies = new Set<string>()
  while (reader.next !== undefined) {
    const policy = toObjectIdentifier(new DerReader(reader.take(Tag.sequence)).take(Tag.objectIdentifier))
    if (policies.has(policy)) throw new DerError(`the policy ${policy} twice`)
    policies.add(policy)
  }
  return policies
}

/** PolicyMappings (§4.2.1.5): for each policy of the issuer those of the subject that are as good. */
function readMappings(value: Uint8Array | undefined): ReadonlyMap<string, readonly string[]> {
  const mappings = new Map<string, string[]>()
  const reader = new DerReader(value === undefined ? new Uint8Array(0) : only(value, Tag.sequence))
  while (reader.next !== undefined) {
    const mapping = new DerReader(reader.take(Tag.sequence))
    const [from, to] = [mapping, mapping].map(one => toObjectIdentifier(one.take(Tag.objectIdentifier)))
    mapping.end()
    if (from === ANY_POLICY || to === ANY_POLICY) throw new DerError('a mapping of any policy')
    mappings.set(from!, [...(mappings.get(from!) ?? []), to!])
  }
  return mappings
}

/** What is known of a path from its authority down to some certificate. */
interface Known {
  /** Policies that the next certificate may name. */
  expected: ReadonlySet<string>
  /** The next certificate may name any. */
  any: boolean
  /** Certificates until a policy is needed, until none may be mapped, and until "any" is none. */
  explicit: number
  mapping: number
  anyPolicy: number
}

/**
 * Whether a path has a policy, if one of its authorities demands one.
 * @param path from the end-entity certificate up; not the anchor, which is no part of the path (§6.1)
 * @throws TlsError certificate_unknown if it has none @throws DerError for malformed extensions
 */
export function checkPolicies(path: readonly PolicyExtensions[]): void {
  if (!path.some(({ constraints }) => constraints?.requireExplicit !== undefined)) return
  const { length } = path
  const far = length + 1
  const known: Known = { expected: new Set(), any: true, explicit: far, mapping: far, anyPolicy: far }
  for (const [index, certificate] of path.toReversed().entries())
    follow(known, certificate, index === length - 1)
}

/** One certificate further (§6.1.3 (d) to (f), §6.1.4, §6.1.5). */
function follow(known: Known, certificate: PolicyExtensions, last: boolean): void {
  const { selfIssued, constraints } = certificate
  const valid = new Map<string, readonly string[]>()
  const named = certificate.policies === undefined ? new Set<string>() : readPolicies(certificate.policies)
  for (const policy of named)
    if (policy !== ANY_POLICY && (known.any || known.expected.has(policy))) valid.set(policy, [policy])
  const any = named.has(ANY_POLICY) && (known.anyPolicy > 0 || (selfIssued && !last))
  if (any) for (const policy of known.expected) if (!valid.has(policy)) valid.set(policy, [policy])
  known.any &&= any
  demand(known.explicit, valid.size > 0 || known.any)
  if (last) {
    const explicit = constraints?.requireExplicit === 0 ? 0 : known.explicit - 1
    demand(explicit, valid.size > 0 || known.any)
    return
  }
  for (const [policy, others] of readMappings(certificate.mappings)) {
    if (known.mapping <= 0) valid.delete(policy)
    else if (known.any || valid.has(policy)) valid.set(policy, others)
  }
  known.expected = new Set([...valid.values()].flat())
  const step = selfIssued ? 0 : 1
  const inhibitAny = certificate.inhibitAny && toNumber(only(certificate.inhibitAny, Tag.integer))
  known.explicit = Math.min(known.explicit - step, constraints?.requireExplicit ?? Number.POSITIVE_INFINITY)
  known.mapping = Math.min(known.mapping - step, constraints?.inhibitMapping ?? Number.POSITIVE_INFINITY)
  known.anyPolicy = Math.min(known.anyPolicy - step, inhibitAny ?? Number.POSITIVE_INFINITY)
}

function demand(explicit: number, policy: boolean): void {
  if (explicit <= 0 && !policy)
    throw peerError('certificate_unknown', 'no_valid_policy', 'a path without the policy that it needs')
}
