import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NamedGroup } from '../../src/tls13/codepoints.ts'
import { hybridGroups, mlKem768, withHybridGroups } from '../../src/tls13/crypto/hybrid.ts'
import type { CryptoProvider, KeyExchangeGroup, Random } from '../../src/tls13/crypto/provider.ts'
import { Session } from '../../src/tls13/session.ts'
import { SessionState } from '../../src/tls13/state.ts'
import { concat, decode, encode, utf8 } from '../../src/wire/index.ts'
import { clientConfig, createPair, dataOf, joined, outputOf, serverConfig } from '../support/pair.ts'
import { pairs, providers, scripted } from '../support/providers.ts'
import { script } from '../support/random.ts'

const { X25519MLKEM768, SecP256r1MLKEM768, x25519, secp256r1 } = NamedGroup

/** Bytes of what each side sends, and of what they share. */
const SIZES = [
  { id: X25519MLKEM768, name: 'X25519MLKEM768', offer: 1184 + 32, answer: 1088 + 32, secret: 64 },
  { id: SecP256r1MLKEM768, name: 'SecP256r1MLKEM768', offer: 65 + 1184, answer: 65 + 1088, secret: 64 },
]

describe.each(pairs)('$title', ({ a, b }) => {
  it.each(SIZES)('$name: client and server agree', ({ id, offer, answer, secret }) => {
    const [client, server] = [groupOf(a, id), groupOf(b, id)]
    for (let seed = 0; seed < 5; seed++) {
      const { privateKey, keyExchange } = client.generate(scripted(seed))
      // the same random bytes, the same key, from every provider
      expect(server.generate(scripted(seed))).toEqual({ privateKey, keyExchange })
      const response = server.respond(scripted(seed + 100), keyExchange)!
      expect(client.respond(scripted(seed + 100), keyExchange)).toEqual(response)
      expect([keyExchange.length, response.keyExchange.length, response.sharedSecret.length]).toEqual([
        offer,
        answer,
        secret,
      ])
      expect(client.complete(privateKey, response.keyExchange)).toEqual(response.sharedSecret)
      // a session may be moved into the other provider between its hello and the answer
      expect(server.complete(privateKey, response.keyExchange)).toEqual(response.sharedSecret)
    }
  })

  it.each(SIZES)('$name: a session moves between its hello and the answer', ({ id }) => {
    const [from, to] = [withHybridGroups(a), withHybridGroups(b)]
    const { client, server } = createPair({ provider: from, keyShares: [id] }, { provider: to })
    const hello = outputOf(client)
    const state = decode(SessionState, encode(SessionState, client.release()))
    const moved = Session.restore(state, clientConfig({ provider: to }))
    server.receive(hello)
    moved.receive(outputOf(server))
    server.receive(outputOf(moved))
    expect([moved.connected, server.connected]).toEqual([true, true])
    moved.send(utf8('ping'))
    expect(dataOf(server.receive(outputOf(moved)))).toEqual(utf8('ping'))
  })

  it.each(SIZES)('$name: a server asks for it, and moves before it gets it', ({ id }) => {
    const only: CryptoProvider = { ...a, groups: [groupOf(a, id)] }
    const server = Session.server(serverConfig({ provider: only }))
    const client = Session.client(clientConfig({ provider: withHybridGroups(b) }))
    server.receive(outputOf(client))
    const retry = outputOf(server)
    const state = decode(SessionState, encode(SessionState, server.release()))
    const moved = Session.restore(state, serverConfig({ provider: { ...b, groups: [groupOf(b, id)] } }))
    client.receive(retry)
    joined(client, moved).settle()
    expect([client.connected, moved.connected]).toEqual([true, true])
  })
})

