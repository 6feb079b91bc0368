import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Frame } from '../../src/hosts/frames.ts'
import { Journeys, type Travelling } from '../../src/hosts/journeys.ts'
import { Shortcuts } from '../../src/hosts/shortcuts.ts'
import { Span } from '../../src/hosts/span.ts'
import type { ByteStream } from '../../src/transfer/byte-stream.ts'
import { type Libc, probe } from '../../src/transfer/native/libc.ts'
import { openPair } from '../../src/transfer/pair.ts'
import { Descriptor, openStream } from '../../src/transfer/stream.ts'
import { utf8 } from '../../src/wire/index.ts'
import { HandClock } from '../support/hand-clock.ts'

/* A connection comes back: what ran over the other host stays here, and no byte is lost or doubled. */

/** Milliseconds, for stuck alone. */
const PATIENCE = { timeout: 180_000 }

/** One end of a stream that a test holds: the client's or a container's. */
class End {
  readonly stream: ByteStream
  heard = ''
  over = false

  constructor(stream: ByteStream) {
    this.stream = stream
    const over = (): void => {
      this.over = true
    }
    stream.read({
      bytes: view => {
        this.heard += new TextDecoder().decode(view)
      },
      end: over,
      error: over,
    })
  }

  say(text: string): void {
    this.stream.write([utf8(text)])
  }

  async hears(text: string): Promise<void> {
    // Not by `expect`: each look at megabytes that differ would be drawn.
    await vi.waitFor(() => {
      if (this.heard !== text) throw new Error(`${this.heard.length} of ${text.length} characters`)
    }, PATIENCE)
  }
}

function libc(): Libc {
  const native = probe()
  if (!native.available) throw new Error('no foreign calls')
  return native.libc
}

