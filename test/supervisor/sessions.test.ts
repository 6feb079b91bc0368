import { beforeEach, describe, expect, it } from 'vitest'
import type { Replica } from '../../src/supervisor/replica.ts'
import { type MoveReport, type Revelation, Sessions } from '../../src/supervisor/sessions.ts'
import type { ConnectionDescription } from '../../src/transfer/control.ts'
import { MemoryDirectory } from '../../src/transfer/directory.ts'
import { fromHex } from '../../src/wire/index.ts'
import { replica } from '../support/replicas.ts'

let replicas: Replica[]
/** What each process says it has; undefined: it does not answer. */
let lists: Map<number, ConnectionDescription[] | undefined>
/** What a process tells that teaches: undefined: it does not answer. */
let revelation: (id: number, target?: number) => Revelation | undefined
/** What a process answers to an order, and the orders that it got. */
let report: (id: number, target: number) => MoveReport | undefined
let orders: [id: number, target: number][]
let directory: MemoryDirectory
let sessions: Sessions

const ID = (first: string): string => first.padEnd(32, '0')
function connection(id: string, generation = 0): ConnectionDescription {
  return {
    sessionId: fromHex(ID(id)),
    generation,
    hops: generation,
    requests: 1,
    age: 1000,
    phase: 'idle',
    protocol: 'http/1.1',
    tls: true,
    cipherSuite: 'TLS_AES_128_GCM_SHA256',
    serverName: 'echo.local',
    stays: '',
  }
}
const moved = (generation: number): MoveReport => ({ outcome: 'moved', generation, detail: '' })

beforeEach(() => {
  replicas = [replica('echo-1', 1), replica('echo-2', 2), replica('hello-1', 3), replica('echo-4', undefined)]
  lists = new Map([
    [1, [connection('aa'), connection('ab')]],
    [2, []],
    [3, [connection('c')]],
  ])
  orders = []
  report = () => moved(1)
  revelation = () => undefined
  directory = new MemoryDirectory()
  sessions = new Sessions({
    directory,
    replicas: () => replicas,
    list: async id => lists.get(id),
    move: async (id, _sessionId, target) => {
      orders.push([id, target])
      return report(id, target)
    },
    reveal: async (id, _sessionId, target) => {
      if (target !== undefined) orders.push([id, target])
      return revelation(id, target)
    },
  })
})

describe('the list of connections', () => {
  it('has those of all containers that answer', async () => {
    lists.set(3, undefined)
    const list = await sessions.list()
    expect(list.map(({ id, container }) => [id, container])).toEqual([
      [ID('aa'), 'echo-1'],
      [ID('ab'), 'echo-1'],
    ])
    expect(list[0]).toEqual({
      id: ID('aa'),
      container: 'echo-1',
      functionName: 'echo',
      generation: 0,
      state: 'idle',
      protocol: 'http/1.1',
      cipherSuite: 'TLS_AES_128_GCM_SHA256',
      tls: true,
      serverName: 'echo.local',
      requests: 1,
      hops: 0,
      age: 1000,
    })
  })

  it.each([
    [[connection('aa', 4)], [connection('aa', 5)], 'echo-2', 5],
    [[connection('aa', 5)], [connection('aa', 4)], 'echo-1', 5],
  ])(
    'has a connection that two speak of once, with the one who got it last',
    async (one, two, owner, generation) => {
      lists = new Map([
        [1, one],
        [2, two],
      ])
      const list = await sessions.list()
      expect(list).toHaveLength(1)
      expect(list[0]).toMatchObject({ container: owner, generation })
    },
  )

  it('believes no answer that comes from before', async () => {
    lists = new Map([[2, [connection('aa', 5)]]])
    await sessions.list()
    lists = new Map([[1, [connection('aa', 4)]]])
    expect(await sessions.list()).toEqual([])
    expect(await directory.find(ID('aa'))).toEqual({ owner: '2', generation: 5 })
  })

  it('names the containers that do not answer, also where what is asked for may be with one', async () => {
    await sessions.list()
    expect(sessions.silent).toEqual([])
    lists.set(3, undefined)
    await sessions.list()
    expect(sessions.silent).toEqual(['hello-1'])
    await expect(sessions.move('c', 'hello-1')).rejects.toThrow(
      'there is no connection c; hello-1 did not answer; see hotpotato status --connections',
    )
    lists.set(3, [])
    await expect(sessions.move('c', 'hello-1')).rejects.toThrow('there is no connection c; see hotpotato')
  })

  it('is forgotten of connections that are named no more, and of containers that are no more', async () => {
    await sessions.list()
    expect(directory.size).toBe(3)
    lists.set(1, [connection('ab')])
    lists.set(3, undefined)
    await sessions.list()
    expect(await directory.find(ID('aa'))).toBeUndefined()
    expect(await directory.find(ID('c'))).toBeDefined()
    replicas = replicas.slice(0, 2)
    await sessions.list()
    expect(directory.size).toBe(1)
  })
})

