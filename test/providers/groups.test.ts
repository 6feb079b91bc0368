import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { KeyExchangeGroup, Random } from '../../src/tls13/crypto/provider.ts'
import { fromHex, hex } from '../../src/wire/index.ts'
import { pairs, providers, scripted } from './providers.ts'

/** The order of each NIST group: the first scalar that is too large. */
const ORDERS: Readonly<Record<string, string>> = {
  secp256r1: 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
  secp384r1:
    'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
}

describe.each(pairs)('$title', ({ a, b }) => {
  test.each([0x001d, 0x0017, 0x0018])('group %i: client and server agree', id => {
    const [client, server] = [find(a.groups, id), find(b.groups, id)]
    for (let seed = 0; seed < 10; seed++) {
      const { privateKey, keyExchange } = client.generate(scripted(seed))
      const answer = server.respond(scripted(seed + 100), keyExchange)!
      const secret = client.complete(privateKey, answer.keyExchange)
      expect(secret).toEqual(answer.sharedSecret)
      // a session may be moved into the other provider between its hello and the answer
      expect(server.complete(privateKey, answer.keyExchange)).toEqual(secret)
    }
  })
})

describe.each(providers)('$name', provider => {
  // RFC 8448, Sections 3 and 5: the client's key pair, the server's key pair
  const traces = [
    {
      id: 0x001d,
      client: '49af42ba7f7994852d713ef2784bcbcaa7911de26adc5642cb634540e7ea5005',
      clientShare: '99381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c',
      server: 'b1580eeadf6dd589b8ef4f2d5652578cc810e9980191ec8d058308cea216a21e',
      serverShare: 'c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f',
    },
    {
      id: 0x0017,
      client: 'ab5473467e19346ceb0a0414e41da21d4d2445bc3025afe97c4e8dc8d513da39',
      clientShare:
        '04a6da7392ec591e17abfd535964b99894d13befb221b3def2ebe3830eac8f0151812677c4d6d2237e85cf01d6910cfb83954e76ba7352830534159897e8065780',
      server: '8c510601f9765bfb8ed693449a48989859b5cfa879cb9f5443c41c5ff10634ed',
      serverShare:
        '04583e054b7a66672ae020ad9d2686fcc85b5ad41a134a0f03ee72b893052bd85b4c8de6776f5b04ac07d83540eab3e3d9c547bc6528c4317d294686093a6cad7d',
    },
  ]
  test.each(traces)('replays the key pairs of RFC 8448, group $id', trace => {
    const group = find(provider.groups, trace.id)
    const client = group.generate(replay(trace.client))
    expect(hex(client.keyExchange)).toBe(trace.clientShare)
    expect(hex(client.privateKey)).toBe(trace.client)
    const answer = group.respond(replay(trace.server), client.keyExchange)!
    expect(hex(answer.keyExchange)).toBe(trace.serverShare)
    expect(answer.sharedSecret).toEqual(group.complete(client.privateKey, answer.keyExchange))
  })

  describe.each(provider.groups)('$name', group => {
    const own = group.generate(scripted(1))

    test('refuses a key share of another length', () => {
      const { keyExchange } = group.generate(scripted(2))
      for (const bad of [
        new Uint8Array(0),
        keyExchange.subarray(1),
        keyExchange.subarray(0, -1),
        Uint8Array.of(...keyExchange, 0),
        Uint8Array.of(0), // the point at infinity
      ]) {
        expect(group.respond(scripted(3), bad)).toBeUndefined()
        expect(group.complete(own.privateKey, bad)).toBeUndefined()
      }
    })

    test('never throws for a key share of the right length', () => {
      const share = fc.uint8Array({ minLength: own.keyExchange.length, maxLength: own.keyExchange.length })
      const [a, b] = [find(node.groups, group.id), find(noble.groups, group.id)]
      fc.assert(
        fc.property(share, bytes => {
          const secret = group.complete(own.privateKey, bytes)
          // a random point is on no NIST curve, and every string of bytes is an x-coordinate for X25519
          if (group.name !== 'x25519') expect(secret).toBeUndefined()
          expect(a.complete(own.privateKey, bytes)).toEqual(b.complete(own.privateKey, bytes))
        }),
        { numRuns: 50 },
      )
    })

    test('gives memory of its own, and no Buffer', () => {
      const answer = group.respond(scripted(4), own.keyExchange)!
      const secret = group.complete(own.privateKey, answer.keyExchange)!
      for (const result of [own.keyExchange, answer.keyExchange, answer.sharedSecret, secret]) {
        expect(Object.getPrototypeOf(result)).toBe(Uint8Array.prototype)
        expect(result.buffer.byteLength).toBe(result.length)
      }
    })

    test('refuses a private key that is none, and a random source that gives too little', () => {
      expect(() => group.complete(new Uint8Array(31), own.keyExchange)).toThrow(RangeError)
      expect(() => group.generate(() => new Uint8Array(31))).toThrow(RangeError)
    })
  })

  test.each([0x0017, 0x0018])(
    'group %i refuses compressed and hybrid points and points off the curve',
    id => {
      const group = find(provider.groups, id)
      const { privateKey } = group.generate(scripted(5))
      const { keyExchange } = group.generate(scripted(6))
      const size = (keyExchange.length - 1) / 2
      const parity = keyExchange.at(-1)! & 1
      const bad = {
        compressed: Uint8Array.of(2 + parity, ...keyExchange.subarray(1, 1 + size)),
        hybrid: Uint8Array.of(6 + parity, ...keyExchange.subarray(1)),
        offCurve: Uint8Array.of(...keyExchange.subarray(0, -1), keyExchange.at(-1)! ^ 1),
        zero: Uint8Array.of(4, ...new Uint8Array(2 * size)),
        beyondField: Uint8Array.of(4, ...new Uint8Array(2 * size).fill(0xff)),
      }
      for (const share of Object.values(bad)) {
        expect(group.complete(privateKey, share)).toBeUndefined()
        expect(group.respond(scripted(7), share)).toBeUndefined()
      }
    },
  )

  test('x25519 refuses the points that make the secret all-zero', () => {
    const group = find(provider.groups, 0x001d)
    const { privateKey } = group.generate(scripted(8))
    const lowOrder = [
      '0000000000000000000000000000000000000000000000000000000000000000',
      '0100000000000000000000000000000000000000000000000000000000000000',
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    ]
    for (const share of lowOrder) {
      expect(group.complete(privateKey, fromHex(share))).toBeUndefined()
      expect(group.respond(scripted(9), fromHex(share))).toBeUndefined()
    }
  })

  test.each(Object.entries(ORDERS))('%s draws again when the scalar is out of range', (name, order) => {
    const group = provider.groups.find(candidate => candidate.name === name)!
    const good = scripted(10)(group.generate(scripted(0)).privateKey.length)
    const zero = '0'.repeat(order.length)
    const { privateKey } = group.generate(replay(zero, order, 'f'.repeat(order.length), hex(good)))
    expect(privateKey).toEqual(good)
    expect(() => group.complete(fromHex(order), group.generate(scripted(0)).keyExchange)).toThrow(RangeError)
    expect(() => group.generate(length => new Uint8Array(length))).toThrow(/random source/)
    // the largest scalar that is in range
    const largest = fromHex(order)
    largest[largest.length - 1]! -= 1
    expect(group.generate(replay(hex(largest))).privateKey).toEqual(largest)
  })
})

function find(groups: readonly KeyExchangeGroup[], id: number): KeyExchangeGroup {
  return groups.find(group => group.id === id)!
}

/** A random source that gives these strings, one a call. */
function replay(...script: readonly string[]): Random {
  const left = script.map(fromHex)
  return () => left.shift() ?? new Uint8Array(0)
}
