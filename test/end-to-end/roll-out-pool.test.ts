import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Command } from '../../src/cli/platform/control-socket.ts'
import type { PlatformStatus } from '../../src/cli/platform/status.ts'
import { Client, textOf } from '../support/client.ts'
import { OPENSSL, OPENSSL_NOTE, OpenSsl } from '../support/interop/openssl.ts'
import { CARRIER, eventually, hotpotato, makeDirectory, Platform } from '../support/platform.ts'

const HANDLER = (text: string) => `export default { fetch: () => new Response(${JSON.stringify(text)}) }\n`
/** Answers when it may, so that a connection can be caught busy. */
const SLOW = `
import { existsSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
const go = new URL('./go', import.meta.url)
const fetch = async () => {
  while (!existsSync(go)) await setTimeout(20)
  return new Response('slept')
}
export default { fetch }
`
let platform: Platform
let directory: string

beforeAll(async () => {
  const config = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, requestBody: 300, container: 60 } }
liveness: { periodSeconds: 0.2, failureSeconds: 60, startSeconds: 300 }
restart: { firstSeconds: 0.02, mostSeconds: 0.4, healthySeconds: 1, crashLoop: 3 }
functions:
  echo: { replicas: { min: 3, max: 4 } }
  hello: { handler: ./version.mjs, replicas: 2 }
  slow: { handler: ./slow.mjs, certificate: resize, hosts: [resize.local], replicas: 2 }
