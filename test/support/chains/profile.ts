import { DAY, TODAY } from '../certificates.ts'
import { type Case, type Cases, chain, HOST, type Parts } from './case.ts'
import { integer, objectId, StringType, sequence, tlv } from './der.ts'
import {
  dns,
  extension,
  generalizedTime,
  ip,
  keyNamed,
  type Made,
  make,
  name,
  type Shape,
  time,
  uri,
  utcTime,
} from './make.ts'

/* The profile of RFC 5280, and what a verifier for the Web looks at. */

const NAMES = [dns(HOST)]
const SERVER = '1.3.6.1.5.5.7.3.1'
const CLIENT = '1.3.6.1.5.5.7.3.2'
const ANY = '2.5.29.37.0'

/** A chain of three, or of two, whose leaf is for {@link HOST}. */
function shaped(parts: Parts, ours: string, more: Partial<Case> = {}): () => Case {
  return () => ({ ...chain({ ...parts, leaf: { names: NAMES, ...parts.leaf } }), host: HOST, ours, ...more })
}
const leaf = (shape: Shape, ours: string, more?: Partial<Case>) => shaped({ leaf: shape }, ours, more)
const middle = (shape: Shape, ours: string, more?: Partial<Case>) => shaped({ middle: shape }, ours, more)

const MALFORMED = 'malformed_certificate'
const ACCEPTS = { openssl: 'accepts' } as const

const AUTHORITY: Cases = {
  'an intermediate': middle({}, 'fine'),
  'an intermediate that says that it is none': middle({ authority: false }, 'issuer_without_authority'),
  'an intermediate that says nothing': () => {
    const root = make('root', { authority: true })
    const between = make('middle', { usage: [5] }, root)
    return {
      leaf: make('leaf', { names: NAMES }, between),
      others: [between],
      trusted: [root],
      ours: 'issuer_without_authority',
    }
  },
  'an intermediate without keyCertSign': middle({ usage: [0, 6] }, 'untrusted_issuer'),
  'an intermediate without keyUsage': middle({ usage: null }, 'fine'),
  'a root without keyCertSign': shaped({ root: { usage: [6] } }, 'untrusted_issuer'),
  'a root that says that it is no authority': shaped(
    { root: { authority: false } },
    'issuer_without_authority',
  ),
  'a root without basicConstraints, of version 3': () => {
    const root = make('root', { usage: [5] })
    return {
      leaf: make('leaf', { names: NAMES }, root),
      others: [],
      trusted: [root],
      ours: 'issuer_without_authority',
      ...ACCEPTS,
    }
  },
  'a root of version 1': () => {
    const root = make('root', { version: null, usage: null, withoutIds: true })
    const end = make('leaf', { names: NAMES, withoutIds: true }, root)
    return { leaf: end, others: [], trusted: [root], ours: 'issuer_without_authority', ...ACCEPTS }
  },
  'basicConstraints that are not critical': () => {
    const constraints = [extension('2.5.29.19', sequence(tlv(1, [0xff])))]
    const root = make('root', { usage: [5], extensions: constraints })
    return { leaf: make('leaf', { names: NAMES }, root), others: [], trusted: [root], ours: 'fine' }
  },
  'a leaf that is an authority': leaf({ authority: true, usage: [0, 5] }, 'fine'),
  'a leaf with keyCertSign that is no authority': leaf({ authority: false, usage: [0, 5] }, 'fine'),
  'a leaf that may not sign': leaf({ usage: [4] }, 'key_may_not_sign', ACCEPTS),
  'a leaf that may encipher alone': leaf({ usage: [2] }, 'key_may_not_sign', ACCEPTS),
  'a leaf without keyUsage': leaf({ usage: null }, 'fine'),
  'a leaf with an empty keyUsage': leaf({ usage: [] }, 'key_may_not_sign'),
  'a negative path length': () => {
    const constraints = extension('2.5.29.19', sequence(tlv(1, [0xff]), integer(Uint8Array.of(0xff))), true)
    const root = make('root', { usage: [5], extensions: [constraints] })
    return { leaf: make('leaf', { names: NAMES }, root), others: [], trusted: [root], ours: MALFORMED }
  },
}

/** root, then so many intermediates, then a leaf. */
function long(shapes: readonly Shape[], ours: string, more: Partial<Case> = {}): () => Case {
  return () => {
    const root = make('root', { authority: true })
    const others: Made[] = []
    let issuer = root
    for (const [index, shape] of shapes.entries()) {
      issuer = make(`middle ${index}`, { authority: true, ...shape }, issuer)
      others.unshift(issuer)
    }
    return {
      leaf: make('leaf', { names: NAMES }, issuer),
      others,
      trusted: [root],
      host: HOST,
      ours,
      ...more,
    }
  }
}

