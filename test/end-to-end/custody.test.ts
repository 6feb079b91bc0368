import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Command, sendCommand } from '../../src/cli/platform/control-socket.ts'
import type { PlatformStatus } from '../../src/cli/platform/status.ts'
import { utf8 } from '../../src/wire/index.ts'
import { type Answer, Client, type Ending, textOf } from '../support/client.ts'
import { OPENSSL, OPENSSL_NOTE, OpenSsl } from '../support/interop/openssl.ts'
import { LONG } from '../support/long.ts'
import { eventually, isRunning, limitDescriptors, makeDirectory, Platform } from '../support/platform.ts'

/*
 * A process dies in the middle of a planned move, in every state of `CUSTODY`, on both roads: the connection
 * goes on, or ends in a way that is counted, and what it asked is never answered by two. The target is
 * stopped, so that the source is frozen with its parcel underway.
 */
const CARRIERS = ['fd', 'relay'] as const
type Carrier = (typeof CARRIERS)[number]

const CONFIG = (carrier: Carrier) => `
version: 1
carrier: ${carrier}
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
connection:
  requests: 1000000
  verdictSeconds: 5
  timers: { keepAlive: 300, headers: 300, requestBody: 300 }
liveness: { startSeconds: 300, periodSeconds: 1, failureSeconds: 60 }
restart: { firstSeconds: 0.02, mostSeconds: 0.2, healthySeconds: 0.5, crashLoop: 50 }
functions:
  echo: { handler: ./act.mjs, replicas: 3 }
  hello: { handler: ./act.mjs, replicas: 2 }
`
const dist = (path: string): string => fileURLToPath(new URL(`../../dist/src/${path}`, import.meta.url).href)
/**
 * Notes that it was begun, and does what its query says: \`crash\`, once for each id, before anything has
 * left; \`twice\`: the next parcel that leaves this container is sent two times, byte for byte, with its
 * descriptor.
 */
const ACT = `
import { appendFileSync, readFileSync } from 'node:fs'
import { NativeChannel } from ${JSON.stringify(dist('transfer/channels/native.js'))}
const ledger = new URL('./ledger', import.meta.url)
const { send } = NativeChannel.prototype
function sendTwice(to, payload, descriptors = []) {
  if (descriptors.length > 0) {
    delete NativeChannel.prototype.send
    send.call(this, to, payload, descriptors)
  }
  return send.call(this, to, payload, descriptors)
}
export default {
  handle({ query: text, body }, context) {
    const query = new URLSearchParams(text)
    const id = query.get('id')
    const before = readFileSync(ledger, 'utf8').split('\\n').filter(one => one === id).length
    appendFileSync(ledger, id + '\\n')
    if (query.has('crash') && before === 0) process.kill(process.pid, 'SIGKILL')
    if (query.has('twice')) NativeChannel.prototype.send = sendTwice
    return { status: 200, headers: [], body: new TextEncoder().encode(id + ' ' + body.length + '\\n') }
  },
}
`

/** A platform of one carrier, and what these tests do with it. */
class Scene {
  readonly carrier: Carrier
  readonly directory: string
  readonly platform: Platform
  readonly #stopped = new Set<number>()

  static async start(carrier: Carrier): Promise<Scene> {
    const directory = await makeDirectory(CONFIG(carrier))
    writeFileSync(join(directory, 'act.mjs'), ACT)
    writeFileSync(join(directory, 'ledger'), '')
    const platform = await Platform.start({ directory, environment: { HOTPOTATO_CARRIER: '' } })
    return new Scene(carrier, directory, platform)
  }

  private constructor(carrier: Carrier, directory: string, platform: Platform) {
    this.carrier = carrier
    this.directory = directory
    this.platform = platform
  }

