import { inspect } from 'node:util'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { CipherSuiteId } from '../../src/tls13/codepoints.ts'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import { createIdentity, SealError, Sealer } from '../../src/transfer/seal.ts'
import { utf8 } from '../../src/wire/index.ts'

const SESSION = { sessionId: new Uint8Array(16).fill(7), generation: 3 }
const TEXT = utf8('a session that moves')
const HEADER = 11
const TAG = 16

const PAIRS: readonly (readonly [string, CryptoProvider, CryptoProvider])[] = [
  ['node to node', node, node],
  ['noble to noble', noble, noble],
  ['node to noble', node, noble],
  ['noble to node', noble, node],
]

function pair(left: CryptoProvider = node, right: CryptoProvider = node) {
  const [a, b] = [createIdentity(left, 1), createIdentity(right, 2)]
  const [from, to] = [new Sealer(left, a), new Sealer(right, b)]
  from.addPeer(2, b.publicKey)
  to.addPeer(1, a.publicKey)
  return { a, b, from, to }
}

const refusal = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof SealError) return error.reason
    throw error
  }
  return 'none'
}

describe.each(PAIRS)('a sealed message, %s', (_, left, right) => {
  it('is opened by its target', () => {
    const { from, to } = pair(left, right)
    for (const length of [0, 1, 300, 70_000]) {
      const plaintext = new Uint8Array(length).fill(length & 0xff)
      const sealed = from.seal(2, SESSION, plaintext)
      expect(sealed.length).toBe(HEADER + length + TAG)
      expect(to.open(1, SESSION, sealed)).toEqual(plaintext)
    }
  })

  it('goes both ways at once', () => {
    const { from, to } = pair(left, right)
    const [there, back] = [from.seal(2, SESSION, TEXT), to.seal(1, SESSION, TEXT)]
    expect(there).not.toEqual(back)
    expect(to.open(1, SESSION, there)).toEqual(TEXT)
    expect(from.open(2, SESSION, back)).toEqual(TEXT)
  })

  it('is refused with any byte changed, and then still opened as it was', () => {
    const { from, to } = pair(left, right)
    const sealed = from.seal(2, SESSION, TEXT)
    for (let at = 0; at < sealed.length; at++) {
      const changed = Uint8Array.from(sealed)
      changed[at]! ^= 1
      expect(refusal(() => to.open(1, SESSION, changed))).not.toBe('none')
    }
    expect(to.open(1, SESSION, sealed)).toEqual(TEXT)
  })
})