const PATHS: Cases = {
  'a length of 0, and no other authority': long([{ authority: 0 }], 'fine'),
  'a length of 0, and another authority': long([{ authority: 0 }, {}], 'path_too_long'),
  'a length of 1': long([{ authority: 1 }, {}], 'fine'),
  'a length of 1, and two others': long([{ authority: 1 }, {}, {}], 'path_too_long'),
  'a length that grows below': long([{ authority: 0 }, { authority: 5 }], 'path_too_long'),
  'a length of the root': shaped({ root: { authority: 0 }, middle: {} }, 'path_too_long'),
  'one that issued itself does not count': () => {
    const root = make('root', { authority: true })
    const upper = make('upper', { authority: 0 }, root)
    const lower = make('lower', { authority: true, subject: upper.subject, key: keyNamed('next') }, upper)
    return {
      leaf: make('leaf', { names: NAMES }, lower),
      others: [lower, upper],
      trusted: [root],
      ours: 'fine',
    }
  },
  'a leaf that is an authority does not count': () => {
    const root = make('root', { authority: true })
    const upper = make('upper', { authority: 0 }, root)
    const end = make('leaf', { authority: true, usage: [0, 5], names: NAMES }, upper)
    return { leaf: end, others: [upper], trusted: [root], ours: 'fine' }
  },
  'ten authorities': long(Array(10).fill({}), 'fine'),
}

const VERSIONS: Cases = {
  'version 1 with extensions': leaf({ version: null }, MALFORMED, ACCEPTS),
  'version 1 written out': leaf({ version: 0 }, MALFORMED, ACCEPTS),
  'version 2 with extensions': leaf({ version: 1 }, MALFORMED, ACCEPTS),
  'version 4': leaf({ version: 3 }, MALFORMED, ACCEPTS),
  'a serial number of 0': leaf({ serial: Uint8Array.of(0) }, 'fine'),
  'a negative serial number': leaf({ serial: Uint8Array.of(0x80) }, 'fine'),
  'a serial number of 21 bytes': leaf({ serial: new Uint8Array(21).fill(1) }, 'fine'),
  'an unknown critical extension of the leaf': leaf(
    { extensions: [extension('1.2.3.4', tlv(5), true)] },
    'unknown_critical_extension',
  ),
  'an unknown critical extension of an intermediate': middle(
    { extensions: [extension('1.2.3.4', tlv(5), true)] },
    'unknown_critical_extension',
  ),
  'an unknown critical extension of the root': shaped(
    { root: { extensions: [extension('1.2.3.4', tlv(5), true)] } },
    'unknown_critical_extension',
  ),
  'an unknown extension': leaf({ extensions: [extension('1.2.3.4', tlv(5))] }, 'fine'),
  'an unknown extension twice': leaf(
    { extensions: [extension('1.2.3.4', tlv(5)), extension('1.2.3.4', tlv(5))] },
    MALFORMED,
    ACCEPTS,
  ),
  'subjectAltName twice': leaf({ extensions: [extension('2.5.29.17', sequence(...NAMES))] }, MALFORMED),
  'basicConstraints twice': middle(
    { extensions: [extension('2.5.29.19', sequence(tlv(1, [0xff])), true)] },
    MALFORMED,
  ),
  'critical CRL distribution points': leaf(
    {
      extensions: [
        extension('2.5.29.31', sequence(sequence(tlv(0xa0, tlv(0xa0, uri('http://x.example/'))))), true),
      ],
    },
    'unknown_critical_extension',
    ACCEPTS,
  ),
  'critical authority information': leaf(
    {
      extensions: [
        extension(
          '1.3.6.1.5.5.7.1.1',
          sequence(sequence(objectId('1.3.6.1.5.5.7.48.1'), uri('http://x/'))),
          true,
        ),
      ],
    },
    'unknown_critical_extension',
  ),
  'another signature algorithm inside': leaf(
    { innerAlgorithm: sequence(objectId('1.2.840.10045.4.3.3')) },
    'wrong_certificate_signature',
  ),
  'SHA-1': leaf({ hash: 'sha1' }, 'weak_certificate_signature', ACCEPTS),
  'a key on P-192': middle({ key: keyNamed('short', 'P-192') }, 'weak_key', ACCEPTS),
  'a key on P-384': middle({ key: keyNamed('long', 'P-384') }, 'fine'),
  'no key identifiers': shaped(
    { root: { withoutIds: true }, middle: { withoutIds: true }, leaf: { withoutIds: true } },
    'fine',
  ),
  'the key identifier of another issuer': leaf(
    {
      withoutIds: true,
      extensions: [extension('2.5.29.35', sequence(tlv(0x80, [1, 2, 3])))],
    },
    'untrusted_issuer',
  ),
  'names in another case and type of string': () => {
    const subject = name(['O', 'The  Root', StringType.printable])
    const root = make('root', { authority: true, subject })
    const issuerName = name(['O', ' the root', StringType.bmp])
    const end = make('leaf', { names: NAMES, issuerName }, root)
    return { leaf: end, others: [], trusted: [root], host: HOST, ours: 'fine' }
  },
  'an issuer of another name': () => {
    const root = make('root', { authority: true })
    const end = make('leaf', { names: NAMES, issuerName: name(['CN', 'other']) }, root)
    return { leaf: end, others: [], trusted: [root], host: HOST, ours: 'untrusted_issuer' }
  },
  'an authority without a name': shaped({ root: { subject: name() } }, 'fine'),
  'a subjectAltName that names nothing': leaf({ names: [] }, MALFORMED),
}

