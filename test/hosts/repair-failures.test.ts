import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { FrontScene, front, type HostName, type OpensslClient } from '../support/front-scene.ts'
import { eventually } from '../support/platform.ts'

/*
 * What fails while a connection goes to another host as TCP itself, and afterwards. What is to fail stands
 * still first (SIGSTOP), so that the move has come to it, and is killed then.
 */

const FUNCTIONS = {
  a: '  echo: { hosts: [echo.local], replicas: 2 }\n',
  b: '  echo: { hosts: [echo.local] }\n  hello: {}\n',
}

describe.skipIf(!front.available)(`what fails in a move by repair (${front.note})`, () => {
  let scene: FrontScene
  beforeAll(async () => {
    scene = await FrontScene.start({ functions: FUNCTIONS })
  })
  afterAll(() => scene?.stop())
  beforeEach(() => scene.met())
  const clients: OpensslClient[] = []
  afterEach(async () => {
    for (const one of clients.splice(0)) await one.end()
    const none = async (): Promise<true | undefined> =>
      [...(await scene.connections('a')), ...(await scene.connections('b'))].length === 0 || undefined
    await eventually(none, 'a connection stays behind')
    await scene.steers(0)
  })

  const lifted = async (host: HostName): Promise<number> =>
    (await scene.platform(host).member('link')).counters.lifted!

  /** A client whose connection is with host a. */
  async function client() {
    const one = scene.openssl()
    clients.push(one)
    expect(await one.asks()).toMatch(/^echo-/)
    expect(await scene.connections('a')).toHaveLength(1)
    return one
  }

  it.each(['a', 'b'] as const)('netd of %s dies as it is asked: the connection lives', async host => {
    const one = await client()
    const before = await lifted('a')
    scene.netd(host).kill('SIGSTOP')
    const moving = scene.move('a', 'b/echo-1')
    await sleep(500)
    await scene.killNetd(host)
    const [said, answer] = [await moving, await one.asks()]
    // By relay, or it stays.
    expect([said === '', answer === 'echo-1' && (await scene.connections('a')).length === 0]).toEqual(
      said === '' ? [true, true] : [false, false],
    )
    expect(await lifted('a')).toBe(before)
    expect(await one.asks()).toBe(answer)
    await one.end()
    await scene.startNetd(host)
  })

  it('the container that is to get it dies before it hears: it goes on where it was', async () => {
    const one = await client()
    const pid = await scene.pid('b', 'echo-1')
    process.kill(pid, 'SIGSTOP')
    const moving = scene.move('a', 'b/echo-1')
    await scene.steers(1)
    process.kill(pid, 'SIGKILL')
    expect(await moving).not.toBe('')
    expect(await one.asks()).toMatch(/^echo-/)
    expect(await scene.connections('a')).toHaveLength(1)
    expect(scene.steered()).toBe(0)
    await one.end()
  })

  it('etcd dies: nothing is taken, and it moves when there is one again', async () => {
    const one = await client()
    await scene.killEtcd()
    expect(await scene.move('a', 'b/echo-1')).not.toBe('')
    expect(await one.asks()).toMatch(/^echo-/)
    expect(await scene.connections('a')).toHaveLength(1)
    await scene.startEtcd()
    await scene.platform('a').until('link', ({ counters }) => counters.etcdAway === 0)
    await scene.platform('b').until('link', ({ counters }) => counters.etcdAway === 0)
    expect(await scene.move('a', 'b/echo-1')).toBe('')
    expect(await one.asks()).toBe('echo-1')
    await one.end()
  })

  it('the links die when it has arrived: it goes on, and comes back', async () => {
    const one = await client()
    const before = await lifted('a')
    expect(await scene.move('a', 'b/echo-1')).toBe('')
    expect(await lifted('a')).toBe(before + 1)
    for (const host of ['b', 'a'] as const) {
      const pid = await scene.pid(host, 'link')
      process.kill(pid, 'SIGKILL')
      expect(await one.asks()).toBe('echo-1')
      await scene.platform(host).until('link', member => member.pid !== pid && member.ready)
      await scene.met()
    }
    expect(await one.asks()).toBe('echo-1')
    expect(await scene.move('b', 'a/echo-2')).toBe('')
    expect(await one.asks()).toBe('echo-2')
    expect(await scene.connections('a')).toHaveLength(1)
    await one.end()
    await scene.steers(0)
  })

  it('its container dies later: it ends', async () => {
    const one = await client()
    expect(await scene.move('a', 'b/echo-1')).toBe('')
    process.kill(await scene.pid('b', 'echo-1'), 'SIGKILL')
    await eventually(() => one.ended || undefined, 'the client does not see an end')
    await scene.steers(0)
  })
})
