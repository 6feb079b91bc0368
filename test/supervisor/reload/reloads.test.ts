import { beforeEach, describe, expect, it } from 'vitest'
import { parseConfig } from '../../../src/stack/config.ts'
import { type Plan, plan } from '../../../src/stack/plan.ts'
import type { MemberSpec } from '../../../src/stack/spec.ts'
import { type ReloadCrew, Reloads } from '../../../src/supervisor/reload/reloads.ts'
import { Replica } from '../../../src/supervisor/replica.ts'
import type { FunctionChange, RollOuts } from '../../../src/supervisor/roll-out.ts'

/* What is begun in which order, without processes: test/end-to-end/reload.test.ts has those. */

const planned = (text: string): Plan =>
  plan(parseConfig(text, '/base').config, { channel: 'native', provider: 'node', logLevel: 'info' })
const BEFORE = planned('functions: { a: { environment: { X: 1 } }, b: }')
const AFTER = 'functions: { a: { environment: { X: 2 } }, b: }'

let replicas: Set<Replica>
/** What was done, in order. */
let done: string[]
let changes: readonly FunctionChange[]
let gatewayFails: boolean
let reloads: Reloads

function add(spec: MemberSpec): Replica {
  const made = new Replica(spec, BEFORE.restart)
  made.life.ready(0)
  replicas.add(made)
  return made
}
const of = (name: string) => [...replicas].find(one => one.name === name)!

beforeEach(() => {
  replicas = new Set()
  done = []
  gatewayFails = false
  for (const spec of [BEFORE.gateway, ...BEFORE.containers]) add(spec)
  const rollOuts = {
    bound: () => done.push('bound'),
    async change(all: readonly FunctionChange[], settle: () => Promise<void>) {
      changes = all
      done.push('started')
      await settle()
      done.push('drained')
      return new Map(all.map(one => [one.functionName, { started: [], ended: [], moved: 0 }]))
    },
  } as unknown as RollOuts
  const crew: ReloadCrew = {
    replicas,
    rollOuts,
    async startGateway(spec) {
      if (gatewayFails) throw new Error('no port')
      done.push('gateway')
      return add(spec)
    },
    startSigner: () => done.push('signer'),
    tellSigners: () => {},
    retire: async ({ name }) => done.push(`retire ${name}`),
    tellAll: ({ kind }) => done.push(`tell ${kind}`),
    heard: async () => done.push('heard'),
  }
  reloads = new Reloads(crew, BEFORE)
})

describe('a reload', () => {
  it('starts, tells, and drains then', async () => {
    const next = planned('gateway: { limits: { holdSeconds: 1 } }\nfunctions: { a: , b: , c: }')
    const { functions, gateway } = await reloads.reload(next, () => {})
    expect(done).toEqual([
      ...['started', 'gateway', 'bound', 'tell routes', 'heard', 'drained', 'retire gateway'],
    ])
    expect([Object.keys(functions), gateway]).toEqual([['c', 'a'], true])
    expect(changes.map(({ functionName, start, keep }) => [functionName, start.length, keep])).toEqual([
      ['c', 1, 0],
      ['a', 1, 0],
    ])
    expect(reloads.news?.kind).toBe('routes')
  })

  it('gives those that stay what they are to be when they start again', async () => {
    await reloads.reload(
      planned('functions: { a: { environment: { X: 1 }, hosts: [x.local] }, b: }'),
      () => {},
    )
    const { routes } = of('b-1').spec.settings as unknown as { routes: readonly { host: string }[] }
    expect(routes.map(({ host }) => host)).toContain('x.local')
    expect(of('b-1').spec.name).toBe('b-1')
  })

  it('changes nothing if the gateway does not start', async () => {
    gatewayFails = true
    const next = planned(`gateway: { limits: { holdSeconds: 1 } }\n${AFTER}`)
    await expect(reloads.reload(next, () => {})).rejects.toThrow('the new gateway did not start; the old one')
    expect([done, reloads.plan, reloads.news]).toEqual([['started'], BEFORE, undefined])
  })

  it('lets a function sleep on, and wake as what it is now', async () => {
    const asleep = of('a-1')
    Object.defineProperty(asleep.life, 'state', { value: 'asleep' })
    await reloads.reload(planned(AFTER), () => {})
    expect(changes).toEqual([{ functionName: 'a', start: [], keep: 1 }])
    expect(asleep.spec.settings).toMatchObject({ name: 'a-1', environment: { X: '2' } })
  })

  it('is one at a time', async () => {
    const first = reloads.reload(planned(AFTER), () => {})
    await expect(reloads.reload(BEFORE, () => {})).rejects.toThrow('is already being read anew')
    await first
  })
})
