import { beforeEach, describe, expect, it } from 'vitest'
import type { Replica } from '../../src/supervisor/replica.ts'
import { type Crew, RollOuts } from '../../src/supervisor/roll-out.ts'
import { replica } from '../support/replicas.ts'

let containers: Replica[]
/** What was done, in order. */
let done: string[]
let rollOuts: RollOuts
/** Names of new containers that do not become ready. */
let bad: Set<string>
let nextId: number

beforeEach(() => {
  containers = [replica('echo-1', 1), replica('echo-2', 2), replica('echo-3', 3), replica('hello-1', 4)]
  done = []
  bad = new Set()
  nextId = 10
  const remove = (one: Replica): void => {
    containers = containers.filter(other => other !== one)
  }
  const crew: Crew = {
    get containers() {
      return containers
    },
    startLike({ functionName }) {
      const numbers = containers.map(({ name }) => Number(name.split('-')[1]))
      const made = replica(`${functionName}-${Math.max(...numbers) + 1}`, nextId++, false)
      containers.push(made)
      done.push(`start ${made.name}`)
      return made
    },
    async untilReady({ name }) {
      await Promise.resolve()
      if (bad.has(name)) throw new Error('it cannot')
      done.push(`ready ${name}`)
    },
    abandon(one) {
      one.life.drain()
      remove(one)
      done.push(`abandon ${one.name}`)
    },
    leaveOut(one) {
      one.life.drain()
      done.push(`leave out ${one.name}`)
    },
    async retire(one) {
      done.push(`retire ${one.name}`)
      await Promise.resolve()
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
})

describe('deploy', () => {
  it('starts as many as there are, and retires the old ones when all of the new are ready', async () => {
    const { started, ended, moved } = await rollOuts.deploy('echo')
    expect([started, ended, moved]).toEqual([
      ['echo-4', 'echo-5', 'echo-6'],
      ['echo-1', 'echo-2', 'echo-3'],
      30,
    ])
    const lastReady = Math.max(...done.flatMap((one, index) => (one.startsWith('ready') ? [index] : [])))
    expect(lastReady).toBeLessThan(done.indexOf('leave out echo-1'))
    expect(done.indexOf('leave out echo-3')).toBeLessThan(done.indexOf('retire echo-1'))
  })

  it('keeps the old ones if one of the new does not start', async () => {
    bad.add('echo-5')
    await expect(rollOuts.deploy('echo')).rejects.toThrow(
      'the new containers did not start; the old ones stay: it cannot',
    )
    expect(done.filter(one => one.startsWith('abandon'))).toHaveLength(3)
    expect(done.filter(one => one.startsWith('retire'))).toEqual([])
    expect(containers.map(({ name }) => name)).toEqual(['echo-1', 'echo-2', 'echo-3', 'hello-1'])
    // And it can be tried again.
    bad.clear()
    expect((await rollOuts.deploy('echo')).ended).toHaveLength(3)
  })

  it('of one function is one at a time, of two they are not', async () => {
    const first = rollOuts.deploy('echo')
    await expect(rollOuts.deploy('echo')).rejects.toThrow('echo is already being changed')
    await expect(rollOuts.scale('echo', 2)).rejects.toThrow('echo is already being changed')
    await expect(rollOuts.deploy('nobody')).rejects.toThrow('there is no function nobody')
    expect((await rollOuts.deploy('hello')).ended).toEqual(['hello-1'])
    expect((await first).ended).toHaveLength(3)
  })
})

describe('scale', () => {
  it('starts more, or retires the newest first', async () => {
    expect(await rollOuts.scale('echo', 4)).toMatchObject({ started: ['echo-4'], ended: [], moved: 0 })
    expect(await rollOuts.scale('echo', 2)).toMatchObject({ started: [], ended: ['echo-4', 'echo-3'] })
    expect(await rollOuts.scale('echo', 2)).toEqual({ started: [], ended: [], moved: 0 })
  })

  it('stays within the bounds', async () => {
    for (const count of [1, 5])
      await expect(rollOuts.scale('echo', count)).rejects.toThrow(
        `functions.echo.replicas allows 2 to 4 containers, not ${count}`,
      )
    expect(done).toEqual([])
  })
})
