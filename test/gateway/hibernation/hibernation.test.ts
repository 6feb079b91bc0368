import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Dispatch } from '../../../src/gateway/dispatch.ts'
import { Hibernation } from '../../../src/gateway/hibernation/hibernation.ts'
import type { Unclean } from '../../../src/gateway/unclean.ts'
import { MemoryBudget } from '../../../src/http/memory-budget.ts'
import type { Peer } from '../../../src/transfer/control.ts'
import type { Courier } from '../../../src/transfer/courier.ts'
import type { Release } from '../../../src/transfer/custody.ts'
import type { Hibernated } from '../../../src/transfer/hibernated.ts'
import { probe } from '../../../src/transfer/native/libc.ts'
import { Descriptor } from '../../../src/transfer/stream.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { type TcpPair, tcpPair } from '../../support/tcp-pair.ts'

const CHECKPOINT = Uint8Array.of(1, 2, 3)
const KEPT: Hibernated = {
  ...{
    functionName: 'echo',
    generation: 4,
    told: false,
    answerable: false,
    waits: false,
    left: 0,
    slot: undefined,
  },
  checkpoint: CHECKPOINT,
}
/** Milliseconds that something waits for a container, and that a connection is kept. */
const HOLD = 1000
const LIMIT = 60_000
const GONE: Release = { state: 'gone' }
const refused = (reason: 'seal' | 'stale' | 'draining'): Release => ({
  state: 'owned',
  verdict: { outcome: 'refused', reason, detail: '' },
})

interface Offer {
  readonly kind: 'hibernate' | 'thaw'
  readonly target: number
  readonly generation: number
  readonly state: Hibernated
  readonly settle: (release: Release) => void
}