describe.each(providers)('$name', provider => {
  const [strong, nist] = [groupOf(provider, X25519MLKEM768), groupOf(provider, SecP256r1MLKEM768)]

  it('each hybrid stands after the group that it strengthens', () => {
    expect(provider.groups.map(({ name }) => name)).not.toContain('X25519MLKEM768')
    expect(withHybridGroups(provider).groups.map(({ id, name }) => [id, name])).toEqual([
      [NamedGroup.x25519, 'x25519'],
      [NamedGroup.X25519MLKEM768, 'X25519MLKEM768'],
      [NamedGroup.secp256r1, 'secp256r1'],
      [NamedGroup.SecP256r1MLKEM768, 'SecP256r1MLKEM768'],
      [NamedGroup.secp384r1, 'secp384r1'],
      [NamedGroup.secp521r1, 'secp521r1'],
      [NamedGroup.x448, 'x448'],
      [NamedGroup.ffdhe2048, 'ffdhe2048'],
      [NamedGroup.ffdhe3072, 'ffdhe3072'],
    ])
  })

  // draft-ietf-tls-ecdhe-mlkem: ML-KEM first with X25519, last with secp256r1, in shares and secrets alike
  it.each([
    { id: X25519MLKEM768, halves: [mlKem768, plain(provider, x25519)] },
    { id: SecP256r1MLKEM768, halves: [plain(provider, secp256r1), mlKem768] },
  ])('group $id is its halves, one after the other', ({ id, halves: [first, second] }) => {
    const draws = (seed: number, mlKem: number): [Uint8Array, Uint8Array] => {
      const bytes = scripted(seed)
      return first === mlKem768 ? [bytes(mlKem), bytes(32)] : [bytes(32), bytes(mlKem)]
    }
    const group = groupOf(provider, id)
    const [a, b] = draws(1, 64)
    const whole = group.generate(script(a, b))
    const [left, right] = [first!.generate(script(a)), second!.generate(script(b))]
    expect(whole.privateKey).toEqual(concat(a, b))
    expect(whole.keyExchange).toEqual(concat(left.keyExchange, right.keyExchange))
    const [c, d] = draws(2, 32)
    const answer = group.respond(script(c, d), whole.keyExchange)!
    const [answerA, answerB] = [
      first!.respond(script(c), left.keyExchange)!,
      second!.respond(script(d), right.keyExchange)!,
    ]
    expect(answer.keyExchange).toEqual(concat(answerA.keyExchange, answerB.keyExchange))
    expect(answer.sharedSecret).toEqual(concat(answerA.sharedSecret, answerB.sharedSecret))
  })

  describe.each([strong, nist, mlKem768])('$name', group => {
    const own = group.generate(scripted(1))
    const answer = group.respond(scripted(2), own.keyExchange)!

    it('refuses a key share of another length', () => {
      for (const good of [own.keyExchange, answer.keyExchange]) {
        for (const bad of [
          new Uint8Array(0),
          good.subarray(1),
          good.subarray(0, -1),
          concat(good, Uint8Array.of(0)),
        ]) {
          expect(group.respond(scripted(3), bad)).toBeUndefined()
          expect(group.complete(own.privateKey, bad)).toBeUndefined()
        }
      }
      // each other's lengths, too
      expect(group.respond(scripted(3), answer.keyExchange)).toBeUndefined()
      expect(group.complete(own.privateKey, own.keyExchange)).toBeUndefined()
    })

    it('never throws for a key share of the right length', () => {
      const offer = fc.uint8Array({ minLength: own.keyExchange.length, maxLength: own.keyExchange.length })
      const { length } = answer.keyExchange
      fc.assert(
        fc.property(offer, fc.uint8Array({ minLength: length, maxLength: length }), (theirs, reply) => {
          group.respond(scripted(4), theirs) // nearly always undefined, but not for zeros
          const secret = group.complete(own.privateKey, reply)
          if (secret !== undefined) expect(secret).not.toEqual(answer.sharedSecret)
        }),
        { numRuns: 20 },
      )
    })

    it('refuses a private key that is none, and a random source that gives too little', () => {
      expect(() => group.complete(own.privateKey.subarray(1), answer.keyExchange)).toThrow(RangeError)
      expect(() => group.generate(() => new Uint8Array(31))).toThrow(RangeError)
      expect(() => group.respond(() => new Uint8Array(31), own.keyExchange)).toThrow(RangeError)
    })

    it('gives memory of its own, leaves its arguments, and no Buffer', () => {
      const [share, key] = [own.keyExchange.slice(), own.privateKey.slice()]
      const secret = group.complete(key, group.respond(scripted(5), share)!.keyExchange)!
      expect([share, key]).toEqual([own.keyExchange, own.privateKey])
      for (const result of [own.keyExchange, answer.keyExchange, answer.sharedSecret, secret]) {
        expect(Object.getPrototypeOf(result)).toBe(Uint8Array.prototype)
        expect(result.buffer.byteLength).toBe(result.length)
      }
    })
  })

  it('refuses an encapsulation key with a coefficient that is not below 3329 (FIPS 203, §7.2)', () => {
    for (const { group, at } of [
      { group: strong, at: 0 },
      { group: nist, at: 65 },
    ]) {
      const { keyExchange } = group.generate(scripted(6))
      // the lowest 12 bits are the first coefficient: 3329 is 0xd01
      const low = (value: number): Uint8Array =>
        keyExchange.with(at, value & 0xff).with(at + 1, (keyExchange[at + 1]! & 0xf0) | (value >> 8))
      expect(group.respond(scripted(7), low(3328))).toBeDefined()
      expect(group.respond(scripted(7), low(3329))).toBeUndefined()
      expect(group.respond(scripted(7), low(4095))).toBeUndefined()
    }
  })

  it('refuses a bad classic half, whatever the other half is like', () => {
    const zeros = new Uint8Array(32)
    const client = strong.generate(scripted(8))
    const answer = strong.respond(scripted(9), client.keyExchange)!
    expect(strong.respond(scripted(9), client.keyExchange.with(1184, 1).fill(0, 1185))).toBeUndefined()
    expect(strong.complete(client.privateKey, concat(answer.keyExchange.subarray(0, 1088), zeros))).toBe(
      undefined,
    )
    const other = nist.generate(scripted(8))
    const point = nist.respond(scripted(9), other.keyExchange)!
    const off = (share: Uint8Array): Uint8Array => share.with(64, share[64]! ^ 1)
    expect(nist.respond(scripted(9), off(other.keyExchange))).toBeUndefined()
    expect(nist.complete(other.privateKey, off(point.keyExchange))).toBeUndefined()
    expect(nist.respond(scripted(9), other.keyExchange.with(0, 2))).toBeUndefined()
  })

  it('makes another secret of a changed ciphertext (FIPS 203, §7.3), the same one each time', () => {
    const { privateKey, keyExchange } = strong.generate(scripted(10))
    const answer = strong.respond(scripted(11), keyExchange)!
    const changed = answer.keyExchange.with(500, answer.keyExchange[500]! ^ 1)
    const secret = strong.complete(privateKey, changed)!
    expect(secret.subarray(32)).toEqual(answer.sharedSecret.subarray(32))
    expect(secret.subarray(0, 32)).not.toEqual(answer.sharedSecret.subarray(0, 32))
    expect(strong.complete(privateKey, changed)).toEqual(secret)
  })
})

