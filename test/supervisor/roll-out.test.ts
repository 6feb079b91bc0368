import { beforeEach, describe, expect, it } from 'vitest'
import { functionOf } from '../../src/stack/spec.ts'
import { Replica } from '../../src/supervisor/replica.ts'
import { type Crew, RollOuts, type Step } from '../../src/supervisor/roll-out.ts'
import { replica } from '../support/replicas.ts'

const POLICY = { first: 100, most: 1000, healthyAfter: 5000, crashLoop: 3 }

let containers: Replica[]
/** What was done, in order. */
let done: string[]
let rollOuts: RollOuts
/** Names of new containers that do not become ready. */
let bad: Set<string>
/** Names of new containers that end while they rehearse. */
let dying: Set<string>
let nextId: number
/** That each container has. */
let connections: number
/** Functions that other hosts have. */
let elsewhere: Set<string>

beforeEach(() => {
  containers = [replica('echo-1', 1), replica('echo-2', 2), replica('echo-3', 3), replica('hello-1', 4)]
  done = []
  bad = new Set()
  dying = new Set()
  nextId = 10
  connections = 10
  elsewhere = new Set()
  const specs = new Map(containers.map(({ functionName, spec }) => [functionName, spec]))
  const remove = (one: Replica): void => {
    containers = containers.filter(other => other !== one)
  }
  const crew: Crew = {
    get containers() {
      return containers
    },
    isElsewhere: functionName => elsewhere.has(functionName),
    specOf: functionName => specs.get(functionName),
    start(spec) {
      const functionName = functionOf(spec)
      const numbers = containers.map(({ name }) => Number(name.split('-')[1]))
      const made = replica(`${functionName}-${Math.max(...numbers) + 1}`, nextId++, false)
      containers.push(made)
      done.push(`start ${made.name}`)
      return made
    },
    layDown({ functionName }) {
      const asleep = new Replica(replica(`${functionName}-9`, undefined).spec, POLICY, undefined, 'asleep')
      containers.push(asleep)
      done.push(`lay down ${asleep.name}`)
      return asleep
    },
    wake(functionName) {
      const woken = containers.filter(one => one.functionName === functionName && one.life.state === 'asleep')
      for (const one of woken) {
        one.life.started()
        one.member = replica(one.name, nextId++, false).member
        done.push(`wake ${one.name}`)
      }
      return woken
    },
    async untilReady(one) {
      await Promise.resolve()
      if (bad.has(one.name)) throw new Error('it cannot')
      one.member!.peer = replica(one.name, one.member!.id).member!.peer
      done.push(`ready ${one.name}`)
    },
    async untilRehearsed(one, report) {
      report(100)
      await Promise.resolve()
      if (dying.has(one.name)) one.member = undefined
      report(200)
      done.push(`rehearsed ${one.name}`)
    },
    leaveOut(one) {
      one.life.drain()
      done.push(`leave out ${one.name}`)
    },
    async retire(one, report, how) {
      const way = how === 'sleep' ? 'put to sleep' : 'retire'
      done.push(`${one.ready ? way : 'abandon'} ${one.name}`)
      report(connections)
      await Promise.resolve()
      report(0)
      remove(one)
      return 10
    },
  }
  rollOuts = new RollOuts(crew, new Map([['echo', { min: 2, max: 4 }]]))
})

describe('drain', () => {
  it('leaves all out before one is retired', async () => {
    expect(await rollOuts.drain(['echo-1', 'echo-3', 'echo-1'])).toEqual({
      started: [],
      ended: ['echo-1', 'echo-3'],
      moved: 20,
    })
    expect(done).toEqual(['leave out echo-1', 'leave out echo-3', 'retire echo-1', 'retire echo-3'])
  })

  it('does nothing if one of them has no sibling to go to', async () => {
    await expect(rollOuts.drain(['hello-1'])).rejects.toThrow(
      'hello-1 is the only container of hello: no container could take its connections',
    )
    await expect(rollOuts.drain(['echo-1', 'echo-2', 'echo-3'])).rejects.toThrow(
      'echo-1 is the only container of echo that would stay',
    )
    containers[2]!.life.drain()
    containers[1]!.member = undefined
    await expect(rollOuts.drain(['echo-1'])).rejects.toThrow('no container could take its connections')
    await expect(rollOuts.drain(['echo-3'])).rejects.toThrow('echo-3 is already being drained')
    await expect(rollOuts.drain(['echo-9'])).rejects.toThrow(
      'there is no container echo-9; there are echo-1, echo-2, echo-3, hello-1',
    )
    expect(done).toEqual([])
  })

  it('ends the only one if another host has its function, and scale has it here again', async () => {
    elsewhere.add('hello')
    expect((await rollOuts.drain(['hello-1'])).ended).toEqual(['hello-1'])
    await expect(rollOuts.deploy('hello')).rejects.toThrow(
      'hello has no container here; hotpotato scale hello 1 starts one',
    )
    expect((await rollOuts.scale('hello', 1)).started).toHaveLength(1)
    expect(containers.filter(({ functionName }) => functionName === 'hello')).toHaveLength(1)
  })

  it('of a whole host leaves what no other host has', async () => {
    elsewhere.add('echo')
    expect(await rollOuts.drainAll()).toEqual({
      started: [],
      ended: ['echo-1', 'echo-2', 'echo-3'],
      moved: 30,
      stayed: ['hello-1'],
    })
    elsewhere.clear()
    expect(await rollOuts.drainAll()).toMatchObject({ ended: [], stayed: ['hello-1'] })
  })
})

