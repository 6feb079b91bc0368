import { type Case, type Cases, chain, HOST, type Parts } from './case.ts'
import { context, integer, StringType, sequence, string, tlv } from './der.ts'
import {
  type Attribute,
  directory,
  dns,
  email,
  extension,
  ip,
  keyNamed,
  make,
  name,
  nameConstraints,
  otherName,
  type Rdns,
  registeredId,
  uri,
} from './make.ts'

/* Name constraints: of each form, permitted and excluded, critical or not, by an intermediate or the root. */

type Limits = Parameters<typeof nameConstraints>[0]

/** An intermediate with these constraints, and a leaf with these names. */
function limited(
  limits: Limits,
  names: readonly Uint8Array[],
  ours: string,
  more: Omit<Partial<Case>, 'leaf'> & Pick<Parts, 'leaf'> = {},
): () => Case {
  const { leaf, ...others } = more
  return () => ({
    ...chain({ middle: { extensions: [nameConstraints(limits)] }, leaf: { names, ...leaf } }),
    ours,
    ...others,
  })
}

const GOOD = [dns('good.example')]
const [IN, OUT] = ['name_not_permitted', 'name_excluded']
const UNFIT = 'unsupported_name_constraint'

/** A GeneralSubtree with a minimum or a maximum. */
const subtree = (base: Uint8Array, minimum?: number, maximum?: number) =>
  sequence(
    base,
    ...(minimum === undefined ? [] : [integer(minimum, 0x80)]),
    ...(maximum === undefined ? [] : [integer(maximum, 0x81)]),
  )

