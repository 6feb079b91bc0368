import { DAY, TODAY } from '../certificates.ts'
import { type Case, type Cases, HOST } from './case.ts'
import { integer, objectId, sequence } from './der.ts'
import {
  directory,
  dns,
  extension,
  keyNamed,
  type Made,
  make,
  name,
  nameConstraints,
  type Shape,
} from './make.ts'

/* Policies; and chains that are made to be hard to follow: each has to come to an end soon. */

const ANY = '2.5.29.32.0'
const [A, B, C] = ['1.2.3.1', '1.2.3.2', '1.2.3.3']
const policies = (...ids: readonly string[]) =>
  extension('2.5.29.32', sequence(...ids.map(id => sequence(objectId(id)))))
const mappings = (...pairs: readonly (readonly [string, string])[]) =>
  extension('2.5.29.33', sequence(...pairs.map(([from, to]) => sequence(objectId(from), objectId(to)))), true)
const constraints = (explicit?: number, mapping?: number, critical = true) =>
  extension(
    '2.5.29.36',
    sequence(
      ...(explicit === undefined ? [] : [integer(explicit, 0x80)]),
      ...(mapping === undefined ? [] : [integer(mapping, 0x81)]),
    ),
    critical,
  )
const inhibitAny = (skip: number) => extension('2.5.29.54', integer(skip), true)

/** A path by the extensions of its certificates, from the one below the root to the leaf. */
function path(
  extensions: readonly (readonly Uint8Array[])[],
  ours: string,
  more: Partial<Case> = {},
): () => Case {
  return () => {
    const root = make('root', { authority: true })
    const others: Made[] = []
    let issuer = root
    for (const [index, list] of extensions.slice(0, -1).entries()) {
      issuer = make(`authority ${index}`, { authority: true, extensions: list }, issuer)
      others.unshift(issuer)
    }
    const leaf = make('leaf', { names: [dns(HOST)], extensions: extensions.at(-1)! }, issuer)
    return { leaf, others, trusted: [root], host: HOST, policies: true, ours, ...more }
  }
}

const NONE = 'no_valid_policy'
const POLICIES: Cases = {
  'none needed, none there': path([[], []], 'fine'),
  'needed and there': path([[constraints(0), policies(A)], [policies(A)]], 'fine'),
  'needed, and another one': path([[constraints(0), policies(A)], [policies(B)]], NONE),
  'needed, and none of the leaf': path([[constraints(0), policies(A)], []], NONE),
  'needed, and none of the authority': path([[constraints(0)], [policies(A)]], NONE),
  'needed, not critical': path([[constraints(0, undefined, false), policies(A)], [policies(B)]], NONE),
  'needed further down': path([[constraints(1), policies(A)], [policies(A)], [policies(B)]], NONE),
  'needed beyond the end': path([[constraints(2), policies(A)], [policies(B)]], 'fine'),
  'any policy of the authority': path([[constraints(0), policies(ANY)], [policies(A)]], 'fine'),
  'any policy of the leaf': path([[constraints(0), policies(A)], [policies(ANY)]], 'fine'),
  'any policy, which is inhibited': path(
    [[constraints(0), inhibitAny(0), policies(A)], [policies(ANY)]],
    NONE,
  ),
  'any policy, inhibited later': path(
    [[constraints(0), inhibitAny(1), policies(A)], [policies(ANY)]],
    'fine',
  ),
  'mapped to another': path([[constraints(0), policies(A), mappings([A, B])], [policies(B)]], 'fine'),
  'mapped, and the first one': path([[constraints(0), policies(A), mappings([A, B])], [policies(A)]], NONE),
  'mapped where it may not be': path(
    [[constraints(0, 0), policies(A)], [policies(A), mappings([A, B])], [policies(B)]],
    NONE,
  ),
  'mapped to two': path([[constraints(0), policies(A), mappings([A, B], [A, C])], [policies(C)]], 'fine'),
  'mapped from any': path([[constraints(0), policies(ANY), mappings([A, B])], [policies(B)]], 'fine'),
  'a mapping of any policy': path(
    [[constraints(0), policies(A), mappings([ANY, B])], [policies(B)]],
    'malformed_certificate',
  ),
  'a policy twice': path([[constraints(0), policies(A, A)], [policies(A)]], 'malformed_certificate'),
  'demanded by the leaf itself': path([[], [constraints(0)]], NONE),
  'demanded by the root': () => {
    const root = make('root', { authority: true, extensions: [constraints(0)] })
    const leaf = make('leaf', { names: [dns(HOST)] }, root)
    return { leaf, others: [], trusted: [root], policies: true, ours: 'fine' }
  },
  'constraints that are empty': path([[constraints()], []], 'malformed_certificate'),
  'needed, and openssl not asked to look': path([[constraints(0), policies(A)], [policies(B)]], NONE, {
    policies: false,
    openssl: 'accepts',
  }),
}

