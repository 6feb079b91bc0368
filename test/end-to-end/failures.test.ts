import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { sendCommand } from '../../src/cli/platform/control-socket.ts'
import type { MemberStatus } from '../../src/supervisor/status.ts'
import { Client, field, textOf } from '../support/client.ts'
import {
  CONFIG,
  eventually,
  isRunning,
  limitDescriptors,
  makeDirectory,
  Platform,
} from '../support/platform.ts'

let platform: Platform
let started: string | undefined
afterAll(() => platform?.stop())

/** A platform without work: the one of the test before, where that lives and is of the same kind. */
async function start(environment: Record<string, string> = {}): Promise<void> {
  const kind = JSON.stringify(environment)
  if (started === kind && isRunning(platform.child.pid!)) return platform.idle()
  await platform?.stop()
  started = undefined
  const config = CONFIG.replace('connection:\n', 'connection:\n  verdictSeconds: 5\n')
  // What is said here of crashes is said of fd; relay has a file of its own.
  platform = await Platform.start({ config, environment: { HOTPOTATO_CARRIER: 'fd', ...environment } })
  started = kind
}

const options = (): { port: number; tls: { ca: string; serverName: string } } => ({
  port: platform.https,
  tls: { ca: platform.ca, serverName: 'echo.local' },
})

/** `once` can be loaded only once. */
const ONCE = `
version: 1
gateway:
  defaultFunction: once
  limits: { holdSeconds: 300ms }
connection:
  timers: { container: 300ms }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  once: { handler: ./once.mjs, certificate: echo, hosts: [echo.local] }
  hello: {}
`
const ONCE_MODULE = `
import { existsSync, writeFileSync } from 'node:fs'
const flag = new URL('./loaded', import.meta.url)
if (existsSync(flag)) throw new Error('only once')
writeFileSync(flag, '')
export default () => new Response('once')
`

describe('the gateway is killed', () => {
  it('established connections live on and move, a new gateway serves on the same ports', async () => {
    await start()
    const client = await Client.open(options())
    const plain = await Client.open({ port: platform.http })
    await client.request('/echo')
    await plain.request('/echo')
    await platform.kill('gateway')
    expect(await client.request('/hello')).toMatchObject({ status: 200, container: 'hello-1', hops: 1 })
    expect(await plain.request('/echo-raw')).toMatchObject({ status: 200, container: 'echo-raw-1', hops: 1 })
    expect((await platform.until('gateway', ({ ready }) => ready)).restarts).toBe(1)
    const second = await Client.open(options())
    expect((await second.request('/hello')).status).toBe(200)
    expect(await client.request('/echo')).toMatchObject({ status: 200, hops: 2 })
    for (const one of [client, plain, second]) await one.close()
    expect(client.handshakes).toBe(1)
  })
})

describe('no verdict', () => {
  it.each(process.env.HOTPOTATO_LONG === '1' ? [{}, { HOTPOTATO_CHANNEL: 'ipc' }] : [{}])(
    'a connection whose target is stopped ends without a word, and is never served twice %j',
    async environment => {
      await start(environment)
      const { pid } = await platform.member('hello-1')
      const client = await Client.open(options())
      await client.request('/echo')
      const plain = await Client.open({ port: platform.http })
      await plain.request('/echo')
      process.kill(pid!, 'SIGSTOP')
      const lost = client.request('/hello').then(
        () => 'answered',
        (error: Error) => error.message,
      )
      const lostPlain = plain.request('/hello').then(
        () => 'answered',
        (error: Error) => error.message,
      )
      // FIN, and nothing that looks like an orderly end.
      expect(await client.ended).toEqual({ closeNotify: false, alert: undefined, error: undefined })
      expect((await plain.ended).error).toBeUndefined()
      expect(await lost).not.toBe('answered')
      expect(await lostPlain).not.toBe('answered')
      expect((await platform.member('echo-1')).counters.unclean).toBe(2)
      process.kill(pid!, 'SIGCONT')
      // The target finds two dead connections in its inbox; neither it nor another process fails over them.
      await platform.idle()
      expect((await platform.member('hello-1')).pid).toBe(pid)
      const next = await Client.open(options())
      expect((await next.request('/hello')).container).toBe('hello-1')
      for (const one of [client, plain, next]) await one.close()
      expect(client.raw).toEqual([])
    },
    240_000,
  )
})

describe('commands to a busy platform', () => {
  it('status twice at once gives both all counters', async () => {
    await start()
    const path = join(platform.directory, 'run', 'control.sock')
    const answers = await Promise.all([1, 2, 3].map(() => sendCommand(path, 'status')))
    for (const { members } of answers as { members: MemberStatus[] }[]) {
      expect(members).toHaveLength(4)
      for (const { name, counters } of members) expect(counters.heapKiB, name).toBeGreaterThan(0)
    }
  })

  it('goes on when a client of its control socket says nothing, or too much', async () => {
    await start()
    const path = `${platform.directory}/run/control.sock`
    const silent = connect(path)
    const loud = connect(path)
    loud.on('error', () => {})
    loud.write('x'.repeat(1000))
    await new Promise(resolve => loud.once('close', resolve))
    expect(await platform.status()).toHaveLength(4)
    silent.destroy()
  })
})