describe('Sealer', () => {
  let { a, b, from, to } = pair()
  beforeEach(() => {
    ;({ a, b, from, to } = pair())
  })

  it('opens a message once', () => {
    const sealed = from.seal(2, SESSION, TEXT)
    to.open(1, SESSION, sealed)
    expect(refusal(() => to.open(1, SESSION, sealed))).toBe('stale')
  })

  it('opens nothing older than what it has opened, and does not miss what was lost', () => {
    const [first, second, , fourth] = [1, 2, 3, 4].map(() => from.seal(2, SESSION, TEXT))
    expect(to.open(1, SESSION, second!)).toEqual(TEXT)
    expect(refusal(() => to.open(1, SESSION, first!))).toBe('stale')
    expect(to.open(1, SESSION, fourth!)).toEqual(TEXT)
  })

  it('never seals two messages alike', () => {
    const sealed = new Set(
      Array.from({ length: 100 }, () => String(from.seal(2, SESSION, TEXT).slice(HEADER))),
    )
    expect(sealed.size).toBe(100)
  })

  it('binds the session, its generation, the source and the target', () => {
    const sealed = from.seal(2, SESSION, TEXT)
    expect(refusal(() => to.open(1, { ...SESSION, generation: 4 }, sealed))).toBe('forged')
    expect(refusal(() => to.open(1, { ...SESSION, sessionId: new Uint8Array(16) }, sealed))).toBe('forged')
    // The same keys under other ids are other parties.
    const other = new Sealer(node, { ...b, id: 3 })
    other.addPeer(1, a.publicKey)
    expect(refusal(() => other.open(1, SESSION, sealed))).toBe('forged')
    const misled = new Sealer(node, b)
    misled.addPeer(4, a.publicKey)
    expect(refusal(() => misled.open(4, SESSION, sealed))).toBe('forged')
    expect(to.open(1, SESSION, sealed)).toEqual(TEXT)
  })

  it('does not take its own message for one from the peer', () => {
    expect(refusal(() => from.open(2, SESSION, from.seal(2, SESSION, TEXT)))).toBe('forged')
  })

  it('cannot be opened by a third', () => {
    const third = new Sealer(node, createIdentity(node, 2))
    third.addPeer(1, a.publicKey)
    expect(refusal(() => third.open(1, SESSION, from.seal(2, SESSION, TEXT)))).toBe('forged')
  })

  it('names what is wrong with a message', () => {
    const sealed = from.seal(2, SESSION, TEXT)
    const changed = (at: number, byte: number) => Uint8Array.from(sealed, (old, i) => (i === at ? byte : old))
    const open = (bytes: Uint8Array) => refusal(() => to.open(1, SESSION, bytes))
    expect(open(new Uint8Array())).toBe('truncated')
    for (let length = 1; length < HEADER + TAG; length++)
      expect(open(sealed.slice(0, length))).toBe('truncated')
    for (let length = HEADER + TAG; length < sealed.length; length++)
      expect(open(sealed.slice(0, length))).toBe('forged')
    expect(open(changed(0, 2))).toBe('version')
    expect(open(changed(2, 0x09))).toBe('version')
    expect(open(changed(3, 0xff))).toBe('forged')
    expect(open(changed(10, 0))).toBe('stale')
    expect(open(Uint8Array.from([...sealed, 0]))).toBe('forged')
    expect(to.open(1, SESSION, sealed)).toEqual(TEXT)
  })

  it('throws nothing but SealErrors at whatever comes in', () => {
    const sealed = from.seal(2, SESSION, TEXT)
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.uint8Array({ maxLength: 100 }).map(tail => Uint8Array.from([...sealed.subarray(0, 3), ...tail])),
    )
    fc.assert(fc.property(bytes, input => refusal(() => to.open(1, SESSION, input)) !== 'none'))
    expect(to.open(1, SESSION, sealed)).toEqual(TEXT)
  })

  it('knows only the peers that it was told of', () => {
    expect(refusal(() => from.seal(9, SESSION, TEXT))).toBe('unknown_peer')
    expect(refusal(() => to.open(9, SESSION, from.seal(2, SESSION, TEXT)))).toBe('unknown_peer')
    from.forget(2)
    from.forget(9)
    expect(refusal(() => from.seal(2, SESSION, TEXT))).toBe('unknown_peer')
  })

  it('keeps its counters when a peer is introduced again, forgotten or not', () => {
    const before = from.seal(2, SESSION, TEXT)
    to.open(1, SESSION, before)
    from.addPeer(2, b.publicKey)
    to.forget(1)
    to.addPeer(1, a.publicKey)
    expect(refusal(() => to.open(1, SESSION, before))).toBe('stale')
    from.forget(2)
    from.addPeer(2, b.publicKey)
    const after = from.seal(2, SESSION, TEXT)
    expect(after).not.toEqual(before)
    expect(to.open(1, SESSION, after)).toEqual(TEXT)
  })

  it('refuses another key for a known id, its own id, and what is no key', () => {
    expect(() => from.addPeer(2, a.publicKey)).toThrow(/already has a different key/)
    from.forget(2)
    expect(() => from.addPeer(2, a.publicKey)).toThrow(/already has a different key/)
    expect(() => from.addPeer(1, b.publicKey)).toThrow(/is this process/)
    for (const key of [
      new Uint8Array(),
      new Uint8Array(31).fill(9),
      new Uint8Array(33).fill(9),
      new Uint8Array(32),
    ]) {
      expect(() => from.addPeer(5, key)).toThrow(/public key of the peer 5/)
    }
  })

  it('spends a counter even if sealing fails', () => {
    const suite = node.cipherSuites[0]!
    const nonces: string[] = []
    let broken = true
    const aead = {
      ...suite.aead,
      withKey: (key: Uint8Array) => ({
        open: suite.aead.withKey(key).open,
        seal(nonce: Uint8Array, data: Uint8Array, text: Uint8Array) {
          nonces.push(String(nonce))
          if (broken) throw new Error('broken')
          return suite.aead.withKey(key).seal(nonce, data, text)
        },
      }),
    }
    const sealer = new Sealer({ ...node, cipherSuites: [{ ...suite, aead }] }, a)
    sealer.addPeer(2, b.publicKey)
    expect(() => sealer.seal(2, SESSION, TEXT)).toThrow('broken')
    broken = false
    expect(to.open(1, SESSION, sealer.seal(2, SESSION, TEXT))).toEqual(TEXT)
    expect(new Set(nonces).size).toBe(2)
  })

  it('changes keys on the way, also over a gap, and only for a true message', () => {
    const suite = node.cipherSuites[0]!
    const keys = new Set<string>()
    const aead = {
      ...suite.aead,
      withKey(key: Uint8Array) {
        keys.add(String(key))
        return suite.aead.withKey(key)
      },
    }
    const sealer = new Sealer({ ...node, cipherSuites: [{ ...suite, aead }] }, a)
    sealer.addPeer(2, b.publicKey)
    const before = keys.size
    let last = sealer.seal(2, SESSION, TEXT)
    to.open(1, SESSION, last)
    for (let i = 0; i < 2 ** 14; i++) last = sealer.seal(2, SESSION, TEXT)
    expect(keys.size).toBe(before + 1)
    const forged = Uint8Array.from(last)
    forged[forged.length - 1]! ^= 1
    expect(refusal(() => to.open(1, SESSION, forged))).toBe('forged')
    expect(to.open(1, SESSION, last)).toEqual(TEXT)
    expect(to.open(1, SESSION, sealer.seal(2, SESSION, TEXT))).toEqual(TEXT)
  })

  it('says so when the processes use different cipher suites', () => {
    const chacha = {
      ...node,
      cipherSuites: node.cipherSuites.filter(
        suite => suite.id === CipherSuiteId.TLS_CHACHA20_POLY1305_SHA256,
      ),
    }
    const sealer = new Sealer(chacha, a)
    sealer.addPeer(2, b.publicKey)
    const run = () => to.open(1, SESSION, sealer.seal(2, SESSION, TEXT))
    expect(run).toThrow('sealed with the cipher suite 0x1303, not 0x1301')
    expect(refusal(run)).toBe('version')
  })

  it('shows no secret when it is printed', () => {
    const shown = inspect([a, from], { depth: 9, showHidden: true })
    expect(shown).not.toMatch(/privateKey|secret|directions/)
  })
})

