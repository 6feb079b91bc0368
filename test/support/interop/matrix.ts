import { LONG } from '../long.ts'
import { SUITES } from './setting.ts'

/*
 * What is tried with a peer: suites × groups × certificates × paths. A peer's table says what the peer calls
 * each of them, or why it cannot do it; the tests are made from the table, and what it cannot do is in the
 * report as a skipped test with its reason.
 */

export { SUITES }
export type SuiteName = (typeof SUITES)[number]

/** Our names of the groups on elliptic curves that every provider has. */
export const ALL_GROUPS = ['x25519', 'secp256r1', 'secp384r1', 'secp521r1', 'x448'] as const

/** Our names of the groups over finite fields. */
export const FINITE_FIELDS = ['ffdhe2048', 'ffdhe3072', 'ffdhe4096', 'ffdhe6144', 'ffdhe8192'] as const
export type Group = (typeof ALL_GROUPS)[number] | (typeof FINITE_FIELDS)[number]

/** The keys that a server's certificate may have. */
export const KINDS = ['p256', 'p384', 'p521', 'ed25519', 'ed448', 'rsa', 'rsa-pss'] as const
export type Kind = (typeof KINDS)[number]

/** Ways that a connection may go. */
export const PATHS = [
  'full handshake',
  'HelloRetryRequest',
  'resumption',
  'early data',
  'client certificate',
  'KeyUpdate',
] as const
export type Path = (typeof PATHS)[number]

/** Why a peer cannot do something. */
export interface Cannot {
  readonly cannot: string
}
export const cannot = (reason: string): Cannot => ({ cannot: reason })

/** What the peer calls a thing, or why it cannot do it; what is left out is not tried. */
type Names<Key extends string> = { readonly [K in Key]?: string | Cannot }

export interface Abilities {
  readonly suites: Names<SuiteName>
  readonly groups: Names<Group>
  readonly certificates: Names<Kind>
  readonly paths: Names<Path>
  /** Combinations that do not go although their parts do: the reason, or undefined. */
  readonly except?: (row: Row) => string | undefined
}

/** One test: the things by our names. */
export interface Row {
  readonly suite: SuiteName
  readonly group: Group
  readonly certificate: Kind
  readonly path: Path
}

/** Everything by the name that it has with us: for peers that are told nothing, because our side decides. */
export function sameNames<Key extends string>(keys: readonly Key[]): { readonly [K in Key]?: string } {
  return Object.fromEntries(keys.map(key => [key, key as string])) as { [K in Key]?: string }
}

/** The groups over finite fields, each once with a share at hand and once without. */
export function finiteFields(groups: Abilities['groups']): Abilities {
  return {
    suites: sameNames(['TLS_AES_128_GCM_SHA256']),
    groups,
    certificates: sameNames(['p256']),
    paths: sameNames(['full handshake', 'HelloRetryRequest']),
  }
}

/** What has to be met in a short run: things in pairs, or each thing once. */
export type Meeting = 'in pairs' | 'once'

/**
 * The rows to try with a peer: all that it can do in a long run, otherwise few, in which each thing is met.
 * @param meeting `in pairs` for the one peer for which, in a short run too, every path is met with every
 * suite and every group, and every suite with every group and every certificate
 */
export function rowsFor(abilities: Abilities, meeting: Meeting = 'once'): readonly Row[] {
  const { except = () => undefined } = abilities
  const all = able(abilities.suites).flatMap(suite =>
    able(abilities.groups).flatMap(group =>
      able(abilities.certificates).flatMap(certificate =>
        able(abilities.paths).map(path => ({ suite, group, certificate, path })),
      ),
    ),
  )
  const possible = all.filter(row => except(row) === undefined)
  if (LONG) return possible
  return covering(possible, meeting === 'once' ? Object.values : pairsOf)
}

/** What the peer cannot do, each with the reason, for tests that are skipped by that name. */
export function inabilities(abilities: Abilities): readonly string[] {
  const { suites, groups, certificates, paths } = abilities
  return [suites, groups, certificates, paths].flatMap(names =>
    Object.entries<string | Cannot>(names).flatMap(([name, value]) =>
      typeof value === 'string' ? [] : [`${name}: ${value.cannot}`],
    ),
  )
}

/** What the peer calls a thing. @throws Error if it cannot do it */
export function nameIn<Key extends string>(names: Names<Key>, key: Key): string {
  const name = names[key]
  if (typeof name !== 'string') throw new Error(`${key}: ${name?.cannot ?? 'not tried'}`)
  return name
}

function able<Key extends string>(names: Names<Key>): Key[] {
  return (Object.keys(names) as Key[]).filter(key => typeof names[key] === 'string')
}

/** Takes the row that meets the most until all is met; always the same rows for the same table. */
function covering(rows: readonly Row[], metBy: (row: Row) => readonly string[]): readonly Row[] {
  const open = new Set(rows.flatMap(metBy))
  const chosen: Row[] = []
  const gain = (row: Row) => metBy(row).filter(one => open.has(one)).length
  while (open.size > 0) {
    let best = rows[0]!
    let most = 0
    for (const row of rows) {
      const value = gain(row)
      if (value > most) {
        best = row
        most = value
      }
    }
    chosen.push(best)
    for (const one of metBy(best)) open.delete(one)
  }
  return chosen
}

function pairsOf({ suite, group, certificate, path }: Row): string[] {
  return [`${path} ${suite}`, `${path} ${group}`, `${certificate} ${suite}`, `${suite} ${group}`]
}
