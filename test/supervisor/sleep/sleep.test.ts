import { beforeEach, expect, it } from 'vitest'
import { Replica } from '../../../src/supervisor/replica.ts'
import { Sleep } from '../../../src/supervisor/sleep/sleep.ts'
import { HandClock } from '../../support/hand-clock.ts'

const POLICY = { firstMilliseconds: 1, mostMilliseconds: 1, crashLoop: 3, healthyMilliseconds: 1 }
const log = { debug() {}, info() {}, warn() {}, error() {} } as never

let replicas: Replica[]
let told: string[]
let started: string[]
let sleep: Sleep
beforeEach(() => {
  replicas = []
  told = []
  started = []
  sleep = new Sleep({
    ...{ clock: new HandClock(), log, keeps: true },
    idle: () => new Map(),
    replicas: () => replicas,
    look: async () => undefined,
    tellGateways: message => told.push(message.kind === 'slumber' ? message.phase : message.kind),
    start: ({ name }) => started.push(name),
    putToSleep: async () => {},
  })
})

function asleep(name: string): Replica {
  const settings = { functionName: 'chat', name }
  const spec = { name, role: 'container', entry: new URL('file:///chat'), settings } as never
  const replica = new Replica(spec, POLICY as never, undefined, 'asleep')
  replicas.push(replica)
  return replica
}

it('a function is woken once, and is awake when its container is ready', () => {
  const one = asleep('chat-1')
  sleep.asleep('chat')
  expect([sleep.wake('chat').length, sleep.wake('chat').length]).toEqual([1, 0])
  one.life.ready(0)
  sleep.ready(one)
  expect([started, told]).toEqual([['chat-1'], ['asleep', 'waking', 'awake']])
})

it('a container that is put to sleep before it is ready does not make its function awake', () => {
  const one = asleep('chat-1')
  sleep.asleep('chat')
  sleep.wake('chat')
  asleep('chat-2')
  sleep.asleep('chat')
  one.life.drain()
  one.life.ready(0)
  sleep.ready(one)
  expect(told).toEqual(['asleep', 'waking', 'asleep'])
})