const valid = (from: Uint8Array, to: Uint8Array, ours: string, more?: Partial<Case>) =>
  leaf({ validity: [from, to] }, ours, more)
const [BEFORE, AFTER] = [time(TODAY - DAY), time(TODAY + DAY)]
const DATES: Cases = {
  expired: leaf({ to: TODAY - 1000 }, 'certificate_has_expired'),
  'not valid yet': leaf({ from: TODAY + 1000 }, 'certificate_not_yet_valid'),
  'the first second': leaf({ from: TODAY }, 'fine'),
  'an intermediate that has expired': middle({ to: TODAY - 1000 }, 'certificate_has_expired'),
  'a root that has expired': shaped({ root: { to: TODAY - 1000 } }, 'certificate_has_expired'),
  'a root that is not valid yet': shaped({ root: { from: TODAY + 1000 } }, 'certificate_not_yet_valid'),
  'an end after 2050': valid(BEFORE, generalizedTime('20550101000000Z'), 'fine'),
  'no end': valid(BEFORE, generalizedTime('99991231235959Z'), 'fine'),
  'GeneralizedTime before 2050': valid(generalizedTime('20290101000000Z'), AFTER, 'fine'),
  'UTCTime of the last century': valid(utcTime('500101000000Z'), AFTER, 'fine'),
  'an end in the last century': valid(
    utcTime('500101000000Z'),
    utcTime('990101000000Z'),
    'certificate_has_expired',
  ),
  'no seconds': valid(utcTime('2901010000Z'), AFTER, MALFORMED),
  'fractions of a second': valid(BEFORE, generalizedTime('20310101000000.5Z'), MALFORMED),
  'a zone': valid(utcTime('290101000000+0100'), AFTER, MALFORMED),
  'no zone': valid(BEFORE, generalizedTime('20310101000000'), MALFORMED),
  'a month that there is not': valid(utcTime('291301000000Z'), AFTER, MALFORMED),
  'February 30': valid(utcTime('290230000000Z'), AFTER, MALFORMED),
  'a year of four digits in UTCTime': valid(utcTime('20290101000000Z'), AFTER, MALFORMED),
  'another type': valid(tlv(22, Buffer.from('290101000000Z')), AFTER, MALFORMED),
}

const purposes = (
  parts: { readonly [K in 'root' | 'middle' | 'leaf']?: readonly string[] },
  ours: string,
  more?: Partial<Case>,
) =>
  shaped(Object.fromEntries(Object.entries(parts).map(([who, ids]) => [who, { purposes: ids }])), ours, more)
const WRONG = 'wrong_certificate_purpose'
const PURPOSES: Cases = {
  'for servers': purposes({ leaf: [SERVER] }, 'fine'),
  'for servers and clients': purposes({ leaf: [CLIENT, SERVER] }, 'fine'),
  'for clients': purposes({ leaf: [CLIENT] }, WRONG),
  'for any purpose': purposes({ leaf: [ANY] }, WRONG),
  'for none': purposes({ leaf: [] }, MALFORMED),
  'an intermediate for clients': purposes({ middle: [CLIENT], leaf: [SERVER] }, WRONG),
  'an intermediate for any': purposes({ middle: [ANY], leaf: [SERVER] }, WRONG),
  'an intermediate for servers, a leaf that says nothing': purposes({ middle: [SERVER] }, 'fine'),
  'a root for clients': purposes({ root: [CLIENT], leaf: [SERVER] }, WRONG),
  'a client for clients': purposes({ leaf: [CLIENT] }, 'fine', { purpose: 'client', host: undefined }),
  'a client for servers': purposes({ leaf: [SERVER] }, WRONG, { purpose: 'client', host: undefined }),
}

