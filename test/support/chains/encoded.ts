import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { TODAY } from '../certificates.ts'
import { type Case, type Cases, chain, HOST } from './case.ts'
import { bits, boolean, integer, objectId, octets, sequence, tlv } from './der.ts'
import { dns, extension, keyNamed, type Made, make, name, nameConstraints, type Shape } from './make.ts'

/* How certificates are written down, what keys they hold, and paths of which one alone holds. */

const NAMES = [dns(HOST)]
const MALFORMED = 'malformed_certificate'
const ACCEPTS = { openssl: 'accepts' } as const

/** Root and leaf. */
function leaf(shape: Shape, ours: string, more: Partial<Case> = {}): () => Case {
  return () => ({ ...chain({ leaf: { names: NAMES, ...shape } }), host: HOST, ours, ...more })
}

/** A leaf whose bytes are changed once it is signed. */
function changed(change: (der: Uint8Array) => Uint8Array, ours: string, more?: Partial<Case>): () => Case {
  return () => {
    const one = leaf({}, ours, more)()
    return { ...one, leaf: { ...one.leaf, der: change(one.leaf.der) } }
  }
}

const SERVER = objectId('1.3.6.1.5.5.7.3.1')
/** @param bare what is left out, so that the extension does not come twice */
function written(
  id: string,
  value: Uint8Array,
  ours: string,
  { bare, ...more }: Partial<Case> & { readonly bare?: Shape } = {},
): () => Case {
  return leaf({ extensions: [extension(id, value)], ...bare }, ours, more)
}

const WRITTEN: Cases = {
  'a byte behind it': changed(der => Uint8Array.of(...der, 0), MALFORMED, ACCEPTS),
  'cut short': changed(der => der.subarray(0, -1), MALFORMED),
  'a length in one byte more than it needs': changed(
    der => Uint8Array.of(0x30, 0x83, 0, ...der.subarray(2)),
    MALFORMED,
    ACCEPTS,
  ),
  'no length but an end': changed(
    der => Uint8Array.of(0x30, 0x80, ...der.subarray(4), 0, 0),
    MALFORMED,
    ACCEPTS,
  ),
  'a signature of which a bit is another': changed(
    der => Uint8Array.from(der, (byte, at) => (at === der.length - 1 ? byte ^ 1 : byte)),
    'wrong_certificate_signature',
  ),
  'a purpose that is no list': written('2.5.29.37', SERVER, MALFORMED),
  'a purpose with bytes behind it': written(
    '2.5.29.37',
    Uint8Array.of(...sequence(SERVER), 5, 0),
    MALFORMED,
    ACCEPTS,
  ),
  'keyUsage that is no bits': written('2.5.29.15', octets(Uint8Array.of(0x80)), MALFORMED, {
    bare: { usage: null },
  }),
  'keyUsage with bytes behind it': written('2.5.29.15', Uint8Array.of(...bits(0), 5, 0), MALFORMED, {
    ...ACCEPTS,
    bare: { usage: null },
  }),
  'basicConstraints that is no list': written('2.5.29.19', boolean(true), MALFORMED),
  'basicConstraints with more in it': written(
    '2.5.29.19',
    sequence(boolean(true), integer(1), integer(1)),
    MALFORMED,
  ),
  'subjectAltName that is no list': () => ({
    ...chain({ leaf: { extensions: [extension('2.5.29.17', dns(HOST))] } }),
    ours: MALFORMED,
  }),
  'a key identifier that is none': written('2.5.29.14', integer(1), MALFORMED, {
    bare: { withoutIds: true },
  }),
  'an issuer identifier that is none': written('2.5.29.35', integer(1), MALFORMED, {
    bare: { withoutIds: true },
  }),
  'a truth of 1': leaf(
    { extensions: [sequence(objectId('2.5.29.37'), tlv(1, [1]), octets(sequence(SERVER)))] },
    MALFORMED,
    ACCEPTS,
  ),
  'not critical, written out': leaf(
    { extensions: [sequence(objectId('1.2.3.4'), boolean(false), octets(tlv(5)))] },
    'fine',
  ),
  'no authority, written out': leaf(
    { extensions: [extension('2.5.29.19', sequence(boolean(false)))] },
    'fine',
  ),
  'a critical key identifier': leaf(
    { withoutIds: true, extensions: [extension('2.5.29.14', octets(Uint8Array.of(1)), true)] },
    'unknown_critical_extension',
  ),
  'a critical issuer identifier': leaf(
    { withoutIds: true, extensions: [extension('2.5.29.35', sequence(), true)] },
    'unknown_critical_extension',
  ),
  'a critical purpose': leaf({ extensions: [extension('2.5.29.37', sequence(SERVER), true)] }, 'fine'),
}

/** A leaf with a key of another kind. */
function held(make: () => KeyObject, ours: string, more?: Partial<Case>): () => Case {
  return () => {
    const spki = new Uint8Array(make().export({ type: 'spki', format: 'der' }))
    return leaf({ key: { spki, privateKey: keyNamed('leaf').privateKey } }, ours, more)()
  }
}

/** Numbers of the right size, which took no time to find: only their kind is looked at. */
function dsa(): KeyObject {
  const number = (bytes: number) => integer(new Uint8Array(bytes).fill(0x55))
  const algorithm = sequence(objectId('1.2.840.10040.4.1'), sequence(number(256), number(32), number(256)))
  const spki = sequence(algorithm, tlv(3, [0], number(256)))
  return createPublicKey({ key: Buffer.from(spki), type: 'spki', format: 'der' })
}