describe('a move', () => {
  it('is not forgotten by a census whose answers are from before', async () => {
    await sessions.list()
    // The first container answers before the second has the connection, and after it has gone.
    const given: (() => void)[] = []
    const ask = async (id: number) => {
      const answer = id === 1 ? [connection('aa')] : lists.get(id)
      await new Promise<void>(resolve => given.push(resolve))
      return answer
    }
    let late = false
    sessions = new Sessions({
      directory,
      replicas: () => replicas,
      list: id => (late ? ask(id) : Promise.resolve(lists.get(id))),
      move: async () => {
        // Meanwhile all are asked, of whom none has it just then.
        late = true
        listed = sessions.list()
        await new Promise(resolve => setImmediate(resolve))
        late = false
        return moved(1)
      },
      reveal: async () => undefined,
    })
    let listed: Promise<unknown> | undefined
    await sessions.move('ab', 'echo-2')
    for (const give of given) give()
    await listed
    lists.set(1, [connection('aa')])
    lists.set(2, [connection('ab', 1)])
    expect(await sessions.list()).toContainEqual(expect.objectContaining({ id: ID('ab'), generation: 1 }))
  })

  it('is ordered of the owner, found by the beginning of the id', async () => {
    expect(await sessions.move('ab', 'echo-2')).toEqual({
      connection: ID('ab'),
      from: 'echo-1',
      to: 'echo-2',
      generation: 1,
    })
    expect(orders).toEqual([[1, 2]])
    expect(await directory.find(ID('ab'))).toEqual({ owner: '2', generation: 1 })
  })

  it('follows a connection that has moved on by itself', async () => {
    report = id => {
      if (id === 2) return moved(2)
      lists.set(1, [])
      lists.set(2, [connection('ab', 1)])
      return { outcome: 'unknown', generation: 0, detail: '' }
    }
    replicas.push(replica('echo-5', 5))
    expect(await sessions.move('ab', 'echo-5')).toMatchObject({ from: 'echo-2', generation: 2 })
    expect(orders).toEqual([
      [1, 5],
      [2, 5],
    ])
    report = () => ({ outcome: 'unknown', generation: 0, detail: '' })
    await expect(sessions.move('c', 'hello-1')).rejects.toThrow('already in hello-1')
    lists.set(5, [connection('ab', 2)])
    lists.set(2, [])
    await expect(sessions.move('ab', 'echo-2')).rejects.toThrow('moved again before it could be found')
    expect(orders).toHaveLength(5)
  })

  it('is found although it was just on its way between two containers', async () => {
    const all = lists.get(1)
    lists.set(1, [])
    const asked = lists.get.bind(lists)
    let looks = 0
    lists.get = id => {
      if (id === 1 && ++looks === 3) lists.set(1, all)
      return asked(id)
    }
    expect(await sessions.move('ab', 'echo-2')).toMatchObject({ from: 'echo-1', to: 'echo-2' })
    expect(looks).toBe(3)
  })

  it('that cannot move yet says what keeps it', async () => {
    report = () => undefined
    lists.set(1, [{ ...connection('aa'), stays: 'GET / of echo (call x, for 9 s)' }])
    await expect(sessions.move('aa', 'echo-2')).rejects.toThrow(
      'echo-1 is busy with it: GET / of echo (call x, for 9 s) cannot move; it moves when that work is done',
    )
    expect(await sessions.list()).toMatchObject([{ stays: 'GET / of echo (call x, for 9 s)' }, {}])
  })

  it.each([
    [
      { outcome: 'kept', generation: 0, detail: 'draining' } as const,
      'echo-2 refused it, and it stays in echo-1: draining',
    ],
    [
      { outcome: 'ended', generation: 0, detail: 'x' } as const,
      'the connection ended before it could move: x',
    ],
    [undefined, 'echo-1 is busy with it; it moves when that work is done'],
  ])('says what became of it: %j', async (answer, message) => {
    report = () => answer
    await expect(sessions.move('ab', 'echo-2')).rejects.toThrow(message)
    expect(orders).toHaveLength(1)
  })

  it.each([
    ['d', 'echo-2', 'there is no connection d; see hotpotato status --connections'],
    ['a', 'echo-2', `a is the beginning of 2 connections: ${ID('aa')}, ${ID('ab')}`],
    ['ab', 'echo-9', 'there is no container echo-9; those of echo are echo-1, echo-2, echo-4'],
    ['ab', 'echo-1', 'the connection is already in echo-1'],
    ['ab', 'hello-1', 'the connection is being served by echo: it can move to echo-1, echo-2, echo-4'],
    ['ab', 'echo-4', 'echo-4 takes no connections; its state is starting'],
  ])('of %s to %s is not ordered', async (prefix, container, message) => {
    await expect(sessions.move(prefix, container)).rejects.toThrow(message)
    expect(orders).toEqual([])
  })
})

