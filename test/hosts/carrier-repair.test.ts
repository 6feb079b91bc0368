import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FrontScene, front } from '../support/front-scene.ts'
import { eventually } from '../support/platform.ts'

/* Connections go from host to host as TCP itself: the host that has one answers its client directly. */

const FUNCTIONS = {
  a: '  echo: { hosts: [echo.local], replicas: 2 }\n  hello: { handler: ./broken.mjs }\n  echo-raw: {}\n',
  b: '  echo: { hosts: [echo.local] }\n  hello: {}\n  echo-raw: { handler: ./broken.mjs }\n',
}
const FILES = { 'broken.mjs': "throw new Error('not on this host')" }

describe.skipIf(!front.available)(`carrier repair between hosts (${front.note})`, () => {
  let scene: FrontScene
  beforeAll(async () => {
    scene = await FrontScene.start({ functions: FUNCTIONS, files: FILES })
  })
  afterAll(() => scene?.stop())

  const steeredIs = (count: number): Promise<unknown> =>
    eventually(() => scene.steered() === count || undefined, `not ${count} connections are steered`)

  /** How many connections have gone themselves, from either host. */
  async function lifted(): Promise<number> {
    const links = await Promise.all((['a', 'b'] as const).map(host => scene.platform(host).member('link')))
    return links.reduce((sum, { counters }) => sum + counters.lifted!, 0)
  }

  it('one of curl goes to the other host and back, over and over, and is one connection', async () => {
    const paths = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? '/echo-raw' : '/hello'))
    const answers = await scene.curl(...paths)
    expect(answers.map(one => one.replace(/-\d+/, ''))).toEqual(
      paths.map((path, i) => `200 ${path.slice(1)} ${i === 0 ? 1 : 0}`),
    )
    expect(await lifted()).toBe(paths.length - 1)
    expect(scene.counted('client', 'TcpEstabResets')).toBe(0)
    await steeredIs(0)
  })

  it('openssl s_client goes there and back by the command, and leaves no way behind', async () => {
    const client = scene.openssl()
    expect(await client.asks()).toMatch(/^echo-/)
    const id = (await scene.connections('a'))[0]!.id
    for (let round = 0; round < 3; round++) {
      expect(await scene.move('a', 'b/echo-1')).toBe('')
      expect(await client.asks()).toBe('echo-1')
      expect(scene.steered()).toBe(1)
      expect(await scene.connections('a')).toEqual([])
      expect(await scene.connections('b')).toMatchObject([{ id, container: 'echo-1' }])
      expect((await scene.platform('a').member('link')).counters).toMatchObject({
        connections: 0,
        inCustody: 0,
      })
      expect(await scene.move('b', 'a/echo-2')).toBe('')
      expect(await client.asks()).toBe('echo-2')
      expect(scene.steered()).toBe(0)
    }
    expect(await scene.move('a', 'b/echo-1')).toBe('')
    await client.end()
    // The host that had it says that it has ended.
    await steeredIs(0)
    expect(scene.counted('client', 'TcpEstabResets')).toBe(0)
  })
})
