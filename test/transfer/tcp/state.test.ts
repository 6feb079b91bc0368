import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeTcpState,
  encodeTcpState,
  QUEUE_LIMIT,
  TcpState,
  TcpStateError,
} from '../../../src/transfer/tcp/state.ts'
import { encode, fromHex, hex } from '../../../src/wire/index.ts'
import { arbitraryOf } from '../../support/arbitrary.ts'

const { vectors } = JSON.parse(
  readFileSync(new URL('../../../vectors/transfer/tcp-v1.json', import.meta.url), 'utf8'),
) as { vectors: { name: string; state: unknown; bytes: string }[] }
const idle = decodeTcpState(fromHex(vectors[0]!.bytes))

function refusal(bytes: Uint8Array): TcpStateError {
  try {
    decodeTcpState(bytes)
  } catch (error) {
    if (error instanceof TcpStateError) return error
    throw error
  }
  throw new Error('it was not refused')
}

describe('a TCP connection as bytes', () => {
  it.each(vectors)('is what the golden vector says: $name', ({ state, bytes }) => {
    const decoded = decodeTcpState(fromHex(bytes))
    const json = JSON.stringify(decoded, (_, value) => (value instanceof Uint8Array ? hex(value) : value))
    expect(JSON.parse(json)).toEqual(state)
    expect(hex(encodeTcpState(decoded))).toBe(bytes)
  })

  it('has one encoding, whatever it says', () => {
    const states = (arbitraryOf(TcpState) as fc.Arbitrary<TcpState>).map(state => {
      const { send, receive, largest } = state.window
      const most = 2 ** 30 - 2 ** 14
      const window = { ...state.window, send: send % most, receive: receive % most, largest: most }
      const scales = state.scales && { send: state.scales.send % 15, receive: state.scales.receive % 15 }
      const ports = { localPort: state.localPort || 1, remotePort: state.remotePort || largest % 2 || 2 }
      return { ...state, formatVersion: 1, window, scales, ...ports, segment: Math.max(state.segment, 88) }
    })
    fc.assert(
      fc.property(states, state => {
        const bytes = encodeTcpState(state)
        expect(decodeTcpState(bytes)).toEqual(state)
        expect(hex(encodeTcpState(decodeTcpState(bytes)))).toBe(hex(bytes))
      }),
    )
  })

  it('is refused when truncated, left over or of another version, and never throws anything else', () => {
    const bytes = fromHex(vectors[1]!.bytes)
    for (let length = 0; length < bytes.length; length++)
      expect(refusal(bytes.subarray(0, length)).reason).toBe('malformed')
    expect(refusal(Uint8Array.of(...bytes, 0)).reason).toBe('malformed')
    expect(refusal(Uint8Array.of(0, 2, ...bytes.subarray(2))).message).toBe(
      'format version 2; this program reads 1',
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), noise => {
        const broken = Uint8Array.of(0, 1, ...noise)
        try {
          expect(hex(encodeTcpState(decodeTcpState(broken)))).toBe(hex(broken))
        } catch (error) {
          expect(error).toBeInstanceOf(TcpStateError)
        }
      }),
    )
  })

  it.each<[string, Partial<TcpState>]>([
    ['a port of 0', { localPort: 0 }],
    ['a port of 0', { remotePort: 0 }],
    ['a segment of 87 bytes', { segment: 87 }],
    ['a window that is shifted by 15', { scales: { send: 15, receive: 0 } }],
    ['a window that is shifted by 255', { scales: { send: 0, receive: 255 } }],
    ['a window of 1073725441 bytes', { window: { ...idle.window, receive: 65_535 * 2 ** 14 + 1 } }],
    ['a window above the largest one', { window: { ...idle.window, send: 2, largest: 1 } }],
  ])('is refused with %s', (message, change) => {
    expect(refusal(encode(TcpState, { ...idle, ...change })).message).toBe(message)
  })

  it('has queues of a limit that is said', () => {
    for (const name of ['unread', 'sent', 'unsent'] as const) {
      const full = encodeTcpState({ ...idle, [name]: new Uint8Array(QUEUE_LIMIT) })
      expect(decodeTcpState(full)[name]).toHaveLength(QUEUE_LIMIT)
      expect(() => encodeTcpState({ ...idle, [name]: new Uint8Array(QUEUE_LIMIT + 1) })).toThrow(RangeError)
    }
  })
})
