import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { TlsError } from '../../../src/tls13/alert.ts'
import { Verdicts, verdictKey } from '../../../src/tls13/io/verdicts.ts'
import { type VerifierOptions, verifier } from '../../../src/tls13/io/verify.ts'
import { DAY, type Entity, type EntityOptions, makeEntity, TODAY } from '../../support/certificates.ts'
import { dns, keyNamed, type Made, make, nameConstraints } from '../../support/chains/make.ts'

/*
 * A chain that was trusted once is judged by its dates alone. Each test first has a chain trusted, and then
 * tries to be trusted by that verdict where it must not be.
 */

const SERVER: Omit<EntityOptions, 'issuer'> = {
  subject: 'server',
  names: [
    { type: 'dns', value: 'echo.local' },
    { type: 'dns', value: 'other.local' },
  ],
  authority: false,
  keyUsage: x509.KeyUsageFlags.digitalSignature,
}
const SIGNS_CERTIFICATES = x509.KeyUsageFlags.keyCertSign

let root: Entity
let middle: Entity
let leaf: Entity

beforeAll(async () => {
  const authority = { authority: true, keyUsage: SIGNS_CERTIFICATES }
  root = await makeEntity({ subject: 'root', ...authority })
  middle = await makeEntity({ subject: 'middle', ...authority, issuer: root, to: TODAY + 10 * DAY })
  leaf = await makeEntity({ ...SERVER, issuer: middle })
})

interface Try extends VerifierOptions {
  readonly serverName?: string
  readonly at?: number
}

/** 'fine', or the reason of the refusal. */
function judge(
  chain: readonly Uint8Array[],
  { serverName = 'echo.local', at = TODAY, ...options }: Try = {},
) {
  try {
    verifier({ ca: root.pem, ...options })(chain, { serverName, now: at })
    return 'fine'
  } catch (error) {
    if (!(error instanceof TlsError)) throw error
    return error.reason
  }
}

/** The chain, once it is known and trusted. */
function trusted(...chain: Entity[]): Uint8Array[] {
  const ders = chain.map(({ der }) => der)
  for (let i = 0; i < 2; i++) expect(judge(ders)).toBe('fine')
  return ders
}