describe.runIf(probe().available)('a shortcut', () => {
  const clock = new HandClock()
  let shortcuts: Shortcuts
  let sent: Frame[]
  let client: End
  let container: End
  let out: Span
  let back: Span

  async function span(number: number): Promise<[Span, End]> {
    const [ours, theirs] = await openPair()
    const owner = {
      clock,
      blocked: false,
      send: (frame: Frame) => {
        sent.push(frame.kind === 'data' ? { ...frame, bytes: frame.bytes.slice() } : frame)
      },
      ended: (one: Span) => shortcuts.ended(one),
    }
    const made = new Span(number, owner, ours)
    made.open()
    return [made, new End(openStream(theirs, { kind: 'raw' }))]
  }

  beforeEach(async () => {
    shortcuts = new Shortcuts(clock)
    sent = []
    ;[out, client] = await span(1)
    ;[back, container] = await span(2)
  })
  afterEach(() => {
    for (const one of [out, back]) one.close()
    for (const { stream } of [client, container]) stream.destroy()
  })

  it('is taken when all that was underway has come, in both directions', async () => {
    shortcuts.begin('one', out, back)
    expect(sent).toEqual([
      { kind: 'end', span: 1 },
      { kind: 'end', span: 2 },
    ])
    // Said before all of it has come.
    client.say('three')
    container.say('drei')
    back.data(utf8('one '))
    out.data(utf8('eins '))
    back.data(utf8('two '))
    back.farEnd()
    out.data(utf8('zwei '))
    await container.hears('one two ')
    await client.hears('eins zwei ')
    out.farEnd()
    await container.hears('one two three')
    await client.hears('eins zwei drei')
    expect([shortcuts.size, out.isOver, back.isOver, sent.length]).toEqual([1, true, true, 2])
    const body = 'x'.repeat(3_000_000)
    client.say(body)
    await container.hears(`one two three${body}`)
    client.stream.end()
    await vi.waitFor(() => expect(container.over).toBe(true), PATIENCE)
    container.say(' end')
    container.stream.end()
    await client.hears('eins zwei drei end')
    await vi.waitFor(() => expect([client.over, shortcuts.size]).toEqual([true, 0]), PATIENCE)
  })

  it.each([
    ['at once', []],
    ['when one half is there', ['out']],
    ['when the other half is there', ['back']],
  ])('the other host is lost, %s: both ends are closed, so that a gateway finds the end', async (_, ends) => {
    shortcuts.begin('one', out, back)
    for (const one of ends) (one === 'out' ? out : back).farEnd()
    if (ends[0] === 'out') back.close()
    else out.close()
    await vi.waitFor(
      () => expect([client.over, container.over, shortcuts.size]).toEqual([true, true, 0]),
      PATIENCE,
    )
  })

  it('is not taken by a connection one of whose ends has ended', async () => {
    client.stream.end()
    await vi.waitFor(() => expect(sent).toEqual([{ kind: 'end', span: 1 }]), PATIENCE)
    shortcuts.begin('one', out, back)
    expect(sent).toHaveLength(1)
    back.data(utf8('all'))
    await container.hears('all')
  })

  it('one that has ended takes what waits for it as long as it takes something', async () => {
    shortcuts.begin('one', out, back)
    out.farEnd()
    back.farEnd()
    await vi.waitFor(() => expect(shortcuts.size).toBe(1), PATIENCE)
    client.stream.end()
    await vi.waitFor(() => expect(container.over).toBe(true), PATIENCE)
    clock.pass(30_000)
    expect(shortcuts.size).toBe(0)
    await vi.waitFor(() => expect(client.over).toBe(true), PATIENCE)
  })

  it('of one that comes back again and again is one, and no byte is lost', async () => {
    // The other host: what one span says comes by the other one.
    const partners = new Map<Span, Span>()
    const pass = (from: Span, frame: Frame): void => {
      const copy = frame.kind === 'data' ? { ...frame, bytes: frame.bytes.slice() } : frame
      setImmediate(() => {
        const to = partners.get(from)
        if (copy.kind === 'data') to?.data(copy.bytes)
        else if (copy.kind === 'credit') to?.credit(copy.bytes)
        else if (copy.kind === 'end') to?.farEnd()
      })
    }
    const begin = (number: number, descriptor: Descriptor): Span => {
      const send = (frame: Frame): void => pass(made, frame)
      const owner = { clock, blocked: false, send, ended: (one: Span) => shortcuts.ended(one) }
      const made = new Span(number, owner, descriptor)
      made.open()
      return made
    }
    const [first, last] = await openPair()
    let near = first
    const client = new End(openStream(last, { kind: 'raw' }))
    let container: End | undefined
    const said = { client: '', container: '' }
    let heard = ''
    for (let round = 0; round < 6; round++) {
      const one = begin(2 * round, near)
      const [ours, theirs] = await openPair()
      const other = begin(2 * round + 1, ours)
      partners.set(one, other).set(other, one)
      container = new End(openStream(theirs, { kind: 'raw' }))
      for (let i = 0; i < 20; i++) {
        const text = `${round}/${i} ${'.'.repeat(20_000)}\n`
        said.client += text
        said.container += text
        client.say(text)
        container.say(text)
        if (i === 7) shortcuts.begin('one', one, other)
        await new Promise(setImmediate)
      }
      await vi.waitFor(() => expect(client.heard.length).toBe(said.container.length), PATIENCE)
      await vi.waitFor(
        () => expect(heard.length + container!.heard.length).toBe(said.client.length),
        PATIENCE,
      )
      heard += container.heard
      await vi.waitFor(
        () => expect([shortcuts.junctions, one.isOver, other.isOver]).toEqual([1, true, true]),
        PATIENCE,
      )
      if (round === 5) break
      const lifted = await container.stream.lift()
      // As a container gives it away: the same end of the same pair.
      near = Descriptor.fromFd(libc().duplicate(lifted.descriptor.fd))
      lifted.descriptor.close()
    }
    expect(client.heard === said.container && heard === said.client).toBe(true)
    container!.stream.destroy()
    await vi.waitFor(() => expect(client.over).toBe(true), PATIENCE)
    client.stream.destroy()
    await vi.waitFor(() => expect(shortcuts.size).toBe(0), PATIENCE)
  })

  describe('the way out', () => {
    const bridge = { pair: 1, near: 1, far: 1, tail: Promise.resolve() }
    const journeys = new Journeys()
    let ticket = 0
    const begin = (direction: 'leaving' | 'arriving', one: Span, generation: number): Travelling => {
      const travelling = { span: one, sessionId: 'one', generation, directory: undefined }
      journeys.begin(direction, bridge, new Uint8Array([ticket++]), travelling)
      return travelling
    }

    it('is the span by which it left last, if it has not been here since', async () => {
      const spans = await Promise.all([3, 4, 5, 6].map(async number => (await span(number))[0]))
      const [first, second, third, fourth] = spans as [Span, Span, Span, Span]
      expect(journeys.leftBefore(begin('arriving', first, 1))).toBe(undefined)
      begin('leaving', second, 2)
      expect(journeys.leftBefore(begin('arriving', third, 3))).toBe(second)
      // As if it had been taken over here meanwhile.
      expect(journeys.leftBefore(begin('arriving', fourth, 5))).toBe(undefined)
      for (const one of spans) one.close()
    })
  })
})
