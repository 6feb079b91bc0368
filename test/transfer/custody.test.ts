import { afterEach, describe, expect, it } from 'vitest'
import type { Verdict } from '../../src/transfer/control.ts'
import {
  CUSTODY,
  Custody,
  type CustodyEvent,
  type CustodyState,
  type Release,
  VERDICT_TIMEOUT,
} from '../../src/transfer/custody.ts'

const STATES: CustodyState[] = ['owned', 'frozen', 'gone', 'ended']
const EVENTS: CustodyEvent[] = ['release', 'accepted', 'conceded', 'refused', 'unsent', 'lost', 'expired']
const ACCEPTED: Verdict = { outcome: 'accepted' }
const REFUSED: Verdict = { outcome: 'refused', reason: 'suite', detail: '' }

/** As it is offered. */
const SESSION = { sessionId: new Uint8Array(16).fill(1), generation: 4 }
const ticket = (value: number): Uint8Array => new Uint8Array(8).fill(value)

/** A frozen session, 100 ms old, that was offered to process 5. */
function frozen() {
  const custody = new Custody()
  const releases: Release[] = []
  custody.hold(ticket(1), 5, SESSION, 100, release => releases.push(release))
  return { custody, releases }
}

const HAPPENS: Record<Exclude<CustodyEvent, 'release'>, (custody: Custody) => unknown> = {
  accepted: custody => custody.verdict(5, ticket(1), ACCEPTED),
  conceded: custody => custody.concede(5, { ...SESSION, generation: SESSION.generation + 1 }),
  refused: custody => custody.verdict(5, ticket(1), REFUSED),
  unsent: custody => custody.unsent(ticket(1)),
  lost: custody => custody.lost(5),
  expired: custody => custody.expire(100 + VERDICT_TIMEOUT),
}

describe('the table', () => {
  it('says for every state and event what comes of it', () => {
    const table: Record<CustodyState, Partial<Record<CustodyEvent, CustodyState>>> = CUSTODY
    expect(Object.keys(table)).toEqual(STATES)
    const rows = STATES.map(state => EVENTS.map(event => table[state][event]))
    expect(rows).toEqual([
      ['frozen', undefined, undefined, undefined, undefined, undefined, undefined],
      [undefined, 'gone', 'gone', 'owned', 'owned', 'ended', 'ended'],
      Array(EVENTS.length).fill(undefined),
      Array(EVENTS.length).fill(undefined),
    ])
  })

  it.each(Object.keys(HAPPENS) as (keyof typeof HAPPENS)[])(
    'is what happens to a frozen session: %s',
    event => {
      const { custody, releases } = frozen()
      HAPPENS[event](custody)
      expect(releases.map(({ state }) => state)).toEqual([CUSTODY.frozen[event]])
      expect(custody.size).toBe(0)
    },
  )
})

describe('a settlement, whatever the table says', () => {
  const row = { ...CUSTODY.frozen } as Record<keyof typeof HAPPENS, CustodyState>
  const events = Object.keys(row) as (keyof typeof HAPPENS)[]
  afterEach(() => void Object.assign(CUSTODY.frozen, row))

  it.each(
    events.flatMap(event => (['gone', 'owned', 'ended'] as const).map(state => [event, state] as const)),
  )('is what it says: %s leads to %s', (event, state) => {
    Object.assign(CUSTODY.frozen, { [event]: state })
    const { custody, releases } = frozen()
    HAPPENS[event](custody)
    expect(releases.map(one => one.state)).toEqual([state])
  })
})

describe('a settlement', () => {
  const names = Object.keys(HAPPENS) as (keyof typeof HAPPENS)[]

  it.each(names.flatMap(first => names.map(second => [first, second] as const)))(
    'comes once: %s, then %s',
    (first, second) => {
      const { custody, releases } = frozen()
      HAPPENS[first](custody)
      HAPPENS[second](custody)
      expect(releases.map(({ state }) => state)).toEqual([CUSTODY.frozen[first]])
    },
  )

  it('does not come from another than the target, or for another ticket', () => {
    const { custody, releases } = frozen()
    expect(custody.verdict(6, ticket(1), ACCEPTED)).toBe(false)
    expect(custody.verdict(5, ticket(2), ACCEPTED)).toBe(false)
    custody.lost(6)
    custody.unsent(ticket(2))
    expect(releases).toEqual([])
    expect(custody.size).toBe(1)
    expect(custody.verdict(5, ticket(1), REFUSED)).toBe(true)
    expect(releases).toEqual([{ state: 'owned', verdict: REFUSED }])
  })

  it('comes when the target offers the session back, which it then has; its verdict comes late then', () => {
    const { custody, releases } = frozen()
    const back = { ...SESSION, generation: SESSION.generation + 1 }
    expect(custody.concede(6, back)).toBe(false)
    expect(custody.concede(5, { ...back, sessionId: new Uint8Array(16) })).toBe(false)
    // As it was offered, or older: a copy.
    expect(custody.concede(5, SESSION)).toBe(false)
    expect(releases).toEqual([])
    expect(custody.concede(5, back)).toBe(true)
    expect(releases).toEqual([{ state: 'gone' }])
    expect(custody.verdict(5, ticket(1), REFUSED)).toBe(true)
    expect(custody.verdict(5, ticket(1), REFUSED)).toBe(false)
    expect([releases.length, custody.size]).toEqual([1, 0])
  })

  it('comes in the order of the deadlines, not before them', () => {
    const custody = new Custody()
    const ended: string[] = []
    for (const [i, target] of [5, 6, 5].entries())
      custody.hold(ticket(i), target, SESSION, i * 10, ({ state }) => ended.push(`${i} ${state}`))
    expect(custody.expire(VERDICT_TIMEOUT - 1)).toBe(1)
    expect(ended).toEqual([])
    expect(custody.expire(VERDICT_TIMEOUT + 10)).toBe(10)
    expect(ended).toEqual(['0 ended', '1 ended'])
    custody.lost(5)
    expect(ended).toEqual(['0 ended', '1 ended', '2 ended'])
    expect(custody.expire(Number.MAX_SAFE_INTEGER)).toBeUndefined()
  })

  it('may offer the session again at once', () => {
    const custody = new Custody()
    const states: string[] = []
    custody.hold(ticket(1), 5, SESSION, 0, first => {
      states.push(first.state)
      custody.hold(ticket(2), 6, SESSION, 0, second => states.push(second.state))
    })
    custody.lost(5)
    expect(states).toEqual(['ended'])
    custody.verdict(6, ticket(2), ACCEPTED)
    expect(states).toEqual(['ended', 'gone'])
  })
})