describe('what is told of a connection, where the platform teaches', () => {
  const told = (more: Partial<Revelation>): Revelation => ({
    ...{ outcome: 'kept', generation: 0, detail: '', refused: false, state: undefined, envelope: undefined },
    ...more,
  })

  it('is the state before the move, what travelled, and the state after it', async () => {
    revelation = (id, target) =>
      target === undefined
        ? told({ state: new Uint8Array([id]) })
        : told({ ...moved(1), state: new Uint8Array([id]), envelope: new Uint8Array([7]) })
    expect(await sessions.move('aa', 'echo-2', true)).toEqual({
      ...{ connection: ID('aa'), from: 'echo-1', to: 'echo-2', generation: 1 },
      dump: { before: '01', envelope: '07', after: '02' },
    })
    expect(orders).toEqual([[1, 2]])
  })

  it('lacks what is not there: a session without TLS, a connection that has gone on', async () => {
    revelation = (_, target) =>
      target === undefined ? undefined : told({ ...moved(1), envelope: new Uint8Array([7]) })
    expect((await sessions.move('aa', 'echo-2', true)).dump).toEqual({ envelope: '07' })
  })

  it('is nothing where a container refuses: nothing moves, either', async () => {
    revelation = () => told({ refused: true })
    await expect(sessions.move('aa', 'echo-2', true)).rejects.toThrow(
      /^this platform was not started to teach/,
    )
    await expect(sessions.reveal('aa')).rejects.toThrow(/^this platform was not started to teach/)
    report = () => {
      throw new Error('it was ordered to move')
    }
    await expect(sessions.move('aa', 'echo-2', true)).rejects.toThrow(/not started to teach/)
  })

  it('is nothing of a connection that stays, or whose container is silent or dies', async () => {
    revelation = () => told({ detail: 'busy' })
    await expect(sessions.move('aa', 'echo-2', true)).rejects.toThrow('echo-2 refused it')
    revelation = () => undefined
    await expect(sessions.move('aa', 'echo-2', true)).rejects.toThrow('echo-1 is busy with it')
    await expect(sessions.reveal('aa')).rejects.toThrow('echo-1 does not answer')
    await expect(sessions.reveal('a')).rejects.toThrow('a is the beginning of 2 connections')
    await expect(sessions.reveal('f')).rejects.toThrow('there is no connection f')
    await expect(sessions.move('a', 'echo-2', true)).rejects.toThrow('is the beginning of 2 connections')
  })
})