describe('a verdict does not outlive what it hangs on', () => {
  it('the time, of each certificate of the path', () => {
    const chain = trusted(leaf, middle)
    expect(judge(chain, { at: TODAY + 10 * DAY })).toBe('fine')
    expect(judge(chain, { at: TODAY + 10 * DAY + 1000 })).toBe('certificate_has_expired')
    expect(judge(chain, { at: TODAY + 31 * DAY })).toBe('certificate_has_expired')
    expect(judge(chain, { at: TODAY - 2 * DAY })).toBe('certificate_not_yet_valid')
    expect(judge(chain, { at: Number.NaN })).toMatch(/^certificate_/)
  })
  it('a clock that is set forward, and back', () => {
    const chain = trusted(leaf, middle)
    expect(judge(chain, { at: TODAY + 31 * DAY })).toBe('certificate_has_expired')
    expect(judge(chain)).toBe('fine')
  })
  it('and a clock of the verifier goes before the session', () => {
    const chain = trusted(leaf, middle)
    expect(judge(chain, { now: () => TODAY + 31 * DAY })).toBe('certificate_has_expired')
  })
  it('another path takes over when the one that was found has expired', async () => {
    const later = { subject: 'middle', authority: true, keyUsage: SIGNS_CERTIFICATES, keys: middle.keys }
    const successor = await makeEntity({ ...later, issuer: root, to: TODAY + 20 * DAY })
    const chain = trusted(leaf, middle, successor)
    expect(judge(chain, { at: TODAY + 15 * DAY })).toBe('fine')
    expect(judge(chain)).toBe('fine')
    expect(judge(chain, { at: TODAY + 25 * DAY })).toBe('certificate_has_expired')
  })
  it('the trust store', async () => {
    const chain = trusted(leaf, middle)
    const namesake = await makeEntity({ subject: 'root', authority: true })
    expect(judge(chain, { ca: namesake.pem })).toBe('untrusted_issuer')
    expect(judge(chain, { ca: leaf.pem })).toBe('fine')
    expect(judge(chain, { ca: namesake.der })).toBe('untrusted_issuer')
  })
  it('a trust store whose bytes are changed where they lie', async () => {
    const namesake = await makeEntity({ subject: 'root', authority: true })
    const ca: Uint8Array[] = [root.der.slice()]
    const chain = trusted(leaf, middle)
    expect(judge(chain, { ca })).toBe('fine')
    ca[0] = namesake.der
    expect(judge(chain, { ca })).toBe('untrusted_issuer')
  })
  it('the name', () => {
    const chain = trusted(leaf, middle)
    expect(judge(chain, { serverName: 'evil.local' })).toBe('wrong_name')
    expect(judge(chain, { name: 'evil.local' })).toBe('wrong_name')
    expect(judge(chain, { name: '' })).toBe('wrong_name')
    expect(judge(chain, { serverName: 'other.local' })).toBe('fine')
  })
  it('whether there is a name to check', async () => {
    const elsewhere = await makeEntity({ ...SERVER, names: [{ type: 'dns', value: 'a' }], issuer: root })
    expect(judge([elsewhere.der], { checkName: false })).toBe('fine')
    expect(judge([elsewhere.der])).toBe('wrong_name')
    const verify = verifier({ ca: root.pem })
    const nameless = { serverName: undefined, now: TODAY }
    expect(() => verify([elsewhere.der], nameless)).toThrow('no name to check')
  })
  it('the purpose', async () => {
    const purposes = [x509.ExtendedKeyUsage.clientAuth]
    const client = await makeEntity({ ...SERVER, issuer: root, purposes })
    expect(judge([client.der], { purpose: 'client' })).toBe('fine')
    expect(judge([client.der], { checkName: false })).toBe('wrong_certificate_purpose')
  })
  it('each byte of each certificate', () => {
    const chain = trusted(leaf, middle)
    const verify = verifier({ ca: root.pem })
    for (const [index, der] of chain.entries()) {
      for (let at = 0; at < der.length; at++) {
        const changed = chain.map(one => one.slice())
        changed[index]![at]! ^= 1
        const context = { serverName: 'echo.local', now: TODAY }
        expect(() => verify(changed, context), `certificate ${index}, byte ${at}`).toThrow(TlsError)
      }
    }
    expect(judge(chain)).toBe('fine')
  })
  it('the certificates that lead to the anchor', () => {
    trusted(leaf, middle)
    expect(judge([leaf.der])).toBe('untrusted_issuer')
    expect(judge([middle.der, leaf.der])).toBe('key_may_not_sign')
  })
})

describe('a verdict without name constraints is none', () => {
  const limits = nameConstraints({ permitted: [dns('evil.example')] })
  const named = { names: [dns('echo.local')] }
  const free = make('root', { authority: true })
  const bound = make('root', { authority: true, extensions: [limits] })
  const key = keyNamed('middle')
  const open = make('middle', { authority: true }, free)
  const strict = make('middle', { authority: true, key, extensions: [limits] }, free)
  const end = make('leaf', named, open)
  const ders = (...all: Made[]) => all.map(({ der }) => der)

  it('where an authority of the same name and key has some', () => {
    expect(judge(ders(end, open), { ca: [free.der] })).toBe('fine')
    expect(judge(ders(end, open), { ca: [bound.der] })).toBe('name_not_permitted')
    // The other way round: a refusal is no verdict either.
    expect(judge(ders(end, open), { ca: [free.der] })).toBe('fine')
  })
  it('where an intermediate of the same name and key has some', () => {
    expect(judge(ders(end, open), { ca: [free.der] })).toBe('fine')
    expect(judge(ders(end, strict), { ca: [free.der] })).toBe('name_not_permitted')
    expect(judge(ders(end, strict, open), { ca: [free.der] })).toBe('fine')
  })
})