const native = probe()
describe.runIf(native.available)('a gateway, of connections whose function sleeps,', () => {
  const libc = native.available ? native.libc : (undefined as never)
  let clock: HandClock
  let pairs: TcpPair[]
  let offers: Offer[]
  let ends: Unclean[]
  let wishes: string[]
  let unanswered: string[]
  let moves: (number | undefined)[]
  let dispatch: Dispatch
  let hibernation: Hibernation

  beforeEach(() => {
    clock = new HandClock()
    ;[pairs, offers, ends, wishes, unanswered, moves] = [[], [], [], [], [], []]
    const patience = { of: () => HOLD, wish: (name: string) => wishes.push(name), granted: () => {} }
    dispatch = new Dispatch(patience, new MemoryBudget(), clock)
    hibernation = make()
  })
  afterEach(() => {
    hibernation.close()
    for (const pair of pairs) pair.close()
  })

  function make(most = 5): Hibernation {
    const courier = {
      sendHibernated(
        kind: Offer['kind'],
        target: number,
        { generation }: { generation: number },
        state: Hibernated,
        _: Descriptor,
        settle: Offer['settle'],
      ) {
        offers.push({ kind, target, generation, state, settle })
      },
    } as unknown as Courier
    return new Hibernation({ libc, most, mostBytes: 100_000, limit: LIMIT }, courier, dispatch, {
      clock,
      unclean: (_target, end) => ends.push(end),
      refused: () => {},
      fault: error => {
        throw error
      },
      giveUp: (stream, _tls, _name, reason) => {
        unanswered.push(reason)
        stream.destroy()
      },
      moved: (_slot, _session, to) => moves.push(to),
    })
  }

  /** A connection that a container has given away. */
  async function kept(more: Partial<Hibernated> = {}): Promise<TcpPair> {
    const pair = await tcpPair()
    pairs.push(pair)
    const sessionId = new Uint8Array(16).fill(pairs.length)
    const descriptor = Descriptor.fromFd(libc.duplicate(pair.fd))
    expect(hibernation.take({ ...KEPT, ...more }, { sessionId, generation: 5 }, descriptor)).toBeUndefined()
    return pair
  }
  const awake = (id: number): void =>
    dispatch.introduced({ id, role: 'container', name: `echo-${id}`, functionName: 'echo' } as Peer)
  const speak = async (pair: TcpPair, offersThen = offers.length + 1): Promise<void> => {
    pair.client.write('x')
    await vi.waitFor(() => expect(offers.length).toBe(offersThen))
  }

  it('wakes it without a byte for what has come whole already', async () => {
    await kept({ waits: true })
    expect(wishes).toEqual([])
    clock.pass(1)
    expect(wishes).toEqual(['echo'])
    awake(1)
    expect(offers.map(({ kind, target }) => [kind, target])).toEqual([['thaw', 1]])
    offers[0]!.settle(GONE)
  })

  it('wakes the function by a byte, and gives a container what was kept', async () => {
    const pair = await kept()
    pair.client.write('x')
    await vi.waitFor(() => expect(wishes).toEqual(['echo']))
    expect(offers).toEqual([])
    awake(1)
    expect(offers.map(({ settle, ...offer }) => offer)).toEqual([
      { kind: 'thaw', target: 1, generation: 6, state: KEPT },
    ])
    offers[0]!.settle(GONE)
    expect(hibernation.counters).toMatchObject({ hibernating: 0, hibernatingKiB: 0, woken: 1 })
    // The byte is still there, for the container.
    pair.accepted.resume()
    expect(String((await once(pair.accepted, 'data'))[0])).toBe('x')
  })

  it('offers one once, however much its client says', async () => {
    const pair = await kept()
    awake(1)
    await speak(pair)
    pair.client.write('more')
    for (let i = 0; i < 20; i++) await turn()
    expect(offers.length).toBe(1)
  })

  it('leaves alone what does not speak', async () => {
    await kept()
    const pair = await kept()
    awake(1)
    await speak(pair)
    offers[0]!.settle(GONE)
    for (let i = 0; i < 20; i++) await turn()
    expect([offers.length, hibernation.size]).toEqual([1, 1])
  })

  it('closes one whose client has gone without a word, and wakes nothing', async () => {
    const pair = await kept()
    pair.client.end()
    await vi.waitFor(() => expect(hibernation.size).toBe(0))
    expect([wishes, offers]).toEqual([[], []])
  })

  it('closes one whose client has reset it', async () => {
    const pair = await kept({ told: true })
    pair.client.resetAndDestroy()
    await vi.waitFor(() => expect(hibernation.size).toBe(0))
    expect([wishes, offers]).toEqual([[], []])
  })

  it('wakes a function that is told of the end of its client', async () => {
    const pair = await kept({ told: true })
    awake(1)
    pair.client.end()
    await vi.waitFor(() => expect(offers.length).toBe(1))
  })

  it('asks a container again that does not know the key yet', async () => {
    const pair = await kept()
    awake(1)
    await speak(pair)
    offers[0]!.settle(refused('seal'))
    expect(offers.length).toBe(1)
    clock.pass(20)
    expect(offers.map(({ target, generation }) => [target, generation])).toEqual([
      [1, 6],
      [1, 7],
    ])
  })

  it('asks the next container where one is about to stop', async () => {
    const pair = await kept()
    awake(1)
    awake(2)
    await speak(pair)
    offers[0]!.settle(refused('draining'))
    expect(new Set(offers.map(({ target }) => target))).toEqual(new Set([1, 2]))
  })

  it('ends one that a container says has been woken before', async () => {
    const pair = await kept()
    awake(1)
    awake(2)
    await speak(pair)
    offers[0]!.settle(refused('stale'))
    expect(offers.length).toBe(1)
    expect(ends.map(({ kind }) => kind)).toEqual(['orphaned'])
    pair.client.resume()
    await once(pair.client, 'end')
  })

  it('keeps one on whose container died before it had touched it, and wakes the next', async () => {
    const pair = await kept()
    awake(1)
    await speak(pair)
    dispatch.gone(1)
    offers[0]!.settle({ state: 'ended', reason: 'lost' })
    await vi.waitFor(() => expect(wishes.length).toBeGreaterThan(0))
    awake(2)
    await vi.waitFor(() => expect(offers.length).toBe(2))
    expect([offers[1]!.target, offers[1]!.generation, ends]).toEqual([2, 7, []])
  })

  it('gives one up that containers die of', async () => {
    const pair = await kept()
    pair.client.write('x')
    for (let id = 1; id <= 3; id++) {
      awake(id)
      await vi.waitFor(() => expect(offers.length).toBe(id))
      dispatch.gone(id)
      offers[id - 1]!.settle({ state: 'ended', reason: 'lost' })
    }
    expect(ends).toEqual([{ kind: 'undecided', reason: 'lost' }])
    expect(hibernation.size).toBe(0)
  })

  it('ends one that a dead container may have read from', async () => {
    const pair = await kept()
    awake(1)
    await speak(pair)
    pair.accepted.resume()
    await once(pair.accepted, 'data')
    dispatch.gone(1)
    offers[0]!.settle({ state: 'ended', reason: 'lost' })
    expect(ends).toEqual([{ kind: 'undecided', reason: 'lost' }])
  })

  it('ends one of which a container that lives says nothing', async () => {
    const pair = await kept()
    awake(1)
    await speak(pair)
    offers[0]!.settle({ state: 'ended', reason: 'expired' })
    expect(ends).toEqual([{ kind: 'undecided', reason: 'expired' }])
  })

  it('gives one up when no container comes in time', async () => {
    const pair = await kept()
    pair.client.write('x')
    await vi.waitFor(() => expect(wishes).toEqual(['echo']))
    clock.pass(HOLD + 2)
    expect(ends.map(({ kind }) => kind)).toEqual(['orphaned'])
    expect(hibernation.size).toBe(0)
  })

  it('answers one without TLS when no container comes in time', async () => {
    const pair = await kept({ answerable: true })
    pair.client.write('x')
    await vi.waitFor(() => expect(wishes).toEqual(['echo']))
    clock.pass(HOLD + 2)
    expect(unanswered).toEqual(['no container of the function echo is ready'])
    expect(ends).toEqual([])
  })

  it('closes one that has been silent for its time', async () => {
    const pair = await kept()
    await kept({ left: 2 * LIMIT })
    clock.pass(LIMIT + LIMIT / 10)
    expect(hibernation.counters).toMatchObject({ hibernating: 1, hibernationExpired: 1 })
    pair.client.resume()
    await once(pair.client, 'end')
  })

  it('refuses what is too many or too much', async () => {
    hibernation.close()
    hibernation = make(1)
    await kept()
    const pair = await tcpPair()
    pairs.push(pair)
    const session = { sessionId: new Uint8Array(16).fill(9), generation: 1 }
    const descriptor = Descriptor.fromFd(libc.duplicate(pair.fd))
    expect(hibernation.take(KEPT, session, descriptor)).toMatchObject({ reason: 'draining' })
    const large = { ...KEPT, checkpoint: new Uint8Array(65_537) }
    expect(hibernation.take(large, session, descriptor)).toMatchObject({ reason: 'draining' })
    descriptor.close()
  })

  it('says of one with a duplicate who has it', async () => {
    const pair = await kept({ slot: 3 })
    awake(1)
    await speak(pair)
    expect(moves).toEqual([undefined, 1])
  })

  it('gives all of them to the gateway that takes its place, with the time that they have left', async () => {
    await kept()
    await kept()
    clock.pass(LIMIT / 4)
    hibernation.handOver(() => 77)
    const offered = offers.map(({ kind, target, generation, state }) => [
      kind,
      target,
      generation,
      state.left,
    ])
    const left = (3 * LIMIT) / 4
    expect(offered).toEqual([
      ['hibernate', 77, 6, left],
      ['hibernate', 77, 6, left],
    ])
    for (const { settle } of offers) settle(GONE)
    expect(hibernation.size).toBe(0)
  })

  it('keeps what the other gateway refuses, and does not offer it again', async () => {
    const pair = await kept()
    hibernation.handOver(() => 77)
    offers[0]!.settle(refused('draining'))
    expect([offers.length, hibernation.size]).toEqual([1, 1])
    awake(1)
    await speak(pair)
    expect(offers[1]).toMatchObject({ kind: 'thaw', target: 1 })
  })
})
