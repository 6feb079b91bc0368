import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NamedGroup } from '../../src/tls13/codepoints.ts'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { CryptoProvider, KeyExchangeGroup, Random } from '../../src/tls13/crypto/provider.ts'
import { fromHex, hex } from '../../src/wire/index.ts'
import { pairs, providers, scripted } from '../support/providers.ts'

const LONG = process.env.HOTPOTATO_LONG === '1'
/** The groups over finite fields. */
const FIELDS: readonly number[] = [
  NamedGroup.ffdhe2048,
  NamedGroup.ffdhe3072,
  NamedGroup.ffdhe4096,
  NamedGroup.ffdhe6144,
  NamedGroup.ffdhe8192,
]

/** Those that take a second each in JavaScript: in a short run, one pair of providers tries them. */
const LARGE: readonly number[] = [NamedGroup.ffdhe4096, NamedGroup.ffdhe6144, NamedGroup.ffdhe8192]
/** How often a pair agrees. */
const SEEDS = LONG ? 10 : 3

/** The order of each NIST group: the first scalar that is too large. */
const ORDERS: Readonly<Record<string, string>> = {
  secp256r1: 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
  secp384r1:
    'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  secp521r1:
    '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709' +
    'a5d03bb5c9b8899c47aebb6fb71e91386409',
}