`
  directory = await makeDirectory(config)
  writeFileSync(join(directory, 'version.mjs'), HANDLER('one'))
  writeFileSync(join(directory, 'slow.mjs'), SLOW)
  platform = await Platform.start({ directory, config })
})
afterAll(async () => {
  await platform?.stop()
  rmSync(directory, { recursive: true, force: true })
})

const open = (serverName = 'echo.local') =>
  Client.open({ port: platform.https, tls: { ca: platform.ca, serverName } })

const openMany = (count: number, serverName?: string) =>
  Promise.all(Array.from({ length: count }, () => open(serverName)))

const closeAll = (clients: readonly Client[]) => Promise.all(clients.map(client => client.close()))

const command = async (...args: string[]): Promise<string> => {
  const { stdout, stderr } = await hotpotato(directory, args)
  return stdout + stderr
}

/** Why a command is not carried out. */
const refusal = async (text: Command): Promise<string> =>
  (await platform.order<{ error: string }>(text)).error

async function connections(): Promise<NonNullable<PlatformStatus['connections']>> {
  return (await platform.order<PlatformStatus>('status connections')).connections!
}

/** Milliseconds between two requests of one client: what they meet needs the machine, too. */
const PAUSE = 5

/** Asks on one connection until it is told to stop. @returns the answers, in order */
function talk(
  client: Client,
  paths: readonly string[],
): () => Promise<{ container: string; hops: number }[]> {
  let over = false
  const run = (async () => {
    const answers: { container: string; hops: number }[] = []
    for (let i = 0; !over; i++) {
      const { status, container, hops } = await client.request(paths[i % paths.length]!)
      if (status !== 200) throw new Error(`status ${status} from ${container} for ${paths[i % paths.length]}`)
      answers.push({ container: container!, hops })
      await setTimeout(PAUSE)
    }
    return answers
  })()
  run.catch(() => {}) // it is looked at when it is awaited
  return () => {
    over = true
    return run
  }
}

/**
 * Opens one connection after the other, asks once on each, until it is told to stop. @returns how many were
 * answered
 */
function knock(): () => Promise<number> {
  let over = false
  const run = (async () => {
    let answered = 0
    while (!over) {
      const client = await open()
      const { status } = await client.request('/')
      if (status !== 200) throw new Error(`status ${status}`)
      await client.close()
      answered++
      await setTimeout(PAUSE)
    }
    return answered
  })()
  run.catch(() => {}) // it is looked at when it is awaited
  return () => {
    over = true
    return run
  }
}

/** The gateway hears of it with a heartbeat. */
const emptied = (name: string): Promise<unknown> =>
  platform.until(name, ({ counters }) => counters.connections === 0)

describe('new connections', () => {
  it('go to the container that has the fewest', async () => {
    const [first, at] = await eventually(async () => {
      const all = await openMany(6)
      const where = await Promise.all(all.map(client => client.request('/').then(one => one.container)))
      if (`${where.toSorted()}` === 'echo-1,echo-1,echo-2,echo-2,echo-3,echo-3') return [all, where] as const
      // What a container reports does not count what is on its way to it.
      await closeAll(all)
      await Promise.all(['echo-1', 'echo-2', 'echo-3'].map(emptied))
      return undefined
    }, 'they are not spread evenly')
    // Those of one container go, and the gateway hears of it with a heartbeat.
    const left = first.filter((_, index) => at[index] !== 'echo-2')
    await closeAll(first.filter(client => !left.includes(client)))
    await emptied('echo-2')
    await eventually(async () => {
      await setTimeout(500)
      const next = await openMany(2)
      const asked = next.map(client => client.request('/').then(({ container }) => container))
      const now = await Promise.all(asked)
      await closeAll(next)
      return now.every(container => container === 'echo-2') || undefined
    }, 'new connections do not go where the fewest are')
    await closeAll(left)
  })
})

describe('hotpotato status', () => {
  it('shows functions, replicas and connections, for machines and for people', async () => {
    const client = await open()
    await client.request('/')
    await client.request('/hello')
    const plain = await Client.open({ port: platform.http })
    await plain.request('/echo')
    const { stdout } = await hotpotato(directory, ['status', '--connections', '--json'])
    const status = JSON.parse(stdout) as PlatformStatus
    expect(status).toMatchObject({
      pid: platform.child.pid,
      ports: { http: platform.http, https: platform.https },
      functions: [
        { name: 'echo', min: 3, max: 4, replicas: 3, ready: 3, connections: 1 },
        { name: 'hello', min: 1, max: 64, replicas: 2, ready: 2, connections: 1 },
        { name: 'slow', replicas: 2, ready: 2, connections: 0 },
      ],
    })
    expect(status.members.map(({ name, state }) => `${name} ${state}`)).toContain('gateway ready')
    for (const { pid, age, restarts } of status.members) {
      expect(pid).toBeGreaterThan(1)
      expect(age).toBeGreaterThan(0)
      expect(restarts).toBe(0)
    }
    const list = status.connections!.toSorted((a, b) => a.hops - b.hops)
    expect(list).toMatchObject([
      { functionName: 'echo', generation: 0, hops: 0, requests: 1, state: 'idle', tls: false },
      {
        functionName: 'hello',
        generation: 1,
        hops: 1,
        requests: 2,
        state: 'idle',
        tls: true,
        serverName: 'echo.local',
        cipherSuite: client.session!.cipherSuite,
        protocol: 'http/1.1',
      },
    ])
    expect(list[0]!.id).toMatch(/^[0-9a-f]{32}$/)
    const text = await command('status', '--connections')
    expect(text).toMatch(/^FUNCTION +REPLICAS +READY +MIN +MAX +CONNECTIONS\necho +3 +3 +3 +4 +1\n/)
    const age = '(\\d+m)?\\d+s'
    expect(text).toMatch(new RegExp(`^hello-\\d +ready +\\d+ +${age} +0 +[01] `, 'm'))
    expect(text).toMatch(
      new RegExp(
        `^${list[1]!.id.slice(0, 8)} +hello-\\d +idle +${age} +2 +1 +1 +http/1.1 +echo.local +(AES|CHACHA)`,
        'm',
      ),
    )
    await closeAll([client, plain])
  })
})

describe('hotpotato move', () => {
  it('moves an idle connection at once, as often as one likes, and no other one', async () => {
    const [client, other] = (await openMany(2)) as [Client, Client]
    const { container } = await client.request('/')
    const { container: elsewhere } = await other.request('/')
    const { id } = (await connections()).find(one => one.container === container)!
    const next = ['echo-1', 'echo-2', 'echo-3'].find(name => name !== container && name !== elsewhere)!
    expect(await command('move', id.slice(0, 12), next)).toBe(
      `moved ${id} from ${container} to ${next}, generation 1\n`,
    )
    expect(await client.request('/')).toMatchObject({ status: 200, container: next, hops: 1 })
    expect(await command('move', id, container!)).toBe(
      `moved ${id} from ${next} to ${container}, generation 2\n`,
    )
    expect(await client.request('/')).toMatchObject({ container, hops: 2 })
    expect(await other.request('/')).toMatchObject({ container: elsewhere, hops: 0 })
    await closeAll([client, other])
  })

  it('moves a busy one when its response has been sent', async () => {
    const client = await open()
    const answer = client.request('/slow')
    const busy = await eventually(
      async () => (await connections()).find(one => one.functionName === 'slow' && one.state === 'busy'),
      'it is never busy',
    )
    const next = busy.container === 'slow-1' ? 'slow-2' : 'slow-1'
    const order = command('move', busy.id, next)
    await setTimeout(500)
    expect((await connections()).find(({ id }) => id === busy.id)).toMatchObject({
      container: busy.container,
      state: 'busy',
    })
    writeFileSync(join(directory, 'go'), '')
    const [moved, { container, body }] = await Promise.all([order, answer])
    expect(moved).toContain(`to ${next}, generation 2`)
    expect([container, textOf({ body })]).toEqual([busy.container, 'slept'])
    expect(await client.request('/slow')).toMatchObject({ container: next, hops: 2 })
    await client.close()
  })

  it('says why it does not', async () => {
    const clients = await openMany(20)
    const { container } = await clients[0]!.request('/')
    const list = await connections()
    const own = list.find(one => one.container === container)!
    expect(await refusal('move ffffffffffffffffffffffffffffffff echo-1')).toBe(
      'there is no connection ffffffffffffffffffffffffffffffff; see hotpotato status --connections',
    )
    const first = list.find(({ id }) => list.filter(other => other.id[0] === id[0]).length > 1)!.id[0]!
    expect(await refusal(`move ${first} echo-1`)).toMatch(
      /is the beginning of \d+ connections: [0-9a-f]{32}, /,
    )
    expect(await refusal(`move ${own.id} ${container}`)).toBe(`the connection is already in ${container}`)
    expect(await refusal(`move ${own.id} hello-1`)).toBe(
      'the connection is being served by echo: it can move to echo-1, echo-2, echo-3',
    )
    expect(await refusal(`move ${own.id} echo-9`)).toBe(
      'there is no container echo-9; those of echo are echo-1, echo-2, echo-3',
    )
    expect(await command('move', own.id)).toMatch(/^move needs the id/)
    expect(await command('move', 'xyz', 'echo-1')).toMatch(/^move needs the id/)
    expect((await clients[0]!.request('/')).container).toBe(container)
    await closeAll(clients)
  })
})

describe('hotpotato drain', () => {
  it('of two at once moves every connection once, to the one that stays', async () => {
    const clients = await openMany(30)
    const at = await Promise.all(
      clients.map(client => client.request('/').then(({ container }) => container)),
    )
    const busy = await openMany(4)
    const stops = busy.map(client => talk(client, ['/']))
    expect(await command('drain', 'echo-1', 'echo-2', 'echo-3')).toMatch(
      /^echo-1 is the only container of echo that would stay: /,
    )
    expect(await command('drain', 'echo-2', 'echo-3')).toMatch(
      /^moved \d+ connections?, ended echo-2, echo-3\n$/,
    )
    for (const [index, client] of clients.entries()) {
      const { container, hops } = await client.request('/')
      expect([container, hops]).toEqual(['echo-1', at[index] === 'echo-1' ? 0 : 1])
    }
    for (const stop of stops) expect((await stop()).at(-1)).toMatchObject({ container: 'echo-1' })
    expect(await platform.total('unclean')).toBe(0)
    expect(await command('scale', 'echo', '3')).toBe('started echo-2, echo-3\n')
    // By two that do not know of each other.
    const said = await Promise.all([command('drain', 'echo-1'), command('drain', 'echo-2')])
    for (const text of said) expect(text).toMatch(/^moved \d+ connections?, ended echo-[12]\n$/)
    for (const client of clients) expect((await client.request('/')).container).toBe('echo-3')
    expect(await platform.total('unclean')).toBe(0)
    await closeAll([...clients, ...busy])
    expect(await command('scale', 'echo', '3')).toBe('started echo-1, echo-2\n')
  })

  it.skipIf(OPENSSL === undefined)(`and deploy are not noticed by s_client: ${OPENSSL_NOTE}`, async () => {
    const client = new OpenSsl([
      ...['s_client', '-connect', `127.0.0.1:${platform.https}`, '-servername', 'hello.local'],
      ...['-CAfile', platform.caFile, '-verify_return_error', '-quiet', '-no_ign_eof', '-tls1_3'],
    ])
    const ask = async (): Promise<[string, string]> => {
      client.type('GET / HTTP/1.1\r\nHost: hello.local\r\n\r\n')
      const [, container] = await client.says(/x-hotpotato-container: (\S+)\r\n/)
      const [, hops] = await client.says(/x-hotpotato-hops: (\d+)\r\n/)
      await client.says(/\r\n\r\none/)
      return [container!, hops!]
    }
    const [first] = await ask()
    const drained = await command('drain', first)
    expect(drained).toBe(`moved 1 connection, ended ${first}\n`)
    const [second, hops] = await ask()
    expect([second === first, hops]).toEqual([false, '1'])
    expect(await command('deploy', 'hello')).toMatch(
      /^started hello-\d\nmoved 1 connection, ended hello-\d\n$/,
    )
    const [third, more] = await ask()
    expect([third === second, more]).toEqual([false, '2'])
    expect(await client.endInput().exitInTime()).toBe(0)
    expect(await command('scale', 'hello', '2')).toMatch(/^started hello-\d\n$/)
  })
})

describe('hotpotato deploy', () => {
  it('of several replicas under load moves every connection once, and no request fails', async () => {
    const old = (await platform.status()).filter(one => one.functionName === 'hello').map(({ name }) => name)
    const idle = await openMany(30, 'hello.local')
    for (const client of idle) expect(textOf(await client.request('/'))).toBe('one')
    const busy = await openMany(4, 'hello.local')
    const stops = busy.map(client => talk(client, ['/']))
    // And some that go to and fro between functions meanwhile.
    const wandering = await openMany(4)
    const stopsOfThose = wandering.map(client => talk(client, ['/echo', '/hello']))
    const stop = knock()
    writeFileSync(join(directory, 'version.mjs'), HANDLER('two'))
    expect(await command('deploy', 'hello')).toMatch(
      /^started hello-\d, hello-\d\nmoved \d+ connections?, ended /,
    )
    for (const client of idle) {
      const { body, hops, container } = await client.request('/')
      expect([textOf({ body }), hops]).toEqual(['two', 1])
      expect(old).not.toContain(container)
    }
    for (const over of stops) {
      const answers = await over()
      expect(answers.at(-1)!.hops).toBe(1)
      expect(old).not.toContain(answers.at(-1)!.container)
    }
    for (const over of stopsOfThose) expect((await over()).length).toBeGreaterThan(10)
    expect(await stop()).toBeGreaterThan(0)
    expect(await platform.total('unclean')).toBe(0)
    await closeAll([...idle, ...busy, ...wandering])
  })

  it('of a function that is being changed waits for its turn, and says so', async () => {
    const first = command('deploy', 'hello')
    await eventually(
      async () => ((await platform.status()).some(({ state }) => state === 'starting') ? true : undefined),
      'nothing starts',
    )
    expect(await refusal('deploy hello')).toBe('hello is already being changed; try again when that is over')
    expect(await first).toMatch(/^started /)
  })
})

describe('hotpotato scale', () => {
  it('stays within the bounds of the configuration', async () => {
    for (const count of [2, 5])
      expect(await refusal(`scale echo ${count}`)).toBe(
        `functions.echo.replicas allows 3 to 4 containers, not ${count}`,
      )
    expect(await command('scale', 'echo', '4')).toBe('started echo-4\n')
    expect(await command('scale', 'echo', '3')).toBe('moved 0 connections, ended echo-4\n')
  })
})

describe('a container that cannot start', () => {
  it('is crash-looping, is tried again slowly, and is ready when it can', async () => {
    writeFileSync(join(directory, 'version.mjs'), 'this is no JavaScript')
    const name = (await platform.status()).find(one => one.functionName === 'hello')!.name
    await platform.kill(name)
    const looping = await platform.until(name, ({ state }) => state === 'crash-looping')
    expect(looping.restarts).toBeGreaterThanOrEqual(3)
    expect(looping.ready).toBe(false)
    await platform.until(name, ({ restarts }) => restarts > looping.restarts)
    expect(await command('status')).toMatch(new RegExp(`^${name} +crash-looping `, 'm'))
    // Who started the platform sees it, too.
    const notice = `hotpotato: ${name} cannot start: `
    await eventually(() => (platform.welcome.includes(notice) ? true : undefined), 'it is not said')
    expect(platform.welcome).toMatch(new RegExp(`^hotpotato: ${name} ended; .*SIGKILL`, 'm'))
    // The others serve meanwhile.
    const client = await open('hello.local')
    expect((await client.request('/')).status).toBe(200)
    await client.close()
    writeFileSync(join(directory, 'version.mjs'), HANDLER('three'))
    await platform.until(name, ({ state, ready }) => state === 'ready' && ready)
  })
})

describe('the gateway', () => {
  it('is relieved by a new one while clients come and go, and no connection is refused', async () => {
    const { pid } = await platform.member('gateway')
    const established = await open()
    await established.request('/')
    // Half a ClientHello: it is finished where it began.
    const stops = [knock(), knock(), knock()]
    await setTimeout(100)
    expect(await command('restart', 'gateway')).toBe('started gateway\nmoved 0 connections, ended gateway\n')
    const next = await platform.member('gateway')
    expect(next).toMatchObject({ state: 'ready', restarts: 0 })
    expect(next.pid).not.toBe(pid)
    for (const stop of stops) expect(await stop()).toBeGreaterThan(0)
    expect((await established.request('/')).status).toBe(200)
    await established.close()
    expect(await command('restart', 'echo')).toBe(
      'restart needs the word gateway; for containers there is deploy; "echo" does not fit\n',
    )
  })

  it('is followed by another when it is told to end, and what is opening there goes on', async () => {
    const { pid } = await platform.member('gateway')
    const halfway = await Client.open({ port: platform.http })
    const request = halfway.requestBytes('/hello')
    halfway.write(request.subarray(0, 10))
    await setTimeout(100)
    const stop = knock()
    process.kill(pid!, 'SIGTERM')
    await eventually(
      async () =>
        (await platform.status()).some(one => one.name === 'gateway' && one.ready && one.pid !== pid)
          ? true
          : undefined,
      'no other gateway comes',
    )
    halfway.write(request.subarray(10))
    expect((await halfway.answer()).status).toBe(200)
    await eventually(
      async () => ((await platform.status()).some(one => one.pid === pid) ? undefined : true),
      'the old gateway stays',
    )
    expect(await stop()).toBeGreaterThan(0)
    await halfway.close()
  })

  it('leaves its ports open when it is killed: who comes then waits a moment', async () => {
    // Whose socket the gateway has, he goes with it.
    const established = CARRIER === 'fd' ? [await open()] : []
    for (const client of established) await client.request('/')
    const { pid } = await platform.member('gateway')
    await platform.kill('gateway')
    const clients = await openMany(5)
    for (const client of [...established, ...clients]) expect((await client.request('/')).status).toBe(200)
    expect((await platform.until('gateway', ({ ready }) => ready)).pid).not.toBe(pid)
    await closeAll([...established, ...clients])
    await platform.idle()
  })
})