describe('a container does not answer', () => {
  it('its new connections are ended, and they are counted', async () => {
    await start()
    const { pid } = await platform.member('echo-1')
    process.kill(pid!, 'SIGSTOP')
    const client = new Client(options())
    expect(await client.ended).toEqual({ closeNotify: false, alert: undefined, error: undefined })
    client.socket.destroy()
    process.kill(pid!, 'SIGCONT')
    await platform.until('gateway', ({ counters }) => counters.unclean === 1)
  })
})

describe('no descriptor is free', () => {
  it('the gateway and its containers can still be asked, and what they have goes on', async () => {
    await start()
    const client = await Client.open(options())
    await client.request('/echo')
    const pids = (await platform.status()).map(({ pid }) => pid!)
    const limits = pids.map(pid => limitDescriptors(pid))
    expect((await client.request('/echo')).status).toBe(200)
    // No client can be let in.
    await expect(Client.open(options())).rejects.toThrow()
    expect((await client.request('/hello')).status).toBe(503)
    expect((await platform.status()).map(({ pid }) => pid)).toEqual(pids)
    for (const restore of limits) restore()
    expect(await client.request('/hello')).toMatchObject({ status: 200, container: 'hello-1' })
    expect(client.handshakes).toBe(1)
    await client.close()
    const next = await Client.open(options())
    expect((await next.request('/echo')).status).toBe(200)
    await next.close()
  })
})

describe('the supervisor is killed', () => {
  it.each(process.env.HOTPOTATO_LONG === '1' ? [{}, { HOTPOTATO_CHANNEL: 'ipc' }] : [{}])(
    'no process stays behind %j',
    async environment => {
      await start(environment)
      const client = await Client.open(options())
      await client.request('/echo')
      const pids = (await platform.status()).map(({ pid }) => pid!)
      expect(pids.every(isRunning)).toBe(true)
      await platform.end('SIGKILL')
      await eventually(() => (pids.some(isRunning) ? undefined : true), 'a process stays behind')
      await client.ended
    },
    240_000,
  )
})

describe('no descriptor is free for what is relayed', () => {
  it('the gateway goes on', async () => {
    await start({ HOTPOTATO_CARRIER: 'relay' })
    const client = await Client.open(options())
    const { container } = await client.request('/echo')
    const { pid } = await platform.member('gateway')
    const open = (): number => readdirSync(`/proc/${pid}/fd`).length
    const before = open()
    // One that is closed only now would be free then.
    const settled = async (): Promise<unknown> =>
      eventually(() => (open() <= before ? true : undefined), 'the gateway keeps a descriptor')
    for (const spare of [0, 1, 2]) {
      await settled()
      const restore = limitDescriptors(pid!, spare)
      await expect(Client.open(options()), String(spare)).rejects.toThrow()
      expect((await client.request('/echo')).status).toBe(200)
      restore()
    }
    // Nor can it make another leg when a container dies.
    await settled()
    const restore = limitDescriptors(pid!)
    await platform.kill(container!)
    expect(await client.ended).toMatchObject({ closeNotify: false, alert: undefined })
    client.socket.destroy()
    restore()
    await platform.until(container!, ({ ready }) => ready)
    const next = await Client.open(options())
    expect((await next.request('/echo')).status).toBe(200)
    await next.close()
    expect((await platform.member('gateway')).pid).toBe(pid)
    expect(await platform.total('unclean')).toBeGreaterThan(0)
  })
})

describe('no container is ready', () => {
  it('a new connection is held for a moment, then told so; a session stays where it is', async () => {
    await platform?.stop()
    const directory = await makeDirectory(ONCE)
    writeFileSync(join(directory, 'once.mjs'), ONCE_MODULE)
    platform = await Platform.start({ directory })
    const session = await Client.open({ ...options(), tls: { ca: platform.ca, serverName: 'hello.local' } })
    expect((await session.request('/once')).status).toBe(200)
    expect((await session.request('/hello')).status).toBe(200)
    await platform.kill('once-1')
    await eventually(() => (platform.log.includes('once-1 cannot start') ? true : undefined), 'it started')

    const fresh = new Client(options())
    expect(await fresh.ended).toEqual({ closeNotify: false, alert: 'internal_error', error: undefined })
    fresh.socket.destroy()
    const plain = await Client.open({ port: platform.http })
    const refusal = await plain.request('/once')
    expect(refusal.status).toBe(503)
    expect(field(refusal, 'content-type')).toBe('application/problem+json')
    expect(field(refusal, 'connection')).toBe('close')
    await plain.close()

    const stays = await session.request('/once')
    expect(stays).toMatchObject({ status: 503, container: 'hello-1' })
    expect(field(stays, 'retry-after')).toBe('1')
    expect(JSON.parse(textOf(stays))).toMatchObject({
      type: 'urn:hotpotato:problem:container-timeout',
      detail: 'no container of the function once was ready within 0.3 s; the connection is intact',
      setting: 'connection.timers.container',
    })
    expect((await session.request('/hello')).status).toBe(200)
    await session.close()
    expect(session.handshakes).toBe(1)
    await platform.stop()
    rmSync(directory, { recursive: true })
  })
})