const NETWORK = ip(10, 1, 0, 0, 255, 255, 0, 0)
const V6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
const V6_NETWORK = ip(...V6, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
const V6_INSIDE = ip(...V6.slice(0, 15), 1)

/** Where a chain may be constrained: critical or not, by whom. */
const PLACES: Cases = Object.fromEntries(
  (['root', 'middle'] as const).flatMap(place =>
    [true, false].flatMap(critical =>
      (['permitted', 'excluded'] as const).map(kind => {
        const limits = { [kind]: kind === 'permitted' ? GOOD : [dns('evil.example')] }
        const parts = {
          middle: {},
          [place]: { extensions: [nameConstraints(limits, critical)] },
          leaf: { names: [dns('www.good.example'), dns('www.evil.example')] },
        }
        const title = `${kind}, ${critical ? 'critical' : 'not critical'}, of the ${place}`
        return [title, (): Case => ({ ...chain(parts), host: HOST, ours: kind === 'permitted' ? IN! : OUT! })]
      }),
    ),
  ),
)

const DNS: Cases = {
  'the domain itself': limited({ permitted: GOOD }, [dns('good.example')], 'fine'),
  'a host of the domain': limited({ permitted: GOOD }, [dns(HOST)], 'fine', { host: HOST }),
  'a host far below': limited({ permitted: GOOD }, [dns('a.b.c.good.example')], 'fine'),
  'another case': limited({ permitted: [dns('GOOD.Example')] }, [dns('WWW.good.EXAMPLE')], 'fine'),
  'no label of it, only its end': limited({ permitted: GOOD }, [dns('notgood.example')], IN!),
  'the domain above': limited({ permitted: GOOD }, [dns('example')], IN!),
  'one name of several': limited({ permitted: GOOD }, [dns(HOST), dns('evil.example')], IN!, { host: HOST }),
  'one subtree of several': limited({ permitted: [dns('a.example'), ...GOOD] }, [dns(HOST)], 'fine'),
  'a dot in front: below': limited({ permitted: [dns('.good.example')] }, [dns(HOST)], 'fine'),
  'a dot in front: itself': limited({ permitted: [dns('.good.example')] }, [dns('good.example')], IN!),
  'a dot in front, excluded: below': limited({ excluded: [dns('.good.example')] }, [dns(HOST)], OUT!),
  'a dot in front, excluded: itself': limited(
    { excluded: [dns('.good.example')] },
    [dns('good.example')],
    'fine',
  ),
  'everything permitted': limited({ permitted: [dns('')] }, [dns(HOST)], 'fine'),
  'everything excluded': limited({ excluded: [dns('')] }, [dns(HOST)], OUT!),
  'excluded wins': limited({ permitted: GOOD, excluded: [dns('www.good.example')] }, [dns(HOST)], OUT!),
  'excluded and permitted alike': limited({ permitted: GOOD, excluded: GOOD }, [dns('good.example')], OUT!),
  'excluded, another case': limited({ excluded: [dns('GOOD.example')] }, [dns('www.Good.Example')], OUT!),
  'no name of that form': limited({ permitted: [NETWORK] }, [dns(HOST)], 'fine', { host: HOST }),
  'a wildcard inside': limited({ permitted: GOOD }, [dns('*.good.example')], 'fine', { host: HOST }),
  'a wildcard that reaches beyond': limited({ permitted: [dns(HOST)] }, [dns('*.good.example')], IN!),
  'a wildcard of the domain above': limited({ permitted: GOOD }, [dns('*.example')], IN!),
  'a wildcard that stands for an excluded host': limited(
    { excluded: [dns(HOST)] },
    [dns('*.good.example')],
    OUT!,
    { host: HOST, openssl: 'accepts' },
  ),
  'a wildcard that does not reach an excluded host': limited(
    { excluded: [dns('a.www.good.example')] },
    [dns('*.good.example')],
    'fine',
    { host: HOST },
  ),
  'a wildcard under an excluded domain': limited({ excluded: GOOD }, [dns('*.www.good.example')], OUT!),
  'a wildcard as the subtree': limited({ permitted: [dns('*.good.example')] }, [dns(HOST)], UNFIT),
  'a wildcard as the subtree and as the name': limited(
    { permitted: [dns('*.good.example')] },
    [dns('*.good.example')],
    UNFIT,
    { openssl: 'accepts' },
  ),
  'a subtree that ends with a dot': limited({ excluded: [dns('good.example.')] }, [dns(HOST)], UNFIT, {
    openssl: 'accepts',
  }),
  'a name that ends with a dot': limited({ excluded: GOOD }, [dns('www.good.example.')], UNFIT, {
    openssl: 'accepts',
  }),
  'a name that begins with a dot': limited({ permitted: GOOD }, [dns('.good.example')], UNFIT, {
    openssl: 'accepts',
  }),
  'a name with a NUL': limited({ permitted: GOOD }, [dns('evil.example\0.good.example')], UNFIT, {
    openssl: 'accepts',
  }),
  'a name with a blank': limited({ excluded: [dns('evil.example')] }, [dns('evil.example ')], UNFIT, {
    openssl: 'accepts',
  }),
  'a name in UTF-8': limited({ permitted: GOOD }, [dns('b\xc3\xbccher.good.example')], UNFIT, {
    openssl: 'accepts',
  }),
  'an A-label': limited(
    { permitted: [dns('xn--bcher-kva.example')] },
    [dns('a.xn--bcher-kva.example')],
    'fine',
  ),
  'an underscore': limited({ permitted: GOOD }, [dns('_service.good.example')], 'fine'),
  'an address as a DNS name': limited({ permitted: GOOD }, [dns('10.1.2.3')], IN!),
  'a label of 64 bytes': limited({ permitted: GOOD }, [dns(`${'a'.repeat(64)}.good.example`)], UNFIT, {
    openssl: 'accepts',
  }),
}

const IP: Cases = {
  'an address inside': limited({ permitted: [NETWORK] }, [ip(10, 1, 2, 3)], 'fine', { host: '10.1.2.3' }),
  'an address outside': limited({ permitted: [NETWORK] }, [ip(10, 2, 2, 3)], IN!, { host: '10.2.2.3' }),
  'an address that is excluded': limited({ excluded: [NETWORK] }, [ip(10, 1, 255, 255)], OUT!),
  'an address beside what is excluded': limited({ excluded: [NETWORK] }, [ip(10, 2, 0, 0)], 'fine'),
  'one address alone': limited({ permitted: [ip(10, 1, 2, 3, 255, 255, 255, 255)] }, [ip(10, 1, 2, 4)], IN!),
  'all addresses': limited({ excluded: [ip(0, 0, 0, 0, 0, 0, 0, 0)] }, [ip(10, 1, 2, 4)], OUT!),
  'bits of the host in the base': limited(
    { permitted: [ip(10, 1, 2, 3, 255, 255, 0, 0)] },
    [ip(10, 1, 9, 9)],
    'fine',
  ),
  'a mask in the middle of a byte': limited(
    { permitted: [ip(10, 1, 16, 0, 255, 255, 240, 0)] },
    [ip(10, 1, 31, 255)],
    'fine',
  ),
  'a mask in the middle of a byte, outside': limited(
    { permitted: [ip(10, 1, 16, 0, 255, 255, 240, 0)] },
    [ip(10, 1, 32, 0)],
    IN!,
  ),
  'a mask with a gap': limited({ permitted: [ip(10, 0, 2, 3, 255, 0, 255, 255)] }, [ip(10, 9, 2, 3)], UNFIT, {
    openssl: 'accepts',
  }),
  'IPv6 inside': limited({ permitted: [V6_NETWORK] }, [V6_INSIDE], 'fine', { host: '2001:db8::1' }),
  'IPv6 outside': limited({ permitted: [V6_NETWORK] }, [ip(0x20, 2, ...V6.slice(2))], IN!),
  'IPv6 excluded': limited({ excluded: [V6_NETWORK] }, [V6_INSIDE], OUT!),
  'IPv4 under IPv6 alone': limited({ permitted: [V6_NETWORK] }, [ip(10, 1, 2, 3)], IN!),
  'IPv6 under IPv4 alone': limited({ permitted: [NETWORK] }, [V6_INSIDE], IN!),
  'IPv4 and IPv6': limited({ permitted: [NETWORK, V6_NETWORK] }, [V6_INSIDE, ip(10, 1, 1, 1)], 'fine'),
  'a network as a name': limited({ permitted: [NETWORK] }, [NETWORK], UNFIT),
  'an address as the subtree': limited({ permitted: [ip(10, 1, 2, 3)] }, [ip(10, 1, 2, 3)], UNFIT),
  'a subtree of five bytes': limited({ excluded: [ip(10, 1, 2, 3, 255)] }, [ip(10, 1, 2, 3)], UNFIT),
  'a subtree of five bytes, and no address': limited(
    { excluded: [ip(10, 1, 2, 3, 255)] },
    [dns(HOST)],
    'fine',
  ),
}

const me = 'me@good.example'
const EMAIL: Cases = {
  'a mailbox': limited({ permitted: [email(me)] }, [email(me)], 'fine'),
  'another mailbox of the host': limited({ permitted: [email(me)] }, [email('you@good.example')], IN!),
  'a mailbox, another case before the @': limited(
    { permitted: [email(me)] },
    [email('ME@good.example')],
    IN!,
  ),
  'a mailbox, another case after it': limited({ permitted: [email(me)] }, [email('me@GOOD.example')], 'fine'),
  'a host': limited({ permitted: [email('good.example')] }, [email(me)], 'fine'),
  'a host, another case': limited({ permitted: [email('GOOD.example')] }, [email(me)], 'fine'),
  'a host below': limited({ permitted: [email('good.example')] }, [email('me@www.good.example')], IN!),
  'a domain: below': limited({ permitted: [email('.good.example')] }, [email('me@www.good.example')], 'fine'),
  'a domain: itself': limited({ permitted: [email('.good.example')] }, [email(me)], IN!),
  'a host with an @ in front': limited({ permitted: [email('@good.example')] }, [email(me)], 'fine'),
  'a mailbox that is excluded': limited({ excluded: [email(me)] }, [email(me)], OUT!),
  'a host that is excluded': limited({ excluded: [email('good.example')] }, [email(me)], OUT!),
  'a domain that is excluded': limited({ excluded: [email('.example')] }, [email(me)], OUT!),
  'nothing but a host name': limited({ permitted: [email('good.example')] }, [email('good.example')], UNFIT),
  'two @': limited({ permitted: [email('good.example')] }, [email('a@b@good.example')], UNFIT, {
    openssl: 'accepts',
  }),
  'two @ in the subtree': limited({ permitted: [email('a@b@good.example')] }, [email(me)], UNFIT),
  'an empty subtree, permitted': limited({ permitted: [email('')] }, [email(me)], IN!),
  'an empty subtree, excluded': limited({ excluded: [email('')] }, [email(me)], OUT!, { openssl: 'accepts' }),
  'in the subject, outside': limited({ permitted: [email('good.example')] }, [dns(HOST)], IN!, {
    leaf: { subject: name(['CN', 'leaf'], ['email', 'me@evil.example']) },
  }),
  'in the subject, inside': limited({ permitted: [email('good.example')] }, [dns(HOST)], 'fine', {
    leaf: { subject: name(['CN', 'leaf'], ['email', me]) },
  }),
  'in the subject, as UTF8String': limited({ permitted: [email('good.example')] }, [dns(HOST)], UNFIT, {
    leaf: { subject: name(['email', me, StringType.utf8]) },
  }),
  'an SmtpUTF8Mailbox outside': limited(
    { permitted: [email('good.example')] },
    [otherName('1.3.6.1.5.5.7.8.9', string(StringType.utf8, 'ü@evil.example'))],
    IN!,
  ),
  'an SmtpUTF8Mailbox inside': limited(
    { permitted: [email('xn--bcher-kva.example')] },
    [otherName('1.3.6.1.5.5.7.8.9', string(StringType.utf8, 'ü@bücher.example'))],
    'fine',
  ),
}

const URI: Cases = {
  'a host': limited({ permitted: [uri('good.example')] }, [uri('https://good.example/x')], 'fine'),
  'a host with a port': limited(
    { permitted: [uri('good.example')] },
    [uri('https://good.example:8/')],
    'fine',
  ),
  'a host below': limited({ permitted: [uri('good.example')] }, [uri('https://www.good.example/')], IN!),
  'a domain': limited({ permitted: [uri('.good.example')] }, [uri('https://www.good.example/')], 'fine'),
  'a domain that is excluded': limited(
    { excluded: [uri('.good.example')] },
    [uri('x://www.good.example')],
    OUT!,
  ),
  'a host in another case': limited({ excluded: [uri('good.example')] }, [uri('x://GOOD.example/')], OUT!),
  'behind a user': limited(
    { permitted: [uri('good.example')] },
    [uri('https://good.example@evil.example/')],
    IN!,
  ),
  'a user in front of an excluded host': limited(
    { excluded: [uri('evil.example')] },
    [uri('https://me@evil.example/')],
    OUT!,
    { openssl: 'accepts' },
  ),
  'without an authority': limited({ permitted: [uri('good.example')] }, [uri('urn:x')], UNFIT),
  'an address': limited({ excluded: [uri('good.example')] }, [uri('https://10.1.2.3/')], UNFIT, {
    openssl: 'accepts',
  }),
}

const PLACE: Attribute = ['O', 'Good']
const dn = (...rdns: Rdns): Limits => ({ permitted: [directory(...rdns)] })
const subject = (...rdns: Rdns) => ({ leaf: { subject: name(...rdns) } })
const LEAF = [dns(HOST)]
const DIRECTORY: Cases = {
  'the subject inside': limited(
    dn(['C', 'DE'], PLACE),
    LEAF,
    'fine',
    subject(['C', 'DE'], PLACE, ['CN', 'x']),
  ),
  'the subject outside': limited(dn(['C', 'DE'], PLACE), LEAF, IN!, subject(['C', 'DE'], ['O', 'Evil'])),
  'the subject above': limited(dn(['C', 'DE'], PLACE), LEAF, IN!, subject(['C', 'DE'])),
  'the same parts in another order': limited(dn(['C', 'DE'], PLACE), LEAF, IN!, subject(PLACE, ['C', 'DE'])),
  'another type of string': limited(
    dn(['O', 'Good', StringType.printable]),
    LEAF,
    'fine',
    subject(['O', 'Good', StringType.bmp], ['CN', 'x']),
  ),
  'another case, more blanks': limited(
    dn(['O', 'very Good']),
    LEAF,
    'fine',
    subject(['O', '  VERY   good ']),
  ),
  'excluded, in another type of string and case': limited(
    { excluded: [directory(['O', 'EVIL', StringType.universal])] },
    LEAF,
    OUT!,
    subject(['O', 'Evil', StringType.teletex], ['CN', 'x']),
  ),
  'two attributes in one RDN': limited(
    dn([PLACE, ['OU', 'x']]),
    LEAF,
    'fine',
    subject([['OU', 'x'], PLACE], ['CN', 'y']),
  ),
  'one attribute of an RDN of two': limited(dn(PLACE), LEAF, IN!, subject([['OU', 'x'], PLACE])),
  'a name in the subjectAltName': limited(dn(PLACE), [directory(['O', 'Evil'])], IN!, subject(PLACE)),
  'a name excluded in the subjectAltName': limited(
    { excluded: [directory(['O', 'Evil'])] },
    [directory(['O', 'Evil'], ['CN', 'x'])],
    OUT!,
  ),
  'all names': limited({ excluded: [directory()] }, LEAF, OUT!),
  'an empty subject': limited(dn(PLACE), LEAF, 'fine', { leaf: { subject: name() } }),
  'an intermediate outside': () => {
    const root = make('root', { authority: true, extensions: [nameConstraints(dn(PLACE))] })
    const middle = make('middle', { authority: true, subject: name(['O', 'Evil']) }, root)
    const leaf = make('leaf', { names: LEAF, subject: name(PLACE, ['CN', 'x']) }, middle)
    return { leaf, others: [middle], trusted: [root], ours: IN! }
  },
}

const UTF8 = string(StringType.utf8, 'x')
const OTHER = otherName('1.3.6.1.4.1.311.20.2.3', UTF8)
const FORMS: Cases = {
  'an otherName that is constrained': limited({ excluded: [OTHER] }, [OTHER], UNFIT),
  'an otherName of another type': limited(
    { excluded: [OTHER] },
    [otherName('1.3.6.1.4.1.5.6', UTF8)],
    'fine',
  ),
  'an otherName that is not there': limited({ excluded: [OTHER] }, LEAF, 'fine', { host: HOST }),
  'an otherName that is not constrained': limited({ permitted: GOOD }, [...LEAF, OTHER], 'fine'),
  'a registeredID that is constrained': limited(
    { permitted: [registeredId('1.2.3')] },
    [registeredId('1.2.3')],
    UNFIT,
  ),
  'an X.400 address': limited({ permitted: [context(3)] }, LEAF, 'fine'),
  'an EDI party': limited(
    { permitted: [context(5, context(1, UTF8))] },
    [context(5, context(1, UTF8))],
    UNFIT,
  ),
  'a minimum of 0': limited({ permitted: [subtree(dns('good.example'), 0)] }, LEAF, 'fine'),
  'a minimum of 1': limited({ permitted: [subtree(dns('good.example'), 1)] }, LEAF, UNFIT),
  'a maximum': limited({ excluded: [subtree(dns('evil.example'), 0, 5)] }, LEAF, UNFIT),
  'a maximum of a form that is not there': limited({ excluded: [subtree(NETWORK, 0, 5)] }, LEAF, 'fine'),
  'no constraint at all': limited({}, LEAF, 'malformed_certificate', { openssl: 'accepts' }),
  'a list of subtrees without any': limited({ permitted: [] }, LEAF, 'malformed_certificate', {
    openssl: 'accepts',
  }),
  'what is no DER': () => ({
    ...chain({ middle: { extensions: [extension('2.5.29.30', tlv(4, [1]))] }, leaf: { names: LEAF } }),
    ours: 'malformed_certificate',
  }),
  'a name of a form that there is not': limited(
    { permitted: [tlv(0x8a, [1])] },
    LEAF,
    'malformed_certificate',
  ),
  'the extension twice': () => ({
    ...chain({
      middle: {
        extensions: [nameConstraints({ permitted: GOOD }), nameConstraints({ permitted: [dns('')] })],
      },
      leaf: { names: LEAF },
    }),
    ours: 'malformed_certificate',
  }),
  'in an end-entity certificate': () => ({
    ...chain({ leaf: { names: LEAF, extensions: [nameConstraints({ permitted: [dns('other.example')] })] } }),
    host: HOST,
    ours: 'fine',
  }),
}

const CHAINS: Cases = {
  'an intermediate with a name outside': () => {
    const root = make('root', { authority: true, extensions: [nameConstraints({ permitted: GOOD })] })
    const middle = make('middle', { authority: true, names: [dns('evil.example')] }, root)
    return { leaf: make('leaf', { names: LEAF }, middle), others: [middle], trusted: [root], ours: IN! }
  },
  'an intermediate that issued itself, with a name outside': () => {
    const root = make('root', { authority: true, extensions: [nameConstraints({ permitted: GOOD })] })
    const shape = {
      authority: true,
      subject: root.subject,
      key: keyNamed('next'),
      names: [dns('evil.example')],
    }
    const middle = make('middle', shape, root)
    return {
      leaf: make('leaf', { names: LEAF }, middle),
      others: [middle],
      trusted: [root],
      host: HOST,
      ours: 'fine',
    }
  },
  'a leaf that issued itself, with a name outside': () => {
    const root = make('root', { authority: true, extensions: [nameConstraints({ permitted: GOOD })] })
    const leaf = make('leaf', { subject: root.subject, names: [dns('evil.example')] }, root)
    return { leaf, others: [], trusted: [root], ours: IN! }
  },
  'a leaf below an intermediate that issued itself': () => {
    const root = make('root', { authority: true, extensions: [nameConstraints({ permitted: GOOD })] })
    const middle = make('middle', { authority: true, subject: root.subject, key: keyNamed('next') }, root)
    const leaf = make('leaf', { names: [dns('evil.example')] }, middle)
    return { leaf, others: [middle], trusted: [root], ours: IN! }
  },
  'two authorities: the second is narrower': twice(['good.example', 'other.example'], ['other.example'], IN!),
  'two authorities: the second is wider': twice(['other.example'], ['good.example', 'other.example'], IN!),
  'two authorities: both permit it': twice(['good.example'], ['example'], 'fine'),
  'two authorities: they have nothing in common': twice(['good.example'], ['other.example'], IN!),
  'an anchor that is no root': () => {
    const root = make('root', { authority: true })
    const middle = make(
      'middle',
      { authority: true, extensions: [nameConstraints({ excluded: GOOD })] },
      root,
    )
    return { leaf: make('leaf', { names: LEAF }, middle), others: [], trusted: [middle], ours: OUT! }
  },
  'constraints above the anchor': () => {
    const root = make('root', { authority: true, extensions: [nameConstraints({ excluded: GOOD })] })
    const middle = make('middle', { authority: true }, root)
    return { leaf: make('leaf', { names: LEAF }, middle), others: [root], trusted: [middle], ours: 'fine' }
  },
  'another path of which the constraints hold': () => {
    const root = make('root', { authority: true })
    const key = keyNamed('middle')
    const strict = make(
      'strict',
      { authority: true, extensions: [nameConstraints({ excluded: GOOD })] },
      root,
    )
    const subject = name(['CN', 'two of a name'])
    const first = make('first', { authority: true, subject, key }, strict)
    const second = make('second', { authority: true, subject, key }, root)
    const leaf = make('leaf', { names: LEAF }, first)
    return { leaf, others: [first, strict, second], trusted: [root], ours: 'fine', openssl: 'refuses' }
  },
  'a common name that would pass for a host': () => ({
    ...chain({
      middle: { extensions: [nameConstraints({ permitted: GOOD })] },
      leaf: { subject: name(['CN', 'evil.example']) },
    }),
    ours: IN!,
  }),
  'such a common name beside a DNS name': () => ({
    ...chain({
      middle: { extensions: [nameConstraints({ permitted: GOOD })] },
      leaf: { subject: name(['CN', 'evil.example']), names: LEAF },
    }),
    host: HOST,
    ours: 'fine',
  }),
  'a common name that is no host': () => ({
    ...chain({
      middle: { extensions: [nameConstraints({ permitted: GOOD })] },
      leaf: { subject: name(['CN', 'alice']) },
    }),
    purpose: 'client',
    ours: 'fine',
  }),
  'a client outside': () => ({
    ...chain({
      middle: { extensions: [nameConstraints({ permitted: [email('good.example')] })] },
      leaf: { names: [email('me@evil.example')] },
    }),
    purpose: 'client',
    ours: IN!,
  }),
}

function twice(first: readonly string[], second: readonly string[], ours: string): () => Case {
  return () => {
    const limits = (names: readonly string[]) => [nameConstraints({ permitted: names.map(dns) })]
    const root = make('root', { authority: true })
    const upper = make('upper', { authority: true, extensions: limits(first) }, root)
    const lower = make('lower', { authority: true, extensions: limits(second) }, upper)
    return { leaf: make('leaf', { names: LEAF }, lower), others: [lower, upper], trusted: [root], ours }
  }
}

export const CONSTRAINED: Readonly<Record<string, Cases>> = {
  'name constraints, where they stand': PLACES,
  'name constraints, DNS names': DNS,
  'name constraints, addresses': IP,
  'name constraints, email addresses': EMAIL,
  'name constraints, URIs': URI,
  'name constraints, directory names': DIRECTORY,
  'name constraints, forms and fields': FORMS,
  'name constraints, chains': CHAINS,
}