describe('with a process of another host', () => {
  /** Each host has given the other's process an id of its own. */
  function far(salt: Uint8Array, a = createIdentity(node, 1), b = createIdentity(node, 2)) {
    const [from, to] = [new Sealer(node, a), new Sealer(node, b)]
    from.addPeer(77, b.publicKey, salt)
    to.addPeer(78, a.publicKey, salt)
    return { a, b, from, to }
  }
  const [one, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]

  it('ids do not matter, and the salt does', () => {
    const { a, b, from, to } = far(one)
    expect(to.open(78, SESSION, from.seal(77, SESSION, TEXT))).toEqual(TEXT)
    expect(from.open(77, SESSION, to.seal(78, SESSION, TEXT))).toEqual(TEXT)
    const later = far(other, a, b)
    const sealed = from.seal(77, SESSION, TEXT)
    expect(refusal(() => later.to.open(78, SESSION, sealed))).toBe('forged')
    // What went one way is not taken for what came the other way.
    expect(refusal(() => from.open(77, SESSION, from.seal(77, SESSION, TEXT)))).toBe('forged')
  })

  it('one that says it has our own key is none: what we seal could come back to us', () => {
    const a = createIdentity(node, 1)
    expect(() => new Sealer(node, a).addPeer(77, a.publicKey, one)).toThrow(/has our own key/)
  })

  it('the same keys and counter seal differently when two hosts meet again', () => {
    const { a, b, from } = far(one)
    const again = far(other, a, b)
    const [first, second] = [from, again.from].map(sealer => sealer.seal(77, SESSION, TEXT))
    expect(first!.subarray(0, HEADER)).toEqual(second!.subarray(0, HEADER))
    expect(first).not.toEqual(second)
  })
})
