import { expect, it } from 'vitest'
import { Arrivals } from '../../src/transfer/consignments/arrivals.ts'
import type { Consignment } from '../../src/transfer/control.ts'
import { hex } from '../../src/wire/index.ts'

const parcel = (ticket: Uint8Array): Consignment => ({
  kind: 'parcel',
  ticket,
  sessionId: new Uint8Array(16),
  generation: 1,
  sealed: new Uint8Array(1),
})

it('those that come in one go are told by their tickets, though their messages are gone by then', () => {
  const told: string[][] = []
  const arrivals = new Arrivals((_, tickets) => told.push(tickets.map(ticket => hex(ticket))))
  // One message lies where the one before it lay.
  const borrowed = new Uint8Array(8)
  arrivals.gather()
  for (const one of [1, 2, 3]) arrivals.take(7, parcel(borrowed.fill(one)), () => undefined)
  borrowed.fill(0)
  expect(told).toEqual([])
  arrivals.gathered()
  expect(told).toEqual([['01'.repeat(8), '02'.repeat(8), '03'.repeat(8)]])
})