const rsa = (modulusLength: number) => () => generateKeyPairSync('rsa', { modulusLength }).publicKey

const HELD: Cases = {
  'RSA of 1024 bits': held(rsa(1024), 'weak_key', ACCEPTS),
  'RSA of 2048 bits': held(rsa(2048), 'fine'),
  'RSA-PSS': held(() => generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey, 'fine'),
  Ed25519: held(() => generateKeyPairSync('ed25519').publicKey, 'fine'),
  Ed448: held(() => generateKeyPairSync('ed448').publicKey, 'fine'),
  X25519: held(() => generateKeyPairSync('x25519').publicKey, 'unsupported_key', ACCEPTS),
  DSA: held(dsa, 'unsupported_key', ACCEPTS),
  'a curve that is written out': held(
    () => generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }).publicKey,
    MALFORMED,
  ),
}

/** Two authorities of one name and key, of which the first to be tried is no good. */
function beside(wrong: Shape, more: Partial<Case> = {}): () => Case {
  return () => {
    const root = make('root', { authority: true })
    const base: Shape = { authority: true, subject: name(['CN', 'twin']), key: keyNamed('twin') }
    const [bad, good] = [make('bad', { ...base, ...wrong }, root), make('good', base, root)]
    const end = make('leaf', { names: NAMES }, good)
    return { leaf: end, others: [bad, good], trusted: [root], host: HOST, ours: 'fine', ...more }
  }
}
const REFUSES = { openssl: 'refuses' } as const

const TRIED: Cases = {
  'one that has expired': beside({ to: TODAY - 1000 }),
  'one that is no authority': beside({ authority: false }, REFUSES),
  'one that may not sign certificates': beside({ usage: [0] }, REFUSES),
  'one for clients': beside({ purposes: ['1.3.6.1.5.5.7.3.2'] }, REFUSES),
  'one with an unknown critical extension': beside(
    { extensions: [extension('1.2.3.4', tlv(5), true)] },
    REFUSES,
  ),
  'one of another signer': () => {
    const one = beside({})()
    const liar = make('root', { authority: true, key: keyNamed('liar'), withoutIds: true })
    const base: Shape = {
      authority: true,
      subject: name(['CN', 'twin']),
      key: keyNamed('twin'),
      withoutIds: true,
    }
    return { ...one, others: [make('bad', base, liar), one.others[1]!], ...REFUSES }
  },
  'one with a name that may not be vouched for': () => {
    const root = make('root', { authority: true })
    const limits = [nameConstraints({ excluded: [dns('evil.example')] })]
    const above = make('above', { authority: true, extensions: limits }, root)
    const base: Shape = { authority: true, subject: name(['CN', 'twin']), key: keyNamed('twin') }
    const bad = make('bad', { ...base, names: [dns('evil.example')] }, above)
    const good = make('good', base, above)
    return {
      leaf: make('leaf', { names: NAMES }, good),
      others: [bad, good, above],
      trusted: [root],
      host: HOST,
      ours: 'fine',
      ...REFUSES,
    }
  },
  'one whose key cannot be read, of which none is the right one': () => {
    const root = make('root', { authority: true })
    const spki = sequence(sequence(objectId('1.2.840.113549.1.1.1'), tlv(5)), tlv(3, [0]))
    const key = { spki, privateKey: keyNamed('twin').privateKey }
    const between = make('middle', { authority: true, key }, root)
    return {
      leaf: make('leaf', { names: NAMES }, between),
      others: [between],
      trusted: [root],
      ours: MALFORMED,
    }
  },
  'one signed with SHA-1': beside({ hash: 'sha1' }, {}),
  'one that cannot be read': beside({ version: 0 }, {}),
}

const alone = (shape: Shape, more: (one: Made) => Pick<Case, 'trusted' | 'ours'> & Partial<Case>) => () => {
  const one = make('alone', { names: NAMES, ...shape })
  return { leaf: one, others: [], host: HOST, ...more(one) }
}

const ALONE: Cases = {
  'signed by itself, and not trusted': alone({}, () => ({
    trusted: [make('root', { authority: true })],
    ours: 'untrusted_issuer',
  })),
  'signed by itself, and trusted': alone({}, one => ({ trusted: [one], ours: 'fine' })),
  'an authority that is trusted': alone({ authority: true, usage: [0, 5] }, one => ({
    trusted: [one],
    ours: 'fine',
  })),
  'trusted, and expired': alone({ to: TODAY - 1000 }, one => ({
    trusted: [one],
    ours: 'certificate_has_expired',
  })),
  'trusted, and for another name': alone({ names: [dns('evil.example')] }, one => ({
    trusted: [one],
    ours: 'wrong_name',
  })),
  'the root sent with the rest': () => {
    const one = chain({ middle: {}, leaf: { names: NAMES } })
    return { ...one, others: [...one.others, ...one.trusted], host: HOST, ours: 'fine' }
  },
  'the root before the intermediate': () => {
    const one = chain({ middle: {}, leaf: { names: NAMES } })
    return { ...one, others: [...one.trusted, ...one.others], host: HOST, ours: 'fine' }
  },
  'the leaf sent twice': () => {
    const one = chain({ middle: {}, leaf: { names: NAMES } })
    return { ...one, others: [one.leaf, ...one.others], host: HOST, ours: 'fine' }
  },
}

export const ENCODED: Readonly<Record<string, Cases>> = {
  'how it is written': WRITTEN,
  'keys of a leaf': HELD,
  'two authorities of one name and key': TRIED,
  'roots and leaves': ALONE,
}
