import { expect, it } from 'vitest'
import { freshCallId } from '../../../src/containers/protocol/call-id.ts'
import { isCallId } from '../../../src/http/field-values.ts'

// RFC 9562 §5.4
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

it('call ids that are made here are random UUIDs, each another one', () => {
  const ids = Array.from({ length: 1000 }, freshCallId)
  for (const id of ids) {
    expect(id).toMatch(UUID)
    expect(isCallId(id)).toBe(true)
  }
  expect(new Set(ids).size).toBe(1000)
  // Every digit that is random takes every value.
  for (const at of [0, 7, 9, 15, 20, 24, 35]) expect(new Set(ids.map(id => id[at])).size).toBe(16)
})
