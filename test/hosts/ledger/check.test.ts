import { describe, expect, it } from 'vitest'
import { check, type Entry } from './check.ts'

/* The judge is judged: what is planted in a sound ledger is found, and nothing else is. */

type Answered = Extract<Entry, { kind: 'answered' }>

const asked = (request: number, idempotent = false): Entry => ({
  kind: 'asked',
  connection: 'one',
  request,
  idempotent,
})
const begun = (request: number, process = 'a/1'): Entry => ({
  kind: 'begun',
  connection: 'one',
  request,
  process,
})
const answered = (request: number, process = 'a/1', hops = 0, more: Partial<Answered> = {}): Entry => ({
  kind: 'answered',
  connection: 'one',
  request,
  status: 200,
  says: { connection: 'one', request, process },
  container: 'echo-1',
  hops,
  ...more,
})
const ended = (how: 'by-us' | 'in-order' | 'broken' = 'by-us'): Entry => ({
  kind: 'ended',
  connection: 'one',
  how,
})

const SOUND: readonly Entry[] = [
  ...[asked(1), begun(1), answered(1)],
  ...[asked(2), begun(2, 'b/2'), answered(2, 'b/2', 1)],
  // Its container died, and another one began it anew.
  ...[asked(3, true), begun(3, 'b/2'), begun(3, 'a/1'), answered(3, 'a/1', 2)],
  // Begun, and not to be begun again.
  ...[asked(4), begun(4), answered(4, 'a/1', 2, { status: 503, says: undefined })],
  ended(),
]

/** The same without an entry, or with others behind it. */
const changed = (at: number, ...instead: readonly Entry[]): Entry[] => [
  ...SOUND.slice(0, at),
  ...instead,
  ...SOUND.slice(at + 1),
]

const kindsOf = (entries: readonly Entry[]): string[] => [...new Set(check(entries).map(({ kind }) => kind))]

describe('the judge of the ledger', () => {
  it('finds nothing in a sound one', () => {
    expect(check(SOUND)).toEqual([])
  })

  it('finds a double owner: one that was followed answers', () => {
    expect(
      kindsOf(changed(5, answered(2, 'b/2', 1), asked(9), begun(9, 'a/1'), answered(9, 'a/1', 0))),
    ).toContain('double-owner')
  })

  it('finds a double owner: two answer after as many moves', () => {
    expect(kindsOf(changed(5, answered(2, 'b/2', 0)))).toEqual(['double-owner'])
  })

  it('finds a lost response, but of no connection that broke', () => {
    expect(check(changed(5))).toEqual([
      { kind: 'lost', connection: 'one', detail: 'request 2 has no answer, and its connection lives' },
    ])
    expect(check([asked(1), begun(1), ended('broken')])).toEqual([])
  })

  it('finds a response that comes twice', () => {
    expect(kindsOf(changed(2, answered(1), answered(1)))).toEqual(['twice'])
  })

  it('finds a request with effects that was begun twice, one without that was begun too often', () => {
    expect(kindsOf(changed(1, begun(1), begun(1)))).toEqual(['repeated'])
    expect(kindsOf(changed(7, begun(3, 'b/2'), begun(3, 'b/2'), begun(3, 'b/2')))).toEqual(['repeated'])
  })

  it.each([
    ['of another request', { says: { connection: 'one', request: 1, process: 'b/2' } }],
    ['of another connection', { says: { connection: 'two', request: 2, process: 'b/2' } }],
    ['of a process that never began it', { says: { connection: 'one', request: 2, process: 'c/3' } }],
    ['of no function', { says: undefined }],
  ])('finds a wrong response: %s', (_, more) => {
    expect(kindsOf(changed(5, answered(2, 'b/2', 1, more)))).toEqual(['wrong'])
  })
})
