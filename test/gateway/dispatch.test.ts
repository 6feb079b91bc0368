import { beforeEach, expect, it } from 'vitest'
import { type Consignment, Dispatch } from '../../src/gateway/dispatch.ts'
import { MemoryBudget } from '../../src/http/memory-budget.ts'
import type { Peer } from '../../src/transfer/control.ts'
import { HandClock } from '../support/hand-clock.ts'

/** Milliseconds for a container to become ready. */
const HOLD = 900

let clock: HandClock
let dispatch: Dispatch
let said: unknown[]
beforeEach(() => {
  clock = new HandClock()
  dispatch = new Dispatch(HOLD, new MemoryBudget(), clock)
  said = []
})

const CONSIGNMENT: Consignment = {
  functionName: 'echo',
  bytes: 100,
  send: ({ name }, settle) => {
    said.push(['sent', name])
    settle({ state: 'gone' })
  },
  accepted: ({ name }) => said.push(['accepted', name]),
  lost: ({ name }) => said.push(['lost', name]),
  refused: ({ name }) => said.push(['refused', name]),
  unwanted: reason => said.push(['unwanted', reason]),
  failed: error => said.push(['failed', error]),
}
const container = (id: number, functionName = 'echo') =>
  ({ id, role: 'container', name: `${functionName}-${id}`, functionName }) as Peer

it('waits for a container of the function as long as it may, and gives up in that moment', () => {
  dispatch.deliver(CONSIGNMENT)
  dispatch.introduced(container(1, 'hello'))
  clock.pass(HOLD)
  expect([said, dispatch.size]).toEqual([[], 1])
  clock.pass(1)
  expect(said).toEqual([['unwanted', 'no container of the function echo is ready']])
  expect([dispatch.size, clock.waiting]).toEqual([0, 0])
})

it('says once a second that it waits: the function may have been about to fall asleep', () => {
  const wish = (name: string) => said.push(['wish', name])
  dispatch = new Dispatch({ of: () => 3500, wish, granted() {} }, new MemoryBudget(), clock)
  dispatch.deliver(CONSIGNMENT)
  for (let second = 0; second < 3; second++) clock.pass(1000)
  expect(said).toEqual(Array(4).fill(['wish', 'echo']))
  dispatch.introduced(container(1))
  expect(said.slice(4)).toEqual([
    ['sent', 'echo-1'],
    ['accepted', 'echo-1'],
  ])
})

it('waits for one that wakes as soon as its function has fallen asleep, from its own beginning', () => {
  let patience = HOLD
  dispatch = new Dispatch({ of: () => patience, wish() {}, granted() {} }, new MemoryBudget(), clock)
  let refuse = (): void => {}
  const draining = { outcome: 'refused', reason: 'draining', detail: 'it is about to stop' } as const
  const send: Consignment['send'] = ({ id }, settle) => {
    if (id === 1) refuse = () => settle({ state: 'owned', verdict: draining })
    else settle({ state: 'gone' })
  }
  dispatch.introduced(container(1))
  dispatch.deliver({ ...CONSIGNMENT, send })
  clock.pass(HOLD / 3)
  patience = 10 * HOLD
  dispatch.draining(1)
  refuse()
  dispatch.gone(1)
  clock.pass(9 * HOLD)
  expect([said, dispatch.size]).toEqual([[['refused', 'echo-1']], 1])
  dispatch.introduced(container(2))
  expect(said.slice(1)).toEqual([['accepted', 'echo-2']])
  said = []
  dispatch.deliver({ ...CONSIGNMENT, functionName: 'hello' })
  clock.pass(10 * HOLD + 1)
  expect(said).toEqual([['unwanted', 'no container of the function hello is ready']])
})

it('gives it to a container that becomes ready in the last moment, once', () => {
  dispatch.deliver(CONSIGNMENT)
  clock.pass(HOLD)
  dispatch.introduced(container(2))
  const once = [
    ['sent', 'echo-2'],
    ['accepted', 'echo-2'],
  ]
  expect([said, dispatch.size]).toEqual([once, 0])
  clock.pass(10 * HOLD)
  expect(said).toEqual(once)
})

