import { describe, expect, it } from 'vitest'
import type { Connection } from '../../../src/containers/connection/connection.ts'
import { Leavers } from '../../../src/containers/process/leavers.ts'
import { resumable } from '../../../src/functions/resumable.ts'
import { FakeStream, freshConnection, get, openBody, turn } from '../../support/connection-scene.ts'
import { ResponseHost } from '../../support/response-scene.ts'

/**
 * A container with so many responses in their middle, behind idle connections.
 * @param bytes of each that is on its way
 */
async function answering(count: number, bytes: number, idle = 0) {
  let asked = 0
  const stream = () =>
    resumable({
      start: controller => controller.enqueue('some'),
      freeze: () => {
        asked++
        return 'x'
      },
    })
  const host = new ResponseHost(() => new Response(stream()), stream)
  let settled = 0
  const courier = {
    get inCustody() {
      return host.offers.length - settled
    },
    get bytesInCustody() {
      return this.inCustody * bytes
    },
  }
  const leavers = new Leavers({ courier, moves: true, clock: host.hands })
  Object.assign(host, { setsOut: (connection: Connection) => leavers.setsOut(connection) })
  const connections = Array.from(
    { length: count + idle },
    (_, at) => freshConnection(host, at < count ? get('/echo') : '').connection,
  )
  await turn()
  const settle = (): void => {
    host.offers[settled++]!.settle({ state: 'gone' })
    leavers.more()
  }
  return { host, leavers, connections, settle, underway: () => courier.inCustody, asked: () => asked }
}

describe('of responses in their middle, which set out a turn later', () => {
  it.each([
    ['few, because their clients see it', 300, 10, 16],
    ['fewer, if they are large', 24, 3_000_000, 6],
  ])('so many are on their way at once: %s', async (_, count, bytes, most) => {
    const { host, leavers, connections, settle, underway, asked } = await answering(count, bytes)
    leavers.begin(connections)
    for (let moved = 0; moved < count; moved++) {
      for (let turns = 0; turns < 3; turns++) await turn()
      expect(underway()).toBe(Math.min(most, count - moved))
      settle()
    }
    expect(host.ends).toEqual(Array.from({ length: count }, () => 'moved'))
    // Those that wait are left alone: each is stopped about once, however many come before it.
    expect(asked()).toBeLessThanOrEqual(2 * count)
  })

  it('behind idle connections, of which many are on their way at once', async () => {
    const { leavers, connections, settle, underway } = await answering(20, 10, 300)
    const there = (some: Connection[]) => some.filter(({ open }) => open).length
    const [answers, idle] = [connections.slice(0, 20), connections.slice(20)]
    leavers.begin(connections)
    const seen: Record<number, number[]> = { 0: [underway(), there(answers), there(idle)] }
    for (let settled = 1; settled <= 285; settled++) {
      settle()
      for (let turns = 0; turns < 3; turns++) await turn()
      seen[settled] = [underway(), there(answers), there(idle)]
    }
    expect([seen[0], seen[44], seen[284], seen[285]]).toEqual([
      [256, 20, 44],
      [256, 20, 0],
      [16, 20, 0],
      [16, 19, 0],
    ])
  })

  it('those that wait for room go on meanwhile', async () => {
    const { leavers, connections } = await answering(24, 3_000_000)
    leavers.begin(connections)
    for (let turns = 0; turns < 3; turns++) await turn()
    const waiting = connections.filter(({ open }) => open)
    expect(waiting).toHaveLength(18)
    expect(waiting.map(({ quiet }) => quiet)).not.toContain(true)
  })
})

it('what holds up a drain is counted, and told by its name', async () => {
  const host = new ResponseHost(() => new Response(openBody().body))
  const leavers = new Leavers({ courier: undefined, moves: true, clock: host.hands })
  const busy = freshConnection(host, get('/echo/x', 'X-Call-Id: one\r\n')).connection
  const idle = freshConnection(host).connection
  await turn()
  expect(leavers.heldUp([busy, idle])).toEqual({ heldUpBy: 0, heldUpFor: 0 })
  leavers.begin([busy])
  host.hands.pass(12_000)
  expect(leavers.heldUp([busy, idle])).toEqual({ heldUpBy: 1, heldUpFor: 12_000 })
  expect(busy.describe(0).stays).toBe('GET /echo/x of echo (call one, for 12 s)')
  expect(idle.describe(0).stays).toBe('')
})

it('a client that takes nothing holds up a drain, too', async () => {
  const { host, leavers, connections } = await answering(2, 10)
  const stream = new FakeStream()
  const [stuck] = [freshConnection(host, get('/echo'), stream).connection]
  await turn()
  stream.blocked = true
  stuck!.out.send([new Uint8Array(100)])
  expect(stuck!.describe(0).stays).toBe('')
  leavers.begin([...connections, stuck!])
  for (let turns = 0; turns < 3; turns++) await turn()
  expect(leavers.heldUp([...connections, stuck!])).toEqual({ heldUpBy: 1, heldUpFor: 0 })
  expect(stuck!.describe(0).stays).toBe('what its client has yet to take (100 bytes)')
  expect(host.offers).toHaveLength(2)
  stream.drain()
  for (let turns = 0; turns < 3; turns++) await turn()
  expect(host.offers).toHaveLength(3)
  expect(leavers.heldUp([stuck!])).toEqual({ heldUpBy: 0, heldUpFor: 0 })
})