describe('sleep', () => {
  it('ends all containers of a function, and keeps a place for each', async () => {
    expect(await rollOuts.scale('hello', 0)).toEqual({ started: [], ended: ['hello-1'], moved: 10 })
    expect(done).toEqual(['lay down hello-9', 'leave out hello-1', 'put to sleep hello-1'])
    expect(containers.map(({ name, life }) => [name, life.state])).toContainEqual(['hello-9', 'asleep'])
    // It sleeps already.
    expect(await rollOuts.sleep('hello')).toEqual({ started: [], ended: [], moved: 0 })
    await expect(rollOuts.drain(['hello-9'])).rejects.toThrow('hello-9 is asleep: it has no connections')
  })

  it('ends when another number of containers is asked for', async () => {
    await rollOuts.sleep('hello')
    done = []
    expect((await rollOuts.scale('hello', 2)).started).toEqual(['hello-9', 'hello-10'])
    expect(done.slice(0, 2)).toEqual(['wake hello-9', 'ready hello-9'])
  })
})

describe('deploy', () => {
  it('starts as many as there are, and retires the old ones when all of the new are ready', async () => {
    const { started, ended, moved } = await rollOuts.deploy('echo')
    expect([started, ended, moved]).toEqual([
      ['echo-4', 'echo-5', 'echo-6'],
      ['echo-1', 'echo-2', 'echo-3'],
      30,
    ])
    const last = (what: string): number => done.findLastIndex(one => one.startsWith(what))
    expect(last('ready')).toBeLessThan(done.indexOf('rehearsed echo-4'))
    expect(last('rehearsed')).toBeLessThan(done.indexOf('leave out echo-1'))
    expect(done.indexOf('leave out echo-3')).toBeLessThan(done.indexOf('retire echo-1'))
  })

  it('keeps the old ones if one of the new does not start', async () => {
    bad.add('echo-5')
    await expect(rollOuts.deploy('echo')).rejects.toThrow(
      'the new containers did not start; the old ones stay: it cannot',
    )
    // Those that are ready have connections already, which move to the old ones.
    const gone = done.filter(one => /^(abandon|retire)/.test(one)).sort()
    expect(gone).toEqual(['abandon echo-5', 'retire echo-4', 'retire echo-6'])
    const retired = done.indexOf('retire echo-4')
    for (const name of ['echo-4', 'echo-5', 'echo-6'])
      expect(done.indexOf(`leave out ${name}`)).toBeLessThan(retired)
    expect(containers.map(({ name }) => name)).toEqual(['echo-1', 'echo-2', 'echo-3', 'hello-1'])
    // And it can be tried again.
    bad.clear()
    expect((await rollOuts.deploy('echo')).ended).toHaveLength(3)
  })

  it('keeps the old ones if one of the new ends while it rehearses', async () => {
    dying.add('echo-6')
    await expect(rollOuts.deploy('echo')).rejects.toThrow(
      'the old ones stay: echo-6 ended while it rehearsed; its log says why',
    )
    expect(containers.map(({ name }) => name)).toEqual(['echo-1', 'echo-2', 'echo-3', 'hello-1'])
  })

  it('says what it is at, and how far that is', async () => {
    const steps: Step[] = []
    await rollOuts.deploy('echo', step => steps.push(step))
    expect(steps[0]).toEqual({ stage: 'start', containers: ['echo-4', 'echo-5', 'echo-6'] })
    const counts = (stage: Step['stage']) => steps.flatMap(one => (one.stage === stage ? [one.count] : []))
    // The moves of the slowest, and the connections of all.
    expect(counts('rehearse')).toEqual([0, 0, 100, 100, 100, 200])
    expect(counts('move')).toEqual([10, 20, 30, 20, 10, 0])
    expect(steps.at(-1)).toEqual({ stage: 'move', containers: ['echo-1', 'echo-2', 'echo-3'], count: 0 })
  })

  it('of one function is one at a time, of two they are not', async () => {
    const first = rollOuts.deploy('echo')
    await expect(rollOuts.deploy('echo')).rejects.toThrow('echo is already being changed')
    await expect(rollOuts.scale('echo', 2)).rejects.toThrow('echo is already being changed')
    await expect(rollOuts.deploy('nobody')).rejects.toThrow('there is no function nobody')
    expect((await rollOuts.deploy('hello')).ended).toEqual(['hello-1'])
    expect((await first).ended).toHaveLength(3)
  })

  it('is not undone by a drain of what it starts: the function would have no container', async () => {
    const deployed = rollOuts.deploy('hello')
    const fresh = containers.at(-1)!.name
    const drains = [fresh, 'hello-1'].map(name => rollOuts.drain(['echo-1', name]))
    for (const result of await Promise.allSettled(drains))
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { message: 'hello is already being changed; try again when that is over' },
      })
    expect((await rollOuts.drain(['echo-1'])).ended).toEqual(['echo-1'])
    expect((await deployed).ended).toEqual(['hello-1'])
    expect(containers.map(({ name }) => name)).toEqual(['echo-2', 'echo-3', fresh])
  })
})

