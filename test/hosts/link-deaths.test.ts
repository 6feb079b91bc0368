import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { FrontScene, front, type HostName, type OpensslClient } from '../support/front-scene.ts'
import { eventually } from '../support/platform.ts'

/*
 * A link is killed while a connection goes to another host as TCP itself. What is to be waited for stands
 * still first (SIGSTOP), so that the move has come to it.
 */

const FUNCTIONS = {
  a: '  echo: { hosts: [echo.local], replicas: 2 }\n',
  b: '  echo: { hosts: [echo.local] }\n  hello: {}\n',
}

describe.skipIf(!front.available)(`a link dies in a move by repair (${front.note})`, () => {
  let scene: FrontScene
  beforeAll(async () => {
    scene = await FrontScene.start({ functions: FUNCTIONS })
  })
  afterAll(() => scene?.stop())
  beforeEach(() => scene.met())
  const clients: OpensslClient[] = []
  const stopped = new Set<number>()
  let slow = false
  afterEach(async () => {
    for (const pid of stopped) process.kill(pid, 'SIGCONT')
    stopped.clear()
    for (const one of clients.splice(0)) await one.end()
    for (const host of ['a', 'b'] as const) await connectionsAre(host, 0)
    if (!slow) await scene.steers(0)
  })

  const connectionsAre = (host: HostName, count: number): Promise<unknown> =>
    eventually(
      async () => (await scene.connections(host)).length === count || undefined,
      `host ${host} has not ${count} connections`,
    )

  async function client(): Promise<OpensslClient> {
    const one = scene.openssl()
    clients.push(one)
    expect(await one.asks()).toMatch(/^echo-/)
    expect(await scene.connections('a')).toHaveLength(1)
    return one
  }

  async function stands(host: HostName, name: string): Promise<number> {
    const pid = await scene.pid(host, name)
    process.kill(pid, 'SIGSTOP')
    stopped.add(pid)
    return pid
  }

  function goesOn(pid: number): void {
    stopped.delete(pid)
    process.kill(pid, 'SIGCONT')
  }

  /** @returns to wait for its successor: not while another process of its host stands still */
  async function kills(host: HostName, name: string): Promise<() => Promise<unknown>> {
    const pid = await scene.pid(host, name)
    stopped.delete(pid)
    process.kill(pid, 'SIGKILL')
    return () => scene.platform(host).until(name, member => member.pid !== pid && member.ready)
  }

  /** The link of that host, before the verdict, and then the container that was to get it. */
  async function bothDie(host: HostName, one: OpensslClient): Promise<void> {
    await stands('b', 'echo-1')
    const moving = scene.move('a', 'b/echo-1')
    await scene.steers(1)
    const restarted = [await kills(host, 'link')]
    expect(await moving).toMatch(/cannot tell/)
    restarted.push(await kills('b', 'echo-1'))
    expect(await one.asks()).toBeUndefined()
    for (const waits of restarted) await waits()
  }

  it.each(['a', 'b'] as const)('that of %s, before the verdict: the connection goes on at b', async host => {
    const one = await client()
    const container = await stands('b', 'echo-1')
    const moving = scene.move('a', 'b/echo-1')
    await scene.steers(1)
    const restarted = await kills(host, 'link')
    // The container that offered it cannot tell, has given it up, and does not speak for it.
    expect(await moving).toMatch(/cannot tell/)
    await connectionsAre('a', 0)
    const asked = one.asks()
    goesOn(container)
    expect(await asked).toBe('echo-1')
    await connectionsAre('b', 1)
    await restarted()
    await scene.met()
    expect(scene.steered()).toBe(1)
    expect(await one.asks()).toBe('echo-1')
    await one.end()
  })

  it('that of a, and the container that was to get it: it ends', async () => {
    const one = await client()
    await bothDie('a', one)
  })

  it('that of b, before it has begun with it: it goes on where it was', async () => {
    const one = await client()
    await stands('b', 'link')
    const moving = scene.move('a', 'b/echo-1')
    await scene.platform('a').until('link', ({ counters }) => counters.inCustody === 1)
    const restarted = await kills('b', 'link')
    expect(await moving).not.toBe('')
    expect(await one.asks()).toMatch(/^echo-/)
    await connectionsAre('a', 1)
    await restarted()
  })

  it('that of a, before it has begun with it: it ends', async () => {
    const one = await client()
    await stands('a', 'link')
    const moving = scene.move('a', 'b/echo-1')
    await connectionsAre('a', 1)
    const restarted = await kills('a', 'link')
    expect(await moving).toMatch(/cannot tell/)
    expect(await one.asks()).toBeUndefined()
    await connectionsAre('b', 0)
    await restarted()
  })

  it('that of b, and the container that was to get it: it ends', async () => {
    const one = await client()
    await bothDie('b', one)
    // Its kernel says FIN until it gives up, since it hears no answer: steered so long, it is the last case.
    slow = true
  })
})