describe('a verdict is', () => {
  it('memory of its own, for each who asks', () => {
    const verify = verifier({ ca: root.pem })
    const context = { serverName: 'echo.local', now: TODAY }
    const expected = new Uint8Array(leaf.certificate.publicKey.rawData)
    for (let i = 0; i < 3; i++) {
      const { publicKey } = verify([leaf.der, middle.der], context)
      expect(publicKey).toEqual(expected)
      publicKey.fill(0)
    }
  })
  it('never a refusal: what is refused is judged again', () => {
    const chain = [leaf.der, middle.der]
    expect(judge(chain, { serverName: 'other.local', at: TODAY + 31 * DAY })).toBe('certificate_has_expired')
    expect(judge(chain, { serverName: 'other.local' })).toBe('fine')
  })
  it('not asked for where nothing is to be remembered', () => {
    const chain = trusted(leaf, middle)
    expect(judge(chain, { remember: false })).toBe('fine')
    expect(judge(chain, { remember: false, at: TODAY + 31 * DAY })).toBe('certificate_has_expired')
  })
})

describe('what is kept', () => {
  const verdict = (length = 0) => ({
    trusted: { publicKey: new Uint8Array(length) },
    notBefore: 0,
    notAfter: 10,
  })
  const kept = (verdicts: Verdicts, keys: readonly string[]) => keys.filter(key => verdicts.get(key, 5))

  it('is bounded in number: the least recently used goes first', () => {
    const verdicts = new Verdicts(3, 2 ** 20)
    for (const key of ['a', 'b', 'c']) verdicts.set(key, verdict())
    expect(verdicts.get('a', 5)).toBeDefined()
    verdicts.set('d', verdict())
    expect(kept(verdicts, ['a', 'b', 'c', 'd'])).toEqual(['a', 'c', 'd'])
  })
  it('is bounded in bytes, and one that is too large drives none out', () => {
    const verdicts = new Verdicts(1000, 10_000)
    const keys = Array.from({ length: 100 }, (_, i) => `${i}`)
    for (const key of keys) verdicts.set(key, verdict(2000))
    verdicts.set('large', verdict(20_000))
    expect(kept(verdicts, [...keys, 'large'])).toEqual(['96', '97', '98', '99'])
  })
  it('holds from the first to the last millisecond', () => {
    const verdicts = new Verdicts(1, 1000)
    verdicts.set('a', verdict())
    const holds = [-1, 0, 10, 11, Number.NaN].map(now => verdicts.get('a', now) !== undefined)
    expect(holds).toEqual([false, true, true, false, false])
  })
})

describe('the key of a verdict', () => {
  const bytes = fc.uint8Array({ maxLength: 3 })
  const asked = fc.record({
    trusted: bytes,
    purpose: fc.constantFrom('server', 'client'),
    name: fc.option(fc.string({ maxLength: 2 }), { nil: undefined }),
    chain: fc.array(bytes, { maxLength: 3 }),
  })
  type Asked = typeof asked extends fc.Arbitrary<infer T> ? T : never
  const keyOf = ({ trusted, purpose, name, chain }: Asked) => verdictKey(trusted, purpose, name, chain)
  const shown = ({ trusted, chain, ...others }: Asked) =>
    JSON.stringify([[...trusted], chain.map(one => [...one]), others.purpose, others.name ?? null])

  it('is the same for the same question alone', () => {
    fc.assert(
      fc.property(asked, asked, (one, other) => {
        expect(keyOf(one) === keyOf(other)).toBe(shown(one) === shown(other))
      }),
    )
  })
  it('knows where one certificate ends, and the name before the first', () => {
    const [a, b, ab] = [Uint8Array.of(97), Uint8Array.of(98), Uint8Array.of(97, 98)]
    const key = (name: string | undefined, ...chain: Uint8Array[]) => verdictKey(a, 'server', name, chain)
    const keys = [key('a', b), key('', ab), key('ab'), key(undefined, ab), key('', a, b), key('', ab, a)]
    expect(new Set(keys).size).toBe(keys.length)
  })
})
