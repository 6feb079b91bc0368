import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client, textOf } from '../support/client.ts'
import { eventually, HostsScene } from '../support/hosts-scene.ts'
import { noteOf, versionOf } from '../support/interop/program.ts'
import { startBalancer } from '../support/peers/haproxy.ts'

/* Two equal gateways behind an haproxy that sees bytes alone: it does not matter to which a client comes. */

const WORK = 'export default () => new Response(process.env.HOST)'
const of = (host: string, ...names: readonly string[]): string =>
  names
    .map(
      name => `  ${name}: { hosts: [${name}.local], handler: ./work.mjs, environment: { HOST: ${host} } }\n`,
    )
    .join('')
/** Hello is on host b alone, in so far as it works. */
const FUNCTIONS = {
  a: of('a', 'echo') + of('a', 'hello').replace('work.mjs', 'broken.mjs'),
  b: of('b', 'echo', 'hello'),
}
const FILES = { 'work.mjs': WORK, 'broken.mjs': "throw new Error('not on this host')" }
const CLIENTS = 12

const etcd = versionOf('etcd')
const haproxy = versionOf('haproxy', ['-v'])
const notes = `${noteOf(etcd, 'etcd', 'etcd-server')}; ${noteOf(haproxy, 'haproxy', 'haproxy')}`
describe.skipIf(etcd === undefined || haproxy === undefined)(`two gateways (${notes})`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'gateways-'))
  let scene: HostsScene
  let balancer: Awaited<ReturnType<typeof startBalancer>>
  beforeAll(async () => {
    scene = await HostsScene.start(FUNCTIONS, FILES, { leaseSeconds: 6, processes: 2 })
    balancer = await startBalancer(directory, [scene.a.https, scene.b.https])
  })
  afterAll(async () => {
    balancer?.close()
    await scene?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  const open = (serverName: string): Promise<Client> =>
    Client.open({ port: balancer.port, tls: { ca: scene.a.ca, serverName } })

  const relayedBy = async (host: 'a' | 'b'): Promise<number> =>
    (await scene[host].member('gateway')).counters.relayed ?? 0

  it('a client comes to either, and its function is found on whichever host has it', async () => {
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => open('hello.local')))
    for (const client of clients) expect(textOf(await client.request('/'))).toBe('b')
    const [atA, atB] = [await relayedBy('a'), await relayedBy('b')]
    expect(atA + atB).toBe(CLIENTS)
    expect(Math.min(atA, atB)).toBeGreaterThan(0)
    // And a nearer one is taken where there is one.
    const near = await Promise.all(Array.from({ length: 4 }, () => open('echo.local')))
    const answers = await Promise.all(near.map(async client => textOf(await client.request('/'))))
    expect(new Set(answers)).toEqual(new Set(['a', 'b']))
    await Promise.all([...clients, ...near].map(client => client.close()))
    await scene.idle()
  })

  /** One connection of Node's own TLS. @returns whether it was resumed, and a ticket for the next one */
  async function visit(port: number, session?: Buffer): Promise<{ resumed: boolean; ticket: Buffer }> {
    const options = { port, host: '127.0.0.1', servername: 'echo.local', ca: scene.a.ca }
    const socket: TLSSocket = connect({ ...options, minVersion: 'TLSv1.3', ...(session && { session }) })
    let ticket: Buffer | undefined
    let heard = ''
    socket.on('session', one => (ticket = one))
    socket.setEncoding('utf8').on('data', text => (heard += text))
    await once(socket, 'secureConnect')
    socket.write('GET / HTTP/1.1\r\nHost: echo.local\r\n\r\n')
    await eventually(() => (heard !== '' && ticket !== undefined ? true : undefined), 'no answer or ticket')
    const resumed = socket.isSessionReused()
    socket.destroy()
    return { resumed, ticket: ticket! }
  }

  it('a ticket of one host is taken by the other, and back', async () => {
    let { resumed, ticket } = await visit(scene.a.https)
    expect(resumed).toBe(false)
    for (const { https } of [scene.b, scene.a, scene.b, scene.b]) {
      ;({ resumed, ticket } = await visit(https, ticket))
      expect(resumed).toBe(true)
    }
    await scene.idle()
  })

  it('a gateway is lost, with its whole host: what it relayed ends, all else goes on', async () => {
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => open('echo.local')))
    const answers = await Promise.all(clients.map(async client => textOf(await client.request('/'))))
    const theirs = clients.filter((_, index) => answers[index] === 'b')
    const own = clients.filter((_, index) => answers[index] === 'a')
    expect(Math.min(theirs.length, own.length)).toBeGreaterThan(0)
    // One whose client is with b, and that a container of a has.
    const [guest] = await scene.connections(scene.b)
    await scene.b.order(`move ${guest!.id} a/echo-1`)
    await eventually(
      async () => ((await scene.connections(scene.b)).length === theirs.length - 1 ? true : undefined),
      'it has not moved',
    )
    await scene.a.end('SIGKILL')
    for (const client of own) await client.ended
    for (const client of theirs) {
      expect(textOf(await client.request('/'))).toBe('b')
      expect(client.handshakes).toBe(1)
    }
    // The balancer notices, and new ones go where a gateway is.
    const fresh = await eventually(() => open('echo.local').catch(() => undefined), 'no gateway is reached')
    expect(textOf(await fresh.request('/'))).toBe('b')
    await Promise.all([...theirs, fresh].map(client => client.close()))
  })
})