it('a changed ciphertext ends the handshake with an alert', () => {
  const [provider] = providers
  const broken: KeyExchangeGroup = {
    ...groupOf(provider!, X25519MLKEM768),
    respond(random: Random, share) {
      const answer = groupOf(provider!, X25519MLKEM768).respond(random, share)
      return answer && { ...answer, keyExchange: answer.keyExchange.with(0, answer.keyExchange[0]! ^ 1) }
    },
  }
  const pair = createPair(
    { provider: withHybridGroups(provider!), keyShares: [X25519MLKEM768] },
    { provider: { ...provider!, groups: [broken] } },
  )
  pair.settle()
  expect(pair.clientEvents.map(({ type }) => type)).toEqual(['alert'])
  expect(pair.clientEvents[0]).toMatchObject({ alert: 'bad_record_mac', from: 'local' })
})

it('there is a hybrid over no other group', () => {
  const [provider] = providers
  const others = provider!.groups.filter(({ id }) => id !== x25519 && id !== secp256r1)
  expect(others.length).toBe(5)
  expect(hybridGroups(others)).toEqual([])
})

function groupOf(provider: CryptoProvider, id: number): KeyExchangeGroup {
  return hybridGroups(provider.groups).find(group => group.id === id)!
}

function plain(provider: CryptoProvider, id: number): KeyExchangeGroup {
  return provider.groups.find(group => group.id === id)!
}
