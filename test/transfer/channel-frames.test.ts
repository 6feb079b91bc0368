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

  take(bytes: Uint8Array, descriptors: Descriptor[] = []): void {
    this.receive(bytes, descriptors, undefined)
  }
}

describe('frames', () => {
  it('have headers of the length that is reckoned with', () => {
    const content = { kind: 'fragment', ...fragment(1, 2, 3, 0) } as const
    expect(encode(Header, { version: VERSION, from: 5, content }).length).toBe(HEADER)
    expect(BODY + HEADER).toBe(FRAME)
  })

  it('that are no frames are counted and dropped, whatever they are', () => {
    const channel = new Loose(1)
    let messages = 0
    channel.onMessage = () => messages++
    const bytes = fc.uint8Array({ maxLength: 40 }).filter(bytes => bytes[0] !== VERSION)
    fc.assert(
      fc.property(bytes, bytes => {
        const before = channel.malformed
        const descriptor = someDescriptor()
        channel.take(bytes, [descriptor])
        expect(channel.malformed).toBe(before + 1)
        expect(descriptor.open).toBe(false)
      }),
    )
    expect(messages).toBe(0)
  })

  it('with a right header and anything else never throw, and leave no descriptor open', () => {
    const channel = new Loose(1)
    const small = fc.nat({ max: 5 })
    const frames = fc.record({ from: small, number: small, offset: small, total: small, descriptors: small })
    fc.assert(
      fc.property(fc.array(fc.tuple(frames, fc.uint8Array({ maxLength: 6 }), fc.boolean())), all => {
        const descriptors: Descriptor[] = []
        for (const [{ from, ...rest }, body, carries] of all) {
          const content = { kind: 'fragment', ...rest } as const
          const own = carries ? [someDescriptor()] : []
          descriptors.push(...own)
          channel.take(concat(encode(Header, { version: VERSION, from, content }), body), own)
        }
        for (let from = 0; from <= 5; from++) channel.forget(from)
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
      assembly.accept(1, fragment(0, 0, 3, 1), new Uint8Array([1]), [descriptor], undefined),
    ).toBeUndefined()
    // Another sender's message does not mind.
    expect(assembly.accept(2, fragment(0, 0, 1), new Uint8Array([9]), [], undefined)).toMatchObject({
      payload: new Uint8Array([9]),
    })
    expect(assembly.accept(1, fragment(0, 1, 3), new Uint8Array([2, 3]), [], undefined)).toEqual({
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
    assembly.accept(1, fragment(0, 0, 3, 1), new Uint8Array([1]), [descriptor], undefined)
    expect(assembly.accept(1, second, new Uint8Array([2]), [], undefined)).toBe('a fragment out of order')
    expect(descriptor.open).toBe(false)
  })

  it('does not give more memory than 64 MiB to messages that only say that they are large', () => {
    const assembly = new Assembly()
    for (let from = 0; from < 6; from++) {
      assembly.accept(from, fragment(0, 0, MAX_PAYLOAD), new Uint8Array([1]), [], undefined)
    }
    const finish = (from: number): unknown =>
      assembly.accept(from, fragment(0, 1, MAX_PAYLOAD), new Uint8Array(MAX_PAYLOAD - 1), [], undefined)
    expect(finish(5)).toMatchObject({ refused: 'too many large messages at once', payload: EMPTY })
    expect(finish(3)).toMatchObject({ refused: undefined })
    expect(assembly.accept(9, fragment(0, 0, MAX_PAYLOAD + 1), EMPTY, [], undefined)).toBe(
      'an impossible fragment',
    )
  })
})

describe('an outbox', () => {
  it('sends no more than a window ahead of the credit that it gets', () => {
    let bytes = 0
    const outbox = new Outbox(1, (header, body) => {
      bytes += header.length + body.length
      return 'sent'
    })
    expect(outbox.send(new Uint8Array(1 << 20), [])).toBe('queued')
    expect(bytes).toBeLessThanOrEqual(WINDOW)
    expect(bytes).toBeGreaterThan(WINDOW - FRAME)
    const first = bytes
    expect(outbox.flush()).toBe('credit')
    expect(bytes).toBe(first)
    outbox.credit(FRAME)
    expect(outbox.flush()).toBe('credit')
    expect(bytes).toBe(first + FRAME)
    outbox.credit(2 ** 32 - 1)
    while (outbox.flush() === 'credit') outbox.credit(bytes)
    expect(outbox.empty).toBe(true)
  })

  it('keeps the order behind a kernel that is busy', () => {
    const left: number[] = []
    let state: 'sent' | 'busy' = 'busy'
    const outbox = new Outbox(1, (_, body) => {
      if (state === 'sent') left.push(body[0]!)
      return state
    })
    expect(outbox.send(new Uint8Array([1]), [])).toBe('queued')
    state = 'sent'
    expect(outbox.send(new Uint8Array([2]), [])).toBe('queued')
    expect(left).toEqual([])
    expect(outbox.flush()).toBe('sent')
    expect(outbox.send(new Uint8Array([3]), [])).toBe('sent')
    expect(left).toEqual([1, 2, 3])
  })
})

describe('credit', () => {
  it('is owed to a sender until it has been introduced', () => {
    const channel = new Loose(1)
    const content = { kind: 'fragment', ...fragment(0, 0, 60_000) } as const
    const frame = concat(encode(Header, { version: VERSION, from: 2, content }), new Uint8Array(60_000))
    channel.take(frame)
    channel.take(frame)
    expect(channel.sent).toEqual([])
    channel.addPeer(2)
    const credit = { kind: 'credit', bytes: 2 * frame.length } as const
    expect(channel.sent).toEqual([encode(Header, { version: VERSION, from: 1, content: credit })])
    channel.close()
  })
})