describe('scale', () => {
  it('starts more, or retires the newest first', async () => {
    expect(await rollOuts.scale('echo', 4)).toMatchObject({ started: ['echo-4'], ended: [], moved: 0 })
    expect(await rollOuts.scale('echo', 2)).toMatchObject({ started: [], ended: ['echo-4', 'echo-3'] })
    expect(await rollOuts.scale('echo', 2)).toEqual({ started: [], ended: [], moved: 0 })
  })

  it('keeps those that are ready, though an older one is being restarted', async () => {
    containers[0]!.member!.peer = undefined
    expect(await rollOuts.scale('echo', 2)).toMatchObject({ ended: ['echo-1'] })
    expect(containers.map(({ name }) => name)).toEqual(['echo-2', 'echo-3', 'hello-1'])
  })

  it('stays within the bounds', async () => {
    for (const count of [1, 5])
      await expect(rollOuts.scale('echo', count)).rejects.toThrow(
        `functions.echo.replicas allows 2 to 4 containers, not ${count}`,
      )
    expect(done).toEqual([])
  })
})

describe('change', () => {
  const spec = (name: string) => replica(`${name}-1`, undefined).spec
  const settle = async (): Promise<void> => {
    done.push('settled')
  }
  const CHANGES = [
    { functionName: 'echo', start: [spec('echo'), spec('echo')], keep: 0 },
    { functionName: 'hello', start: [], keep: 0 },
  ]

  it('starts all, then makes it so, then retires what is old', async () => {
    const outcomes = await rollOuts.change(CHANGES, settle)
    expect([...outcomes]).toEqual([
      ['echo', { started: ['echo-4', 'echo-5'], ended: ['echo-3', 'echo-2', 'echo-1'], moved: 30 }],
      ['hello', { started: [], ended: ['hello-1'], moved: 10 }],
    ])
    const settled = done.indexOf('settled')
    expect(done.findLastIndex(one => one.startsWith('rehearsed'))).toBeLessThan(settled)
    expect(done.findIndex(one => one.startsWith('leave out'))).toBeGreaterThan(settled)
  })

  it('keeps the oldest where some are to stay', async () => {
    const outcomes = await rollOuts.change([{ functionName: 'echo', start: [], keep: 2 }], settle)
    expect(outcomes.get('echo')).toMatchObject({ ended: ['echo-3'] })
    containers[0]!.member!.peer = undefined
    const others = await rollOuts.change([{ functionName: 'echo', start: [], keep: 1 }], settle)
    expect(others.get('echo')).toMatchObject({ ended: ['echo-1'] })
  })

  it('takes everything back if one of them does not start, or it cannot be made so', async () => {
    const all = containers.map(({ name }) => name)
    bad.add('echo-5')
    await expect(rollOuts.change(CHANGES, settle)).rejects.toThrow('did not start; the old ones stay')
    expect(containers.map(({ name }) => name)).toEqual(all)
    bad.clear()
    const fails = rollOuts.change(CHANGES, () => Promise.reject(new Error('no gateway')))
    await expect(fails).rejects.toThrow('no gateway')
    expect(containers.map(({ name }) => name)).toEqual(all)
    expect(done).not.toContain('settled')
  })

  it('that takes back what has no connections tells of no move', async () => {
    const steps: Step[] = []
    bad.add('echo-5')
    connections = 0
    await expect(rollOuts.change(CHANGES, settle, step => steps.push(step))).rejects.toThrow('did not start')
    expect(steps.map(({ stage }) => stage)).toEqual(['start'])
  })

  it('is refused while one of its functions is being changed', async () => {
    const first = rollOuts.deploy('hello')
    await expect(rollOuts.change(CHANGES, settle)).rejects.toThrow('hello is already being changed')
    await first
    const second = rollOuts.change(CHANGES, settle)
    await expect(rollOuts.scale('echo', 2)).rejects.toThrow('echo is already being changed')
    await second
  })
})