/** Authorities of one name and one key, which differ in their dates. */
function twins(count: number, shape: Shape, issuer?: Made): Made[] {
  const base = { authority: true, subject: name(['CN', 'twin']), key: keyNamed('twin'), ...shape }
  return Array.from({ length: count }, (_, index) =>
    make('twin', { ...base, to: TODAY + (index + 1) * DAY }, issuer),
  )
}

const many = (count: number, text: (index: number) => Uint8Array) =>
  Array.from({ length: count }, (_, i) => text(i))

/** Authorities, and the certificates that each has from each of the others. */
function crossSigned(labels: readonly string[]): { roots: readonly Made[]; crossed: readonly Made[] } {
  const roots = labels.map(label => make(label, { authority: true }))
  const crossed = roots.flatMap((issuer, from) =>
    labels.flatMap((label, to) => (from === to ? [] : [make(label, { authority: true }, issuer)])),
  )
  return { roots, crossed }
}

const TANGLED: Cases = {
  'an expired intermediate beside a root of the same name and key': () => {
    const [old, root] = [make('old', { authority: true }), make('root', { authority: true })]
    const cross = make('root', { authority: true, to: TODAY - DAY }, old)
    const leaf = make('leaf', { names: [dns(HOST)] }, root)
    return { leaf, others: [cross], trusted: [root, old], host: HOST, ours: 'fine' }
  },
  'two authorities that vouch for each other': () => {
    const root = make('root', { authority: true })
    const [one, two] = [make('one', { authority: true }), make('two', { authority: true })]
    const [a, b] = [make('one', { authority: true }, two), make('two', { authority: true }, one)]
    return {
      leaf: make('leaf', { names: [dns(HOST)] }, a),
      others: [a, b],
      trusted: [root],
      ours: 'untrusted_issuer',
    }
  },
  'two of one name that vouch for each other': () => {
    const root = make('root', { authority: true })
    const subject = name(['CN', 'one name'])
    const [one, two] = [make('one', { subject, authority: true }), make('two', { subject, authority: true })]
    const [a, b] = [
      make('one', { subject, authority: true }, two),
      make('two', { subject, authority: true }, one),
    ]
    return {
      leaf: make('leaf', { names: [dns(HOST)] }, a),
      others: [a, b],
      trusted: [root],
      ours: 'untrusted_issuer',
    }
  },
  'three that vouch for one another, of which one is trusted': () => {
    const { roots, crossed } = crossSigned(['a', 'b', 'c'])
    const below = ['a', 'b', 'c'].map((label, at) => make(`below ${label}`, { authority: true }, roots[at]))
    return {
      leaf: make('leaf', { names: [dns(HOST)] }, below[0]),
      others: [below[0]!, ...crossed, below[1]!, below[2]!],
      trusted: [roots[0]!],
      host: HOST,
      ours: 'fine',
    }
  },
  'three that vouch for one another, of which none is trusted': () => {
    const { roots, crossed } = crossSigned(['a', 'b', 'c'])
    return {
      leaf: make('leaf', { names: [dns(HOST)] }, roots[0]),
      others: crossed,
      trusted: [make('root', { authority: true })],
      ours: 'untrusted_issuer',
    }
  },
  'fifteen of one name and key': () => {
    const all = twins(15, {})
    const leaf = make('leaf', { names: [dns(HOST)] }, all[0]!)
    return { leaf, others: all, trusted: [make('root', { authority: true })], ours: 'chain_too_long' }
  },
  'the right one last among fourteen': () => {
    const root = make('root', { authority: true })
    const wrong = twins(13, { key: keyNamed('another twin'), withoutIds: true })
    const [right] = twins(1, { withoutIds: true }, root)
    const leaf = make('leaf', { names: [dns(HOST)], withoutIds: true }, right)
    return { leaf, others: [...wrong, right!], trusted: [root], host: HOST, ours: 'fine', openssl: 'refuses' }
  },
  'a hundred intermediates': () => {
    const root = make('root', { authority: true })
    const others: Made[] = []
    for (let i = 0; i < 100; i++)
      others.unshift(make(`${i}`, { authority: true, key: keyNamed('all') }, others[0] ?? root))
    return {
      leaf: make('leaf', { names: [dns(HOST)] }, others[0]),
      others,
      trusted: [root],
      ours: 'untrusted_issuer',
      openssl: 'accepts',
    }
  },
  'certificates without end': () => {
    const root = make('root', { authority: true })
    const others = Array.from({ length: 500 }, () => make('other', { authority: true }))
    return {
      leaf: make('leaf', { names: [dns(HOST)] }, root),
      others,
      trusted: [root],
      host: HOST,
      ours: 'fine',
    }
  },
  'thousands of names under thousands of constraints': () => {
    const root = make('root', { authority: true })
    const excluded = many(2000, i => dns(`x${i}.example`))
    const middle = make('middle', { authority: true, extensions: [nameConstraints({ excluded })] }, root)
    const leaf = make('leaf', { names: [dns(HOST), ...many(2000, i => dns(`y${i}.example`))] }, middle)
    return { leaf, others: [middle], trusted: [root], host: HOST, ours: 'too_many_names' }
  },
  'directory names by the thousand': () => {
    const root = make('root', { authority: true })
    const permitted = [...many(2000, i => directory(['O', `x${i}`])), directory(['CN', 'leaf'])]
    const middle = make('middle', { authority: true, extensions: [nameConstraints({ permitted })] }, root)
    const names = [dns(HOST), ...many(2000, i => directory(['CN', 'leaf'], ['O', `${i}`]))]
    return {
      leaf: make('leaf', { names }, middle),
      others: [middle],
      trusted: [root],
      host: HOST,
      ours: 'too_many_names',
    }
  },
  'a hundred names under a hundred constraints': () => {
    const root = make('root', { authority: true })
    const permitted = [...many(100, i => dns(`x${i}.example`)), dns('good.example')]
    const middle = make('middle', { authority: true, extensions: [nameConstraints({ permitted })] }, root)
    const leaf = make('leaf', { names: [dns(HOST), ...many(100, i => dns(`y${i}.good.example`))] }, middle)
    return { leaf, others: [middle], trusted: [root], host: HOST, ours: 'fine' }
  },
  'many policies, all mapped': () => {
    const root = make('root', { authority: true })
    const ids = Array.from({ length: 300 }, (_, index) => `1.2.3.${index}`)
    const pairs = ids.flatMap((from, index) =>
      [1, 2, 3].map(step => [from, ids[(index + step) % 300]!] as const),
    )
    const others: Made[] = []
    for (let i = 0; i < 10; i++) {
      const extensions = [...(i === 0 ? [constraints(0)] : []), policies(...ids), mappings(...pairs)]
      others.unshift(make(`policy ${i}`, { authority: true, extensions }, others[0] ?? root))
    }
    const leaf = make('leaf', { names: [dns(HOST)], extensions: [policies('1.2.4')] }, others[0])
    return { leaf, others, trusted: [root], host: HOST, policies: true, ours: NONE }
  },
}

export const TANGLES: Readonly<Record<string, Cases>> = { policies: POLICIES, 'tangled chains': TANGLED }
