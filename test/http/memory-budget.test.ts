import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Account, type Holder, MemoryBudget, memoryProblem } from '../../src/http/memory-budget.ts'

/** A client of which the test says what it holds and how far it has come. */
class Client implements Holder {
  held = 0
  progress = 0
  /** It is on its way to another process. */
  moving = false
  sheds = 0
  readonly account: Account
  readonly name: string

  constructor(budget: MemoryBudget, name = '') {
    this.name = name
    this.account = budget.open(this)
  }

  weigh(): number {
    return this.held
  }

  shed(): boolean {
    if (this.moving) return false
    this.sheds++
    this.held = 0
    return true
  }

  /** More has come. */
  take(bytes: number, now: number): void {
    this.held += bytes
    this.progress += bytes
    this.account.weigh(now)
  }
}

describe('who goes when it is too much', () => {
  it('none, up to the limit itself', () => {
    const budget = new MemoryBudget(100)
    const client = new Client(budget)
    client.take(100, 0)
    expect([budget.held, budget.shed]).toEqual([100, 0])
    client.take(1, 0)
    expect([budget.held, budget.shed, client.sheds]).toEqual([0, 1, 1])
  })

  it('the one that has held it for longest, not the newcomer', () => {
    const budget = new MemoryBudget(1000)
    const [old, young, newcomer] = [new Client(budget), new Client(budget), new Client(budget)]
    old.take(400, 0)
    young.take(400, 20_000)
    newcomer.take(400, 30_000)
    expect([old.sheds, young.sheds, newcomer.sheds]).toEqual([1, 0, 0])
    expect(budget.held).toBe(800)
  })

  it('the one that holds most, of those that came at once', () => {
    const budget = new MemoryBudget(1000)
    const [large, small, newcomer] = [new Client(budget), new Client(budget), new Client(budget)]
    small.take(200, 0)
    large.take(700, 0)
    newcomer.take(200, 10_000)
    expect([large.sheds, small.sheds, newcomer.sheds]).toEqual([1, 0, 0])
  })

  it('the one that has brought it all at once, not those who had a little before', () => {
    const budget = new MemoryBudget(1_000_000)
    const small = Array.from({ length: 20 }, () => new Client(budget))
    for (const client of small) client.take(500, 0)
    const flood = new Client(budget)
    flood.take(9_000_000, 1000)
    expect([flood.sheds, ...small.map(({ sheds }) => sheds)]).toEqual([1, ...small.map(() => 0)])
  })

  it('the slow one, if both have held as much for as long', () => {
    const budget = new MemoryBudget(1_000_000)
    const [slow, fast, newcomer] = [new Client(budget), new Client(budget), new Client(budget)]
    slow.take(400_000, 0)
    fast.take(400_000, 0)
    for (let now = 1000; now <= 20_000; now += 1000) {
      // What it holds goes to its function as it comes.
      fast.progress += 100_000
      fast.account.weigh(now)
      slow.progress += 1
      slow.account.weigh(now)
    }
    newcomer.take(300_000, 20_000)
    expect([slow.sheds, fast.sheds, newcomer.sheds]).toEqual([1, 0, 0])
  })

  it('as many as it takes, but none that cannot', () => {
    const budget = new MemoryBudget(1000)
    const clients = Array.from({ length: 10 }, () => new Client(budget))
    for (const [index, client] of clients.entries()) client.take(100, index)
    clients[0]!.moving = true
    const newcomer = new Client(budget)
    newcomer.take(250, 1000)
    expect(clients.map(({ sheds }) => sheds)).toEqual([0, 1, 1, 1, 1, 0, 0, 0, 0, 0])
    expect(budget.held).toBe(850)
  })

  it('none is asked for what its client has taken meanwhile', () => {
    const budget = new MemoryBudget(1000)
    const [reader, newcomer] = [new Client(budget), new Client(budget)]
    reader.take(900, 0)
    // It does not say so by itself.
    reader.held = 100
    newcomer.take(800, 50_000)
    expect([reader.sheds, newcomer.sheds, budget.held]).toEqual([0, 0, 900])
  })

  it('in one pass, however many there are; and not again at once when none can', () => {
    const budget = new MemoryBudget(100_000)
    let asked = 0
    for (let i = 0; i < 10_000; i++) {
      const client = new Client(budget)
      client.shed = () => {
        asked++
        return false
      }
      client.take(10, 0)
    }
    const newcomer = new Client(budget)
    newcomer.moving = true
    for (let i = 0; i < 100; i++) newcomer.take(1, 1000)
    expect([asked, budget.shed]).toEqual([10_000, 0])
    newcomer.take(1, 2000)
    expect(asked).toBe(20_000)
  })

  it('none without a limit', () => {
    const budget = new MemoryBudget(0)
    new Client(budget).take(1e12, 0)
    expect([budget.held, budget.shed]).toEqual([1e12, 0])
  })
})

it('whatever happens, the sum is that of those who are there, within the limit, and 0 in the end', () => {
  const step = fc.record({
    who: fc.nat(9),
    what: fc.constantFrom('take', 'give', 'end', 'move'),
    by: fc.nat(60),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), steps => {
      const budget = new MemoryBudget(200)
      const clients = new Map<number, Client>()
      let now = 0
      for (const { who, what, by } of steps) {
        now += (1 + by) * 100
        const client = clients.get(who) ?? new Client(budget)
        clients.set(who, client)
        if (what === 'take') client.take(by, now)
        else if (what === 'give') {
          client.held -= Math.min(client.held, by)
          client.account.weigh(now)
        } else if (what === 'move') client.moving = !client.moving
        else {
          clients.delete(who)
          client.held = 0
          client.account.close()
          client.account.weigh(now)
        }
        const all = [...clients.values()]
        expect(budget.held).toBe(all.reduce((sum, { account }) => sum + account.held, 0))
        const stuck = all.filter(({ moving }) => moving).reduce((sum, { held }) => sum + held, 0)
        expect(budget.held).toBeLessThanOrEqual(Math.max(200, stuck))
      }
      for (const client of clients.values()) client.account.close()
      expect(budget.held).toBe(0)
    }),
  )
})

it('the answer says which setting it was, and when to come again', () => {
  const what = memoryProblem('connection.memoryBytes', 1000)
  expect(what).toMatchObject({ status: 503, headers: [['retry-after', '1']] })
  expect(what.extensions).toEqual({ setting: 'connection.memoryBytes', bytes: 1000 })
})