const named = (names: readonly Uint8Array[], host: string, ours: string, more: Partial<Case> = {}) =>
  leaf({ names }, ours, { host, ...more })
const OTHER = 'wrong_name'
const HOSTS: Cases = {
  'the name': named([dns(HOST)], HOST, 'fine'),
  'another case': named([dns('WWW.Good.example')], 'www.gOOd.example', 'fine'),
  'another name': named([dns(HOST)], 'www.evil.example', OTHER),
  'the domain above': named([dns('good.example')], HOST, OTHER),
  'a name below': named([dns(HOST)], 'good.example', OTHER),
  'one of several': named([dns('a.example'), dns(HOST)], HOST, 'fine'),
  'a wildcard': named([dns('*.good.example')], HOST, 'fine'),
  'a wildcard over two labels': named([dns('*.good.example')], 'a.www.good.example', OTHER),
  'a wildcard over no label': named([dns('*.good.example')], 'good.example', OTHER),
  'a wildcard in the middle': named([dns('www.*.example')], HOST, OTHER),
  'a wildcard in front of a label': named([dns('*w.good.example')], HOST, OTHER, ACCEPTS),
  'a wildcard behind a label': named([dns('w*.good.example')], HOST, OTHER, ACCEPTS),
  'a wildcard in an A-label': named([dns('xn--*-kva.good.example')], 'xn--bcher-kva.good.example', OTHER),
  'two wildcards': named([dns('*.*.example')], HOST, OTHER),
  'a wildcard alone': named([dns('*')], 'localhost', OTHER),
  'a wildcard for a top-level domain': named([dns('*.example')], 'good.example', OTHER),
  'a wildcard for a public suffix of two labels': named([dns('*.co.uk')], 'good.co.uk', 'fine'),
  'an address': named([ip(10, 1, 2, 3)], '10.1.2.3', 'fine'),
  'another address': named([ip(10, 1, 2, 3)], '10.1.2.4', OTHER),
  'an address as a DNS name': named([dns('10.1.2.3')], '10.1.2.3', OTHER),
  'an address under a wildcard': named([dns('*.1.2.3')], '10.1.2.3', OTHER),
  'an IPv6 address': named([ip(...Array(15).fill(0), 1)], '::1', 'fine'),
  'IPv4 in IPv6': named([ip(...Array(10).fill(0), 255, 255, 10, 1, 2, 3)], '10.1.2.3', OTHER),
  'no subjectAltName': () => ({
    ...chain({ leaf: { subject: name(['CN', HOST]) } }),
    host: HOST,
    ours: OTHER,
    ...ACCEPTS,
  }),
  'a common name beside another form': () => ({
    ...chain({ leaf: { subject: name(['CN', HOST]), names: [ip(10, 1, 2, 3)] } }),
    host: HOST,
    ours: OTHER,
    ...ACCEPTS,
  }),
  'a NUL in the name': named([dns(`${HOST}\0.evil.example`)], HOST, OTHER),
  'a NUL at the end': named([dns(`${HOST}\0`)], HOST, OTHER),
  'a dot at the end': named([dns(`${HOST}.`)], HOST, OTHER),
  'UTF-8 for an A-label': named([dns('b\xc3\xbccher.example')], 'xn--bcher-kva.example', OTHER),
  'an underscore': named([dns('_a.good.example')], '_a.good.example', 'fine'),
  'a URI': named([uri(`https://${HOST}/`)], HOST, OTHER),
  'a critical subjectAltName': () => ({
    ...chain({ leaf: { extensions: [extension('2.5.29.17', sequence(...NAMES), true)] } }),
    host: HOST,
    ours: 'fine',
  }),
  'no subject': leaf({ subject: name() }, 'fine'),
}

export const PROFILE: Readonly<Record<string, Cases>> = {
  'authorities and key usage': AUTHORITY,
  'path lengths': PATHS,
  'versions, extensions and algorithms': VERSIONS,
  dates: DATES,
  purposes: PURPOSES,
  'names of servers': HOSTS,
}