  async stop(): Promise<void> {
    for (const pid of this.#stopped) this.signal(pid, 'SIGCONT')
    await this.platform.stop()
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** How often the function has begun with a request. */
  begun(id: string): number {
    const lines = readFileSync(join(this.directory, 'ledger'), 'utf8').split('\n')
    return lines.filter(one => one === id).length
  }

  /** All containers are there, none has a connection, and siblings know each other's keys. */
  async whole(): Promise<void> {
    await this.platform.idle()
    for (const [functionName, replicas] of [
      ['echo', 3],
      ['hello', 2],
    ] as const)
      await eventually(async () => {
        const mine = (await this.platform.status()).filter(one => one.functionName === functionName)
        return mine.filter(one => one.ready && one.counters.keyRing! >= replicas).length === replicas
          ? true
          : undefined
      }, `${functionName} is not whole again`)
  }

  async client(tls = true): Promise<Client> {
    const { https, http, ca } = this.platform
    const client = await Client.open(
      tls ? { port: https, tls: { ca, serverName: 'echo.local' } } : { port: http },
    )
    expect((await client.request('/echo?id=first')).status).toBe(200)
    return client
  }

  command<T = unknown>(command: Command): Promise<T & { error?: string }> {
    return sendCommand(join(this.directory, 'run', 'control.sock'), command) as Promise<
      T & { error?: string }
    >
  }

  async pid(name: string): Promise<number> {
    return (await this.platform.member(name)).pid!
  }

  signal(pid: number, signal: NodeJS.Signals): void {
    if (signal === 'SIGSTOP') this.#stopped.add(pid)
    else this.#stopped.delete(pid)
    if (isRunning(pid)) process.kill(pid, signal)
  }

  /** Ends a process, and waits until it is gone. */
  async kill(pid: number): Promise<void> {
    this.signal(pid, 'SIGKILL')
    await eventually(() => (isRunning(pid) ? undefined : true), `${pid} does not end`)
  }

  /**
   * Orders all connections that there are, all of them in one container, to move to another one, which is
   * stopped: the first one has them frozen, and waits for verdicts.
   */
  async freeze(): Promise<{ source: string; sourcePid: number; target: string; targetPid: number }> {
    const { connections = [] } = await this.command<PlatformStatus>('status connections')
    const source = connections[0]!.container
    const target = ['echo-1', 'echo-2', 'echo-3'].find(name => name !== source)!
    // They were spread over all containers: first they come together.
    for (const { id, container } of connections)
      if (container !== source) expect((await this.command(`move ${id} ${source}`)).error).toBeUndefined()
    const pids = { sourcePid: await this.pid(source), targetPid: await this.pid(target) }
    this.signal(pids.targetPid, 'SIGSTOP')
    for (const { id } of connections) void this.command(`move ${id} ${target}`).catch(() => {})
    await eventually(async () => {
      const { counters } = await this.platform.member(source)
      return counters.inCustody === connections.length ? true : undefined
    }, 'nothing is frozen')
    return { source, target, ...pids }
  }
}

const scenes: Scene[] = []
beforeAll(async () => {
  // If one does not come up, the other one is to be stopped all the same.
  const starts = await Promise.allSettled(CARRIERS.map(carrier => Scene.start(carrier)))
  for (const start of starts) if (start.status === 'fulfilled') scenes.push(start.value)
  for (const start of starts) if (start.status === 'rejected') throw start.reason
})
afterAll(async () => {
  await Promise.all(scenes.map(scene => scene.stop()))
})

/** One case, on both roads at the same time, since most of it is waiting. */
function both(name: string, run: (scene: Scene) => Promise<void>, isTried = true): void {
  it.runIf(isTried)(name, async () => {
    const runs = scenes.map(async scene => {
      await scene.whole()
      try {
        await run(scene)
      } catch (error) {
        if (error instanceof Error) error.message = `${scene.carrier}: ${error.message}`
        throw error
      }
    })
    for (const result of await Promise.allSettled(runs)) if (result.status === 'rejected') throw result.reason
  })
}

/** FIN or reset, and nothing that looks like an orderly end. */
async function endedShort(client: Client): Promise<void> {
  const { closeNotify, alert } = await client.ended
  expect({ closeNotify, alert }).toEqual({ closeNotify: false, alert: undefined })
  client.socket.destroy()
}

async function closesInOrder(client: Client): Promise<void> {
  const ending: Ending = await client.close()
  expect(ending).toEqual({ closeNotify: client.session !== undefined, alert: undefined, error: undefined })
  if (client.session !== undefined) expect(client.handshakes).toBe(1)
}

/** The same session goes on. */
async function goesOn(client: Client): Promise<void> {
  expect((await client.request('/echo?id=after')).status).toBe(200)
  await closesInOrder(client)
}

/** A GET, a POST and a connection without TLS, whose requests come while they are frozen. */
interface Three {
  readonly clients: readonly [get: Client, post: Client, plain: Client]
  readonly answers: readonly Promise<Answer>[]
  readonly ids: readonly [get: string, post: string, plain: string]
}

async function openThree(scene: Scene): Promise<Three['clients']> {
  return [await scene.client(), await scene.client(), await scene.client(false)]
}

function askThree(clients: Three['clients'], name: string): Three {
  const ids = [`${name}-get`, `${name}-post`, `${name}-plain`] as const
  const [get, post, plain] = clients
  const answers = [
    get.request(`/echo?id=${ids[0]}`),
    post.request(`/echo?id=${ids[1]}`, { body: utf8('body') }),
    plain.request(`/echo?id=${ids[2]}`),
  ]
  for (const answer of answers) answer.catch(() => {})
  return { clients, answers, ids }
}

/**
 * They end without a word over `fd`, and without TLS; relayed ones go on, but for what may have had effects.
 */
async function expectCrash({ carrier }: Scene, { clients, answers }: Three): Promise<void> {
  const [get, post, plain] = clients
  await endedShort(plain)
  await expect(answers[2]).rejects.toThrow()
  if (carrier === 'fd') {
    await endedShort(get)
    await endedShort(post)
    return
  }
  expect((await answers[0]!).status).toBe(200)
  const refusal = await answers[1]!
  expect([refusal.status, textOf(refusal)]).toEqual([503, expect.stringContaining('it is unknown whether')])
  await goesOn(get)
  await goesOn(post)
}

describe('while a connection is frozen', () => {
  both('its target is killed', async scene => {
    const clients = await openThree(scene)
    const { source, targetPid } = await scene.freeze()
    const three = askThree(clients, 'target')
    const before = (await scene.platform.member(source)).counters.unclean!
    await scene.kill(targetPid)
    await expectCrash(scene, three)
    expect(three.ids.map(id => scene.begun(id))).toEqual(scene.carrier === 'fd' ? [0, 0, 0] : [1, 0, 0])
    const { counters } = await scene.platform.member(source)
    expect(counters.unclean! - before).toBe(scene.carrier === 'fd' ? 3 : 1)
  })

  both('its source is killed, and the target goes on', async scene => {
    const clients = await openThree(scene)
    const { sourcePid, target, targetPid } = await scene.freeze()
    const { answers, ids } = askThree(clients, 'source')
    await scene.kill(sourcePid)
    scene.signal(targetPid, 'SIGCONT')
    for (const answer of await Promise.all(answers)) {
      expect(answer).toMatchObject({ status: 200, container: target })
      expect(answer.hops).toBeGreaterThan(0)
    }
    expect(ids.map(id => scene.begun(id))).toEqual([1, 1, 1])
    for (const client of clients) await goesOn(client)
  })

  both('its source is killed, and then its target', async scene => {
    const clients = await openThree(scene)
    const { sourcePid, targetPid } = await scene.freeze()
    const three = askThree(clients, 'both')
    await scene.kill(sourcePid)
    await scene.kill(targetPid)
    await expectCrash(scene, three)
    expect(three.ids.map(id => scene.begun(id))).toEqual(scene.carrier === 'fd' ? [0, 0, 0] : [1, 0, 0])
  })

  both('the gateway is killed, and the target goes on', async scene => {
    const clients = await openThree(scene)
    const { target, targetPid } = await scene.freeze()
    const { answers, ids } = askThree(clients, 'gateway')
    await scene.platform.kill('gateway')
    scene.signal(targetPid, 'SIGCONT')
    if (scene.carrier === 'fd') {
      for (const answer of await Promise.all(answers))
        expect(answer).toMatchObject({ status: 200, container: target })
      for (const client of clients) await goesOn(client)
    } else for (const client of clients) await endedShort(client)
    for (const id of ids) expect(scene.begun(id)).toBeLessThanOrEqual(1)
    await scene.platform.until('gateway', ({ ready }) => ready)
    await goesOn(await scene.client())
  })

  both('no verdict comes in time, and the target goes on when it is too late', async scene => {
    const clients = await openThree(scene)
    const { source, target, targetPid } = await scene.freeze()
    const before = (await scene.platform.member(source)).counters.unclean!
    const three = askThree(clients, 'late')
    await scene.platform.until(source, ({ counters }) => counters.inCustody === 0)
    // It finds connections in its inbox that are dead, and may begin what they ask; no client hears of that.
    scene.signal(targetPid, 'SIGCONT')
    await expectCrash(scene, three)
    await scene.whole()
    const [get, post, plain] = three.ids.map(id => scene.begun(id))
    expect(get).toBeLessThanOrEqual(scene.carrier === 'fd' ? 1 : 2)
    expect(post).toBeLessThanOrEqual(1)
    expect(plain).toBeLessThanOrEqual(1)
    expect((await scene.platform.member(target)).pid).toBe(targetPid)
    const { counters } = await scene.platform.member(source)
    expect(counters.unclean! - before).toBe(scene.carrier === 'fd' ? 3 : 1)
  })
})

describe('when the target has taken the connection', () => {
  both('it dies before its verdict has left, over the request that made it move', async scene => {
    const unclean = await scene.platform.total('unclean')
    const get = await scene.client()
    const answer = get.request('/hello?id=over-get&crash')
    if (scene.carrier === 'fd') {
      await expect(answer).rejects.toThrow()
      await endedShort(get)
      expect(scene.begun('over-get')).toBe(1)
      expect(await scene.platform.total('unclean')).toBe(unclean + 1)
      return
    }
    expect((await answer).status).toBe(200)
    expect(scene.begun('over-get')).toBe(2)
    await goesOn(get)
    await scene.whole()
    const post = await scene.client()
    const refusal = await post.request('/hello?id=over-post&crash', { body: utf8('body') })
    expect([refusal.status, textOf(refusal)]).toEqual([503, expect.stringContaining('it is unknown whether')])
    expect(scene.begun('over-post')).toBe(1)
    await goesOn(post)
  })
})

describe.skipIf(OPENSSL === undefined)(`openssl s_client (${OPENSSL_NOTE})`, () => {
  /** A session as a user types it, and what it asks. */
  function session({ platform }: Scene, serverName: string) {
    const client = new OpenSsl([
      ...['s_client', '-connect', `127.0.0.1:${platform.https}`, '-servername', serverName],
      ...['-CAfile', platform.caFile, '-verify_return_error', '-quiet', '-no_ign_eof', '-tls1_3'],
    ])
    const ask = async (target: string): Promise<{ status: number; container: string; hops: number }> => {
      client.type(`GET ${target} HTTP/1.1\r\nHost: ${serverName}\r\n\r\n`)
      const [, status] = await client.says(/HTTP\/1\.1 (\d+)/)
      const [, container] = await client.says(/x-hotpotato-container: (\S+)\r\n/)
      const [, hops] = await client.says(/x-hotpotato-hops: (\d+)\r\n/)
      await client.says(status === '200' ? / 0\n/ : 'the connection is intact')
      return { status: Number(status), container: container!, hops: Number(hops) }
    }
    return { ask, end: async () => expect(await client.endInput().exitInTime()).toBe(0) }
  }

  // roll-out-pool.test.ts and roll-out-relay.test.ts have as much in a short run.
  both(
    'notices neither a drain nor a deploy',
    async scene => {
      const { ask, end } = session(scene, 'hello.local')
      const first = await ask('/?id=s1')
      expect(await scene.command(`drain ${first.container}`)).toMatchObject({ moved: 1 })
      const second = await ask('/?id=s2')
      expect(second).toMatchObject({ status: 200, hops: 1 })
      expect(second.container).not.toBe(first.container)
      expect(await scene.command('deploy hello')).toMatchObject({ moved: 1, ended: [second.container] })
      const third = await ask('/?id=s3')
      expect(third).toMatchObject({ status: 200, hops: 2 })
      expect(third.container).not.toBe(second.container)
      expect(['s1', 's2', 's3'].map(id => scene.begun(id))).toEqual([1, 1, 1])
      await end()
      await scene.command('scale hello 2')
    },
    LONG,
  )

  both(
    'notices no new gateway',
    async scene => {
      const { ask, end } = session(scene, 'echo.local')
      const first = await ask('/?id=g1')
      const before = await scene.pid('gateway')
      expect(await scene.command('restart gateway')).toMatchObject({
        started: ['gateway'],
        ended: ['gateway'],
      })
      expect(await scene.pid('gateway')).not.toBe(before)
      expect(await ask('/?id=g2')).toMatchObject({ status: 200, container: first.container, hops: 0 })
      expect(await ask('/hello?id=g3')).toMatchObject({ status: 200, hops: 1 })
      expect(['g1', 'g2', 'g3'].map(id => scene.begun(id))).toEqual([1, 1, 1])
      await end()
    },
    LONG,
  )

  both('is told of a refused import in the same session, and moves when there is room', async scene => {
    const { ask, end } = session(scene, 'echo.local')
    const unclean = await scene.platform.total('unclean')
    const first = await ask('/?id=r1')
    const pids = [await scene.pid('hello-1'), await scene.pid('hello-2')]
    const limits = pids.map(pid => limitDescriptors(pid))
    const refused = await ask('/hello?id=r2')
    expect(refused).toMatchObject({ status: 503, container: first.container, hops: 0 })
    // They can still be asked how they are.
    expect([await scene.pid('hello-1'), await scene.pid('hello-2')]).toEqual(pids)
    for (const restore of limits) restore()
    expect(await ask('/hello?id=r3')).toMatchObject({ status: 200, hops: 1 })
    expect(['r1', 'r2', 'r3'].map(id => scene.begun(id))).toEqual([1, 0, 1])
    expect(await scene.platform.total('unclean')).toBe(unclean)
    await end()
  })

  both('notices nothing of a parcel that is sent twice: the second one is stale', async scene => {
    const { ask, end } = session(scene, 'echo.local')
    await ask('/?id=t1&twice')
    const taken = (): Promise<number> => scene.platform.total('accepted')
    const answers = (): number => scene.platform.log.split('a verdict that is not awaited').length
    const before = { taken: await taken(), answers: answers() }
    expect(await ask('/hello?id=t2')).toMatchObject({ status: 200, hops: 1 })
    expect(await taken()).toBe(before.taken + 1)
    // The source hears of two verdicts: the first one has settled the matter.
    await eventually(() => (answers() > before.answers ? true : undefined), 'the second parcel had no answer')
    expect(await ask('/hello?id=t3')).toMatchObject({ status: 200, hops: 1 })
    expect(['t1', 't2', 't3'].map(id => scene.begun(id))).toEqual([1, 1, 1])
    await end()
  })
})