describe.each(pairs)('$title', ({ a, b }) => {
  it.each([
    NamedGroup.x25519,
    NamedGroup.secp256r1,
    NamedGroup.secp384r1,
    NamedGroup.secp521r1,
    NamedGroup.x448,
    ...FIELDS.filter(id => LONG || (a === node && b === noble) || !LARGE.includes(id)),
  ])('group %i: client and server agree', id => {
    const [client, server] = [find(allOf(a), id), find(allOf(b), id)]
    for (let seed = 0; seed < (FIELDS.includes(id) ? (LONG ? 2 : 1) : SEEDS); seed++) {
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
  // the client's key pair, the server's key pair
  const traces = [
    {
      from: 'RFC 8448 §3',
      id: NamedGroup.x25519,
      client: '49af42ba7f7994852d713ef2784bcbcaa7911de26adc5642cb634540e7ea5005',
      clientShare: '99381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c',
      server: 'b1580eeadf6dd589b8ef4f2d5652578cc810e9980191ec8d058308cea216a21e',
      serverShare: 'c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f',
    },
    {
      from: 'RFC 8448 §5',
      id: NamedGroup.secp256r1,
      client: 'ab5473467e19346ceb0a0414e41da21d4d2445bc3025afe97c4e8dc8d513da39',
      clientShare:
        '04a6da7392ec591e17abfd535964b99894d13befb221b3def2ebe3830eac8f0151812677c4d6d2237e85cf01d6910cfb' +
        '83954e76ba7352830534159897e8065780',
      server: '8c510601f9765bfb8ed693449a48989859b5cfa879cb9f5443c41c5ff10634ed',
      serverShare:
        '04583e054b7a66672ae020ad9d2686fcc85b5ad41a134a0f03ee72b893052bd85b4c8de6776f5b04ac07d83540eab3e3' +
        'd9c547bc6528c4317d294686093a6cad7d',
    },
    {
      from: 'RFC 5903 §8.3',
      id: NamedGroup.secp521r1,
      client:
        '0037ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a095aa85a30fe1c2952c6771d937ba9777' +
        'f5957b2639bab072462f68c27a57382d4a52',
      clientShare:
        '040015417e84dbf28c0ad3c278713349dc7df153c897a1891bd98bab4357c9ecbee1e3bf42e00b8e380aeae57c2d1075' +
        '64941885942af5a7f4601723c4195d176ced3e017cae20b6641d2eeb695786d8c946146239d099e18e1d5a514c739d7c' +
        'b4a10ad8a788015ac405d7799dc75e7b7d5b6cf2261a6a7f1507438bf01beb6ca3926f9582',
      server:
        '0145ba99a847af43793fdd0e872e7cdfa16be30fdc780f97bccc3f078380201e9c677d600b343757a3bdbf2a3163e4c2' +
        'f869cca7458aa4a4effc311f5cb151685eb9',
      serverShare:
        '0400d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a219b97c356436adc6e95bb0352f6be64' +
        'a6c2912d4ef2d0433ced2b6171640012d9460f015c68226383956e3bd066e797b623c27ce0eac2f551a10c2c724d9852' +
        '077b87220b6536c5c408a1d2aebb8e86d678ae49cb57091f4732296579ab44fcd17f0fc56a',
      secret:
        '01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04d1427e73ca4baa240a34786859810c06' +
        'b3c715a3a8cc3151f2bee417996d19f3ddea',
    },
    {
      from: 'RFC 7748 §6.2',
      id: NamedGroup.x448,
      client:
        '9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf574a9419744897391006382a6f127ab1d' +
        '9ac2d8c0a598726b',
      clientShare:
        '9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c22c5d9bbc836647241d953d40c5b12da88120d53' +
        '177f80e532c41fa0',
      server:
        '1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d6927c120bb5ee8972b0d3e21374c9c921b09d1b0' +
        '366f10b65173992d',
      serverShare:
        '3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972fc3e34fb4232a13ca706dcb57aec3dae' +
        '07bdc1c67bf33609',
      secret:
        '07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56fd2464c335543936521c24403085d59a' +
        '449a5037514a879d',
    },
  ]
  it.each(traces)('replays the key pairs of $from', trace => {
    const group = find(provider.groups, trace.id)
    const client = group.generate(replay(trace.client))
    expect(hex(client.keyExchange)).toBe(trace.clientShare)
    expect(hex(client.privateKey)).toBe(trace.client)
    const answer = group.respond(replay(trace.server), client.keyExchange)!
    expect(hex(answer.keyExchange)).toBe(trace.serverShare)
    expect(answer.sharedSecret).toEqual(group.complete(client.privateKey, answer.keyExchange))
    if (trace.secret !== undefined) expect(hex(answer.sharedSecret)).toBe(trace.secret)
  })

  describe.each(allOf(provider))('$name', group => {
    const own = group.generate(scripted(1))

    it('refuses a key share of another length', () => {
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

    it('never throws for a key share of the right length', () => {
      const share = fc.uint8Array({ minLength: own.keyExchange.length, maxLength: own.keyExchange.length })
      const [a, b] = [find(allOf(node), group.id), find(allOf(noble), group.id)]
      fc.assert(
        fc.property(share, bytes => {
          const secret = group.complete(own.privateKey, bytes)
          // A random point is on no NIST curve. Every string of bytes is an x-coordinate for X25519 and X448,
          // and hardly any is beyond the prime of a finite field.
          if (group.name.startsWith('secp')) expect(secret).toBeUndefined()
          expect(a.complete(own.privateKey, bytes)).toEqual(b.complete(own.privateKey, bytes))
        }),
        { numRuns: FIELDS.includes(group.id) ? (LONG ? 3 : 1) : LONG ? 50 : 15 },
      )
    })

    it('gives memory of its own, and no Buffer', () => {
      const answer = group.respond(scripted(4), own.keyExchange)!
      const secret = group.complete(own.privateKey, answer.keyExchange)!
      for (const result of [own.keyExchange, answer.keyExchange, answer.sharedSecret, secret]) {
        expect(Object.getPrototypeOf(result)).toBe(Uint8Array.prototype)
        expect(result.buffer.byteLength).toBe(result.length)
      }
    })

    it('refuses a private key that is none, and a random source that gives too little', () => {
      expect(() => group.complete(new Uint8Array(31), own.keyExchange)).toThrow(RangeError)
      expect(() => group.generate(() => new Uint8Array(31))).toThrow(RangeError)
    })
  })

  it.each([NamedGroup.secp256r1, NamedGroup.secp384r1, NamedGroup.secp521r1])(
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

  it('x25519 refuses the points that make the secret all-zero', () => {
    const group = find(provider.groups, NamedGroup.x25519)
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

  it('x448 refuses points that make the secret all-zero, and reduces coordinates beyond the field', () => {
    const group = find(provider.groups, NamedGroup.x448)
    const { privateKey } = group.generate(scripted(8))
    // coordinates by their lowest, middle and other bytes; the field has 2^448 - 2^224 - 1 elements
    const coordinate = (low: number, rest: number, middle: number): Uint8Array =>
      new Uint8Array(56).fill(rest, 0, 28).fill(0xff, 28).with(0, low).with(28, middle)
    const small = (value: number): Uint8Array => new Uint8Array(56).with(0, value)
    const lowOrder = {
      zero: small(0),
      one: small(1),
      minusOne: coordinate(0xfe, 0xff, 0xfe),
      field: coordinate(0xff, 0xff, 0xfe),
      fieldAndOne: coordinate(0, 0, 0xff),
    }
    for (const [what, share] of Object.entries(lowOrder)) {
      expect([what, group.complete(privateKey, share)]).toEqual([what, undefined])
      expect(group.respond(scripted(9), share)).toBeUndefined()
    }
    expect(group.complete(privateKey, coordinate(4, 0, 0xff))).toEqual(group.complete(privateKey, small(5)))
    expect(group.complete(privateKey, small(5))).toBeDefined()
  })

  it('secp521r1 takes the 521 bits of a random string that are the scalar, and no more', () => {
    const group = find(provider.groups, NamedGroup.secp521r1)
    const { privateKey, keyExchange } = group.generate(length => new Uint8Array(length).fill(0xfe))
    expect(hex(privateKey)).toBe(`00${'fe'.repeat(65)}`)
    expect(() => group.complete(new Uint8Array(66).fill(0xfe), keyExchange)).toThrow(RangeError)
  })

  it.each(Object.entries(ORDERS))('%s draws again when the scalar is out of range', (name, order) => {
    const group = provider.groups.find(candidate => candidate.name === name)!
    const good = scripted(10)(group.generate(scripted(0)).privateKey.length)
    good[0]! &= fromHex(order)[0]! // what is above the order's bits is not the scalar's
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

function allOf({ groups, costlyGroups = [] }: CryptoProvider): readonly KeyExchangeGroup[] {
  return [...groups, ...costlyGroups]
}

function find(groups: readonly KeyExchangeGroup[], id: number): KeyExchangeGroup {
  return groups.find(group => group.id === id)!
}

/** A random source that gives these strings, one a call. */
function replay(...script: readonly string[]): Random {
  const left = script.map(fromHex)
  return () => left.shift() ?? new Uint8Array(0)
}
