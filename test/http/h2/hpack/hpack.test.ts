import { describe, expect, it } from 'vitest'
import { huffmanDecode, huffmanEncode, huffmanLength } from '../../../../src/http/h2/hpack/huffman.ts'
import { H2Error, HpackDecoder, HpackEncoder } from '../../../../src/http/h2/index.ts'
import { Output } from '../../../../src/http/h2/output.ts'
import type { Field } from '../../../../src/http/message.ts'
import { fromHex, hex } from '../../../../src/wire/index.ts'

const GET: Field[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'www.example.com'],
]
const GET_HTTPS: Field[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/index.html'],
  [':authority', 'www.example.com'],
]
const REQUESTS: Field[][] = [
  GET,
  [...GET, ['cache-control', 'no-cache']],
  [...GET_HTTPS, ['custom-key', 'custom-value']],
]
const DATE = 'Mon, 21 Oct 2013 20:13:21 GMT'
const RESPONSES: Field[][] = [
  [
    [':status', '302'],
    ['cache-control', 'private'],
    ['date', DATE],
    ['location', 'https://www.example.com'],
  ],
  [
    [':status', '307'],
    ['cache-control', 'private'],
    ['date', DATE],
    ['location', 'https://www.example.com'],
  ],
  [
    [':status', '200'],
    ['cache-control', 'private'],
    ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
    ['location', 'https://www.example.com'],
    ['content-encoding', 'gzip'],
    ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
  ],
]

/**
 * RFC 7541 Appendix C: the limit of the table, the blocks, what they say, and the size of the table after
 * each.
 */
const EXAMPLES: readonly [
  section: string,
  limit: number,
  wire: string[],
  lists: Field[][],
  sizes: number[],
][] = [
  [
    'C.2.1',
    4096,
    ['400a637573746f6d2d6b65790d637573746f6d2d686561646572'],
    [[['custom-key', 'custom-header']]],
    [55],
  ],
  ['C.2.2', 4096, ['040c2f73616d706c652f70617468'], [[[':path', '/sample/path']]], [0]],
  ['C.2.3', 4096, ['100870617373776f726406736563726574'], [[['password', 'secret']]], [0]],
  ['C.2.4', 4096, ['82'], [[[':method', 'GET']]], [0]],
  [
    'C.3',
    4096,
    [
      '828684410f7777772e6578616d706c652e636f6d',
      '828684be58086e6f2d6361636865',
      '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
    ],
    REQUESTS,
    [57, 110, 164],
  ],
  [
    'C.4',
    4096,
    [
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ],
    REQUESTS,
    [57, 110, 164],
  ],
  [
    'C.6',
    256,
    [
      '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8' +
        'e9ae82ae43d3',
      '4883640effc1c0bf',
      '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b' +
        '3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
    ],
    RESPONSES,
    [222, 222, 215],
  ],
]

describe('RFC 7541 Appendix C', () => {
  it.each(EXAMPLES)('%s', (_, limit, wire, lists, sizes) => {
    const decoder = new HpackDecoder(limit)
    wire.forEach((block, i) => {
      expect(decoder.decode(fromHex(block)).map(entry => entry.field)).toEqual(lists[i])
      const size = decoder
        .export()
        .entries.reduce((sum, { name, value }) => sum + name.length + value.length + 32, 0)
      expect(size).toBe(sizes[i])
    })
  })

  it('C.4 is what our encoder writes', () => {
    const encoder = new HpackEncoder()
    for (const [i, list] of REQUESTS.entries()) {
      const output = new Output()
      encoder.encode(output, list)
      expect(hex(output.take())).toBe(EXAMPLES[5]![2][i])
    }
  })

  it('C.1: integers', () => {
    // 31 + 1306 as a table size, beyond the limit; 10 within it.
    expect(() => new HpackDecoder().decode(fromHex('3f9aaf01'))).toThrow(H2Error)
    const decoder = new HpackDecoder()
    decoder.decode(fromHex('3f9a0a'))
    expect(decoder.export().capacity).toBe(1337)
    decoder.decode(fromHex('2a'))
    expect(decoder.export().capacity).toBe(10)
  })
})

describe('Huffman code', () => {
  it('carries every byte', () => {
    for (let byte = 0; byte < 256; byte++) {
      for (const text of [String.fromCharCode(byte), `a${String.fromCharCode(byte, 255 - byte, byte)}z`]) {
        const coded = new Uint8Array(huffmanLength(text))
        expect(huffmanEncode(text, coded, 0)).toBe(coded.length)
        const target = new Uint8Array(64)
        const length = huffmanDecode(coded, 0, coded.length, target)
        expect(String.fromCharCode(...target.subarray(0, length))).toBe(text)
      }
    }
  })

  it.each([
    ['EOS', 'ffffffff'],
    ['padding of eight bits', '1fff'],
    ['padding of zeros', '18'],
  ])('refuses %s', (_, coded) => {
    const bytes = fromHex(coded)
    expect(huffmanDecode(bytes, 0, bytes.length, new Uint8Array(64))).toBe(-1)
  })
})

describe('a decoder refuses', () => {
  it.each([
    ['index 0', '80'],
    ['an index beyond the tables', 'be'],
    ['a name beyond the tables', '7f00'],
    ['an integer without its end', 'ff'],
    ['an integer that never ends', 'ffffffffffffffffffffff7f'],
    ['an integer of zeros that never ends', 'ff8080808080808080808000'],
    ['a string longer than its block', '00056162'],
    ['a missing value', '000161'],
    ['a bad Huffman code', '000161821fff'],
    ['a table size above the limit', '3fe220'],
    ['a table size after a field', '8220'],
  ])('%s', (_, block) => {
    const refused = expect.objectContaining({ name: 'H2Error', code: 9, streamId: 0 })
    let error: unknown
    try {
      new HpackDecoder().decode(fromHex(block))
    } catch (thrown) {
      error = thrown
    }
    expect(error).toEqual(refused)
  })

  it('silence about a smaller table', () => {
    const decoder = new HpackDecoder()
    decoder.setLimit(100)
    expect(() => decoder.decode(fromHex('82'))).toThrow('no table size update')
  })
})

it('a list too long is read to its end, for the table', () => {
  const decoder = new HpackDecoder()
  expect(decoder.decode(fromHex('40016101624001630164'), 0, 10, 40)).toHaveLength(1)
  expect(decoder.oversized).toBe(true)
  expect(decoder.export().entries).toHaveLength(2)
})

it('secrets never enter a table', () => {
  const encoder = new HpackEncoder()
  const output = new Output()
  encoder.encode(output, [
    ['authorization', 'x'],
    ['cookie', 'short=1'],
    ['set-cookie', 'a=b'],
  ])
  expect(encoder.export().entries).toEqual([])
  expect(output.bytes[0]! & 0xf0).toBe(0x10)
})
