import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { poolOf } from '../../src/cli/platform/pool.ts'
import type { PlatformStatus } from '../../src/cli/platform/status.ts'
import { LIFE_CYCLE } from '../../src/supervisor/life-cycle.ts'
import { Client, field, textOf } from '../support/client.ts'
import { environmentOf, eventually, hotpotato, MAIN, Platform } from '../support/platform.ts'
import { seeded } from '../support/random.ts'

/** How often a sub-server is killed, or stopped. */
const ROUNDS = process.env.HOTPOTATO_LONG === undefined ? 3 : 40
const DOCS = fileURLToPath(new URL('../../docs', import.meta.url))
let platform: Platform
beforeAll(async () => {
  platform = await Platform.start({
    config: `
gateway: { defaultFunction: echo }
liveness: { startSeconds: 300, periodSeconds: 0.5, failureSeconds: 12 }
restart: { firstSeconds: 10ms, mostSeconds: 200ms }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: {}
  files: { files: ${DOCS}, replicas: { min: 2, max: 3 } }
  hello: { replicas: { min: 1, max: 3, connections: 2 } }
`,
    certificates: ['echo', 'files', 'hello'].map(name => ({ name, hosts: [`${name}.local`] })),
  })
})
afterAll(() => platform?.stop())

it('a connection comes to the pages and goes on, and each sub-server answers the same', async () => {
  const client = await Client.open({
    port: platform.https,
    tls: { ca: platform.ca, serverName: 'echo.local' },
  })
  const hops: (string | undefined)[] = []
  for (const path of ['/echo', '/files/moves.md', '/echo', '/files/moves.md?raw', '/files/']) {
    const answer = await client.request(path)
    expect([path, answer.status]).toEqual([path, 200])
    hops.push(field(answer, 'x-hotpotato-hops'))
    if (path === '/files/moves.md') expect(textOf(answer)).toContain('<h1 id="how-a-connection-moves">')
    if (path.endsWith('raw')) expect(textOf(answer)).toMatch(/^# How a connection moves\n/)
  }
  expect(hops).toEqual(['0', '1', '2', '3', '3'])
  client.close()
})

it('a sub-server that is killed is replaced, and the pool says so while it is watched', async () => {
  const args = ['status', 'files', '--watch', '--config', `${platform.directory}/hotpotato.yml`]
  const watch = spawn(process.execPath, [MAIN, ...args], { env: environmentOf(platform.directory) })
  const ended = once(watch, 'exit')
  let said = ''
  const saw = (pattern: RegExp): Promise<void> =>
    new Promise(resolve => {
      const look = (): void => {
        if (pattern.test(said)) resolve()
      }
      watch.stdout.on('data', look)
      look()
    })
  watch.stdout.setEncoding('utf8').on('data', text => {
    said += text
  })
  await saw(/files: 2 of 2 ready, 2 to 3 allowed/)
  await platform.kill('files-1')
  await saw(/files-1 {2}ready → backing-off {2}end \(SIGKILL\) again in \S+\n(.*\n)*.*1 {2}starting → ready/)
  watch.kill('SIGINT')
  await ended
})

it('broken as it may be, it makes no step that the table has not, and is whole again', {
  timeout: ROUNDS * 30_000,
}, async () => {
  const random = seeded(41)
  const look = async () => poolOf(await platform.order<PlatformStatus>('status'), 'files')
  const before = (await look()).changes.at(-1)?.number ?? 0
  for (let round = 0; round < ROUNDS; round++) {
    // One that is stopped does not react: the platform has to find out. A start has more time.
    const stops = round % 3 === 1
    const victims = await eventually(async () => {
      const { members } = await look()
      const found = members.filter(({ pid, ready }) => pid !== undefined && (ready || !stops))
      return found.length > 0 ? found : undefined
    }, 'there is no sub-server')
    const { pid, name } = victims[random(1)[0]! % victims.length]!
    process.kill(pid!, stops ? 'SIGSTOP' : 'SIGKILL')
    await platform.until(name, one => one.pid !== pid)
  }
  const whole = await eventually(async () => {
    const pool = await look()
    return pool.members.every(({ ready }) => ready) ? pool : undefined
  }, 'the pool is not whole again')
  expect(whole.members.length).toBe(2)
  const changes = whole.changes.filter(({ number }) => number > before)
  expect(changes.filter(({ event }) => event === 'end' || event === 'loop').length).toBeGreaterThanOrEqual(
    ROUNDS,
  )
  const stands = new Map<string, string>()
  for (const { name, from, event, to } of changes) {
    expect([name, event, to]).toEqual([name, event, LIFE_CYCLE[from][event]])
    expect([name, from]).toEqual([name, stands.get(name) ?? from])
    stands.set(name, to)
  }
})

it('there are never fewer or more of them than the configuration says', async () => {
  const less = await hotpotato(platform.directory, ['scale', 'files', '1'])
  const more = await hotpotato(platform.directory, ['scale', 'files', '4'])
  expect([less.code, less.stderr]).toEqual([1, expect.stringContaining('2')])
  expect([more.code, more.stderr]).toEqual([1, expect.stringContaining('3')])
  const unknown = await hotpotato(platform.directory, ['status', 'flies'])
  expect([unknown.code, unknown.stderr]).toEqual([1, 'there is no function flies; did you mean files?\n'])
})

it('a pool that follows its connections grows with them, and no further than it may', async () => {
  const open = () =>
    Client.open({ port: platform.https, tls: { ca: platform.ca, serverName: 'hello.local' } })
  const clients = await Promise.all(Array.from({ length: 7 }, open))
  for (const client of clients) expect((await client.request('/')).status).toBe(200)
  await platform.until('hello-3', ({ ready }) => ready)
  const names = (await platform.status()).map(({ name }) => name)
  expect(names.filter(name => name.startsWith('hello'))).toEqual(['hello-1', 'hello-2', 'hello-3'])
  // Those that are there stay where they are; only new ones go to the new containers.
  for (const client of clients) {
    expect((await client.request('/')).status).toBe(200)
    client.close()
  }
})
