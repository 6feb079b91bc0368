import { describe, expect, it } from 'vitest'
import { isTraced, traceOf } from '../../src/functions/trace.ts'
import type { Field } from '../../src/http/message.ts'

/* W3C Trace Context: what is taken from a caller, and what goes on. */

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'
const given = (traceparent: string, ...states: string[]): Field[] => [
  ['Traceparent', traceparent],
  ...states.map((state): Field => ['tracestate', state]),
]
const random = (count: number): Uint8Array => new Uint8Array(count).fill(0xab)

describe('a trace', () => {
  it('goes on with a span of its own, and takes the state along', () => {
    expect(traceOf(given(`00-${TRACE}-${PARENT}-01`, 'a=1', 'b=2'), random)).toEqual({
      traceId: TRACE,
      parentId: PARENT,
      spanId: 'ab'.repeat(8),
      sampled: true,
      headers: { traceparent: `00-${TRACE}-${'ab'.repeat(8)}-01`, tracestate: 'a=1,b=2' },
    })
  })

  it('begins where there is none, unsampled', () => {
    const { traceId, parentId, sampled, headers } = traceOf([['tracestate', 'a=1']], random)
    expect({ traceId, parentId, sampled }).toEqual({
      traceId: 'ab'.repeat(16),
      parentId: undefined,
      sampled: false,
    })
    expect(headers).toEqual({ traceparent: `00-${traceId}-${'ab'.repeat(8)}-00` })
    expect(traceOf([]).traceId).not.toBe(traceOf([]).traceId)
  })

  it('of a later version is read as far as it is known', () => {
    expect(isTraced(given(`01-${TRACE}-${PARENT}-01-more`))).toBe(true)
    expect(traceOf(given(`01-${TRACE}-${PARENT}-03`)).headers.traceparent).toMatch(/^00-.*-01$/)
  })

  it.each([
    ['nothing', ''],
    ['version ff', `ff-${TRACE}-${PARENT}-01`],
    ['more behind version 00', `00-${TRACE}-${PARENT}-01-more`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${PARENT}-01`],
    ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['capitals', `00-${TRACE.toUpperCase()}-${PARENT}-01`],
    ['a field that is too short', `00-${TRACE}-${PARENT}`],
  ])('is not gone on with for %s', (_, traceparent) => {
    expect(isTraced(given(traceparent))).toBe(false)
    expect(traceOf(given(traceparent)).traceId).not.toBe(TRACE)
  })

  it('leaves out a state that is longer than anything that is passed on', () => {
    const { headers } = traceOf(given(`00-${TRACE}-${PARENT}-00`, `a=${'x'.repeat(9000)}`))
    expect(Object.keys(headers)).toEqual(['traceparent'])
  })
})
