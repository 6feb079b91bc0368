import { openSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_PAYLOAD } from '../../src/transfer/channel.ts'
import { Assembly } from '../../src/transfer/channels/assembly.ts'
import { BODY, FRAME, type Fragment, HEADER, Header, VERSION } from '../../src/transfer/channels/frame.ts'
import { FramedChannel } from '../../src/transfer/channels/framed.ts'
import { Outbox, WINDOW } from '../../src/transfer/channels/outbox.ts'
import { Descriptor } from '../../src/transfer/stream.ts'
import { concat, encode } from '../../src/wire/index.ts'

const EMPTY = new Uint8Array(0)
const someDescriptor = (): Descriptor => Descriptor.fromFd(openSync('/dev/null', 'r'))

function fragment(number: number, offset: number, total: number, descriptors = 0): Fragment {
  return { number, offset, total, descriptors }
}

/** A channel whose frames come from the test and go nowhere. */
class Loose extends FramedChannel {
  readonly kind = 'native'
  readonly sent: Uint8Array[] = []
  state: 'sent' | 'busy' | 'gone' = 'sent'

  addPeer(id: number): void {
    this.register(id, (header, body) => {
      if (this.state === 'sent') this.sent.push(concat(header, body))
      return this.state
    })
  }

  take(bytes: Uint8Array, descriptors: Descriptor[] = [], from = 2): void {
    this.receive(from, bytes, descriptors)
  }
}

describe('frames', () => {
  it('have headers of the length that is reckoned with', () => {
    const content = { kind: 'fragment', ...fragment(1, 2, 3, 0) } as const
    expect(encode(Header, { version: VERSION, content }).length).toBe(HEADER)
    expect(BODY + HEADER).toBe(FRAME)
  })

  it('that are no frames cost their sender its pair, whatever they are, and no other peer anything', () => {
    const channel = new Loose(1)
    let messages = 0
    let lost = 0
    channel.onMessage = () => messages++
    channel.onLost = (id, reason) => {
      expect([id, reason]).toEqual([2, 'it sent something that is not a frame'])
      lost++
    }
    channel.addPeer(3)
    const bytes = fc.uint8Array({ maxLength: 40 }).filter(bytes => bytes[0] !== VERSION)
    fc.assert(
      fc.property(bytes, bytes => {
        const before = lost
        channel.addPeer(2)
        const descriptor = someDescriptor()
        channel.take(bytes, [descriptor])
        expect(lost).toBe(before + 1)
        expect(descriptor.open).toBe(false)
        expect([...channel.peers]).toEqual([3])
        channel.forget(2)
      }),
    )
    expect(messages).toBe(0)
  })

  it('with a right header and anything else never throw, and leave no descriptor open', () => {
    const channel = new Loose(1)
    for (let id = 2; id <= 5; id++) channel.addPeer(id)
    const small = fc.nat({ max: 5 })
    const frames = fc.record({ from: small, number: small, offset: small, total: small, descriptors: small })
    fc.assert(
      fc.property(fc.array(fc.tuple(frames, fc.uint8Array({ maxLength: 6 }), fc.boolean())), all => {
        const descriptors: Descriptor[] = []
        for (const [{ from, ...rest }, body, carries] of all) {
          const content = { kind: 'fragment', ...rest } as const
          const own = carries ? [someDescriptor()] : []
          descriptors.push(...own)
          channel.take(concat(encode(Header, { version: VERSION, content }), body), own, from)
        }
        for (let id = 0; id <= 5; id++) channel.forget(id)
        for (let id = 2; id <= 5; id++) channel.addPeer(id)
        expect(descriptors.filter(({ open }) => open)).toEqual([])
      }),
    )
  })
})