it('waits longer with what a dead container had, until one has refused it', () => {
  dispatch = new Dispatch(HOLD, new MemoryBudget(), clock, 10 * HOLD)
  const refuses: Consignment['send'] = (_target, settle) =>
    settle({ state: 'owned', verdict: { outcome: 'refused', reason: 'seal', detail: '' } })
  dispatch.deliver({ ...CONSIGNMENT, orphaned: true, send: refuses })
  clock.pass(5 * HOLD)
  expect([said, dispatch.size]).toEqual([[], 1])
  dispatch.introduced(container(1))
  expect(said).toEqual([['refused', 'echo-1']])
  clock.pass(HOLD + 1)
  expect(said.at(-1)).toEqual(['unwanted', 'no container of the function echo is ready'])
})

it('waits as long as before for one that was offered to the dead container itself', () => {
  dispatch = new Dispatch(HOLD, new MemoryBudget(), clock, 10 * HOLD)
  dispatch.introduced(container(1))
  const send: Consignment['send'] = ({ id }, settle) =>
    settle(id === 1 ? { state: 'owned', verdict: undefined } : { state: 'gone' })
  dispatch.deliver({ ...CONSIGNMENT, orphaned: true, send })
  dispatch.gone(1)
  clock.pass(5 * HOLD)
  dispatch.introduced(container(2))
  expect(said).toEqual([
    ['refused', 'echo-1'],
    ['accepted', 'echo-2'],
  ])
})

it('gives a container that is starting nothing before it says what it takes', () => {
  dispatch.deliver(CONSIGNMENT)
  dispatch.deliver({ ...CONSIGNMENT, kept: true, send: ({ name }) => said.push(['woken by', name]) })
  dispatch.expected(container(3))
  expect(said).toEqual([])
  dispatch.thaws(3)
  dispatch.thaws(3)
  expect(said).toEqual([['woken by', 'echo-3']])
  dispatch.begins(3)
  dispatch.begins(3)
  expect(said.slice(1)).toEqual([
    ['sent', 'echo-3'],
    ['accepted', 'echo-3'],
  ])
})

it('gives nothing to one that has ended while it was starting', () => {
  dispatch.deliver({ ...CONSIGNMENT, kept: true })
  dispatch.expected(container(4))
  dispatch.gone(4)
  dispatch.thaws(4)
  dispatch.begins(4)
  expect([said, dispatch.size]).toEqual([[], 1])
})

it('gives nothing to one that is to go before it can work, and asks for another', () => {
  const told: string[] = []
  const patience = {
    of: () => HOLD,
    wish: () => told.push('wish'),
    granted: () => told.push('granted'),
  }
  dispatch = new Dispatch(patience, new MemoryBudget(), clock)
  dispatch.expected(container(4))
  dispatch.draining(4)
  dispatch.deliver({ ...CONSIGNMENT, kept: true })
  dispatch.thaws(4)
  dispatch.begins(4)
  expect([said, dispatch.size, told]).toEqual([[], 1, ['wish']])
  dispatch.wish('echo')
  expect(told).toEqual(['wish', 'wish'])
})

it('wakes a container of this host for what cannot leave it, whatever other hosts have', () => {
  const wish = (name: string) => said.push(['wish', name])
  dispatch = new Dispatch({ of: () => HOLD, wish, granted() {} }, new MemoryBudget(), clock)
  dispatch.introduced({ ...container(1), name: 'b/echo-1' })
  dispatch.deliver({ ...CONSIGNMENT, near: true })
  expect([said, dispatch.size]).toEqual([[['wish', 'echo']], 1])
  dispatch.deliver(CONSIGNMENT)
  dispatch.introduced(container(2))
  expect(said.slice(1)).toEqual([
    ['sent', 'b/echo-1'],
    ['accepted', 'b/echo-1'],
    ['sent', 'echo-2'],
    ['accepted', 'echo-2'],
  ])
})
