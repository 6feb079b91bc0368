import { describe, expect, it } from 'vitest'
import type { Connection } from '../../../src/containers/connection/connection.ts'
import { Leavers } from '../../../src/containers/process/leavers.ts'
import { resumable } from '../../../src/functions/resumable.ts'
import { freshConnection, get, openBody, turn } from '../../support/connection-scene.ts'
import { ResponseHost } from '../../support/response-scene.ts'

/** A container with so many responses in their middle, each with a state of so many bytes. */
async function answering(count: number, stateBytes: number) {
  const stream = () =>
    resumable({
      start: controller => controller.enqueue('some'),
      freeze: () => 'x'.repeat(stateBytes),
    })
  const host = new ResponseHost(() => new Response(stream()), stream)
  let settled = 0
  const courier = {
    get inCustody() {
      return host.offers.length - settled
    },
    get bytesInCustody() {
      return this.inCustody * stateBytes
    },
  }
  const leavers = new Leavers({ courier, moves: true, clock: host.hands })
  Object.assign(host, { setsOut: (connection: Connection) => leavers.setsOut(connection) })
  const connections = Array.from({ length: count }, () => freshConnection(host, get('/echo')).connection)
  await turn()
  const settle = (): void => {
    host.offers[settled++]!.settle({ state: 'gone' })
    leavers.more()
  }
  return { host, leavers, connections, settle, underway: () => courier.inCustody }
}

describe('of responses in their middle, which set out a turn later', () => {
  it.each([
    ['as many as of idle connections', 300, 10, 256],
    ['fewer, if they are large', 24, 1_000_000, 17],
  ])('so many are on their way at once: %s', async (_, count, stateBytes, most) => {
    const { host, leavers, connections, settle, underway } = await answering(count, stateBytes)
    leavers.begin(connections)
    for (let moved = 0; moved < count; moved++) {
      for (let turns = 0; turns < 3; turns++) await turn()
      expect(underway()).toBe(Math.min(most, count - moved))
      settle()
    }
    expect(host.ends).toEqual(Array.from({ length: count }, () => 'moved'))
  })

  it('those that wait for room go on meanwhile', async () => {
    const { leavers, connections } = await answering(24, 1_000_000)
    leavers.begin(connections)
    for (let turns = 0; turns < 3; turns++) await turn()
    const waiting = connections.filter(({ open }) => open)
    expect(waiting).toHaveLength(7)
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