describe('assembly', () => {
  it('gives a message when its last fragment has come', () => {
    const assembly = new Assembly()
    const descriptor = someDescriptor()
    expect(
      assembly.accept(fragment(0, 0, 3, 1), new Uint8Array([1]), [descriptor], undefined),
    ).toBeUndefined()
    expect(assembly.accept(fragment(0, 1, 3), new Uint8Array([2, 3]), [], undefined)).toEqual({
      payload: new Uint8Array([1, 2, 3]),
      descriptors: [descriptor],
      refused: undefined,
    })
    descriptor.close()
  })

  it.each([
    ['out of order', fragment(0, 2, 3)],
    ['of another message', fragment(1, 1, 3)],
    ['with another length', fragment(0, 1, 4)],
  ])('drops a message with a fragment %s, and its descriptors', (_, second) => {
    const assembly = new Assembly()
    const descriptor = someDescriptor()
    assembly.accept(fragment(0, 0, 3, 1), new Uint8Array([1]), [descriptor], undefined)
    expect(assembly.accept(second, new Uint8Array([2]), [], undefined)).toBe('a fragment out of order')
    expect(descriptor.open).toBe(false)
  })

  it('takes one message at a time, of 16 MiB at most', () => {
    const assembly = new Assembly()
    const first = fragment(0, 0, MAX_PAYLOAD)
    expect(assembly.accept(first, new Uint8Array([1]), [], undefined)).toBeUndefined()
    const descriptor = someDescriptor()
    expect(assembly.accept(fragment(1, 0, 5, 1), new Uint8Array([1]), [descriptor], undefined)).toBe(
      'a message was cut off',
    )
    expect(descriptor.open).toBe(false)
    expect(assembly.accept(fragment(2, 0, MAX_PAYLOAD + 1), EMPTY, [], undefined)).toBe(
      'an impossible fragment',
    )
  })
})

describe('an outbox', () => {
  it('sends no more than a window ahead of the credit that it gets', () => {
    let bytes = 0
    const outbox = new Outbox((header, body) => {
      bytes += header.length + body.length
      return 'sent'
    })
    expect(outbox.send(new Uint8Array(1 << 20), [])).toBe('queued')
    expect(bytes).toBeLessThanOrEqual(WINDOW)
    expect(bytes).toBeGreaterThan(WINDOW - FRAME)
    const first = bytes
    expect(outbox.flush(() => {})).toBe('credit')
    expect(bytes).toBe(first)
    outbox.credit(FRAME)
    expect(outbox.flush(() => {})).toBe('credit')
    expect(bytes).toBe(first + FRAME)
    outbox.credit(2 ** 32 - 1)
    while (outbox.flush(() => {}) === 'credit') outbox.credit(bytes)
    expect(outbox.empty).toBe(true)
  })

  it('keeps the order behind a kernel that is busy', () => {
    const left: number[] = []
    let state: 'sent' | 'busy' = 'busy'
    const outbox = new Outbox((_, body) => {
      if (state === 'sent') left.push(body[0]!)
      return state
    })
    expect(outbox.send(new Uint8Array([1]), [])).toBe('queued')
    state = 'sent'
    expect(outbox.send(new Uint8Array([2]), [])).toBe('queued')
    expect(left).toEqual([])
    const told: number[] = []
    expect(outbox.flush(payload => told.push(payload[0]!))).toBe('sent')
    expect(outbox.send(new Uint8Array([3]), [])).toBe('sent')
    expect(left).toEqual([1, 2, 3])
    // Of what did not wait its sender knows already.
    expect(told).toEqual([1, 2])
  })
})

describe('a peer', () => {
  const content = { kind: 'fragment', ...fragment(0, 0, 60_000) } as const
  const frame = concat(encode(Header, { version: VERSION, content }), new Uint8Array(60_000))

  it('is given credit for what was taken from it', () => {
    const channel = new Loose(1)
    channel.addPeer(2)
    channel.take(frame)
    expect(channel.sent).toEqual([])
    channel.take(frame)
    const credit = { kind: 'credit', bytes: 2 * frame.length } as const
    expect(channel.sent).toEqual([encode(Header, { version: VERSION, content: credit })])
    channel.close()
  })

  it('that has not been introduced is not heard', () => {
    const channel = new Loose(1)
    const messages: number[] = []
    channel.onMessage = from => messages.push(from)
    const descriptor = someDescriptor()
    channel.take(frame, [descriptor])
    channel.addPeer(2)
    channel.take(frame)
    expect([messages, descriptor.open]).toEqual([[2], false])
    channel.close()
  })

  it('that sends more than it may loses its pair', () => {
    const channel = new Loose(1, { perSecond: 1, burst: 10 })
    const lost: unknown[] = []
    let messages = 0
    channel.onLost = (...what) => lost.push(what)
    channel.onMessage = () => messages++
    channel.addPeer(2)
    channel.addPeer(3)
    const none = { kind: 'fragment', ...fragment(0, 0, 0) } as const
    for (let i = 0; i < 20; i++) channel.take(encode(Header, { version: VERSION, content: none }))
    expect([messages >= 10, messages < 20, lost]).toEqual([true, true, [[2, 'it sends more than it may']]])
    channel.take(encode(Header, { version: VERSION, content: none }), [], 3)
    expect(lost).toHaveLength(1)
    channel.close()
  })
})
