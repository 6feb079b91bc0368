import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import type { Frame } from '../../src/hosts/frames.ts'
import type { Meeting } from '../../src/hosts/meeting.ts'
import type { Helper } from '../../src/hosts/repair/helper.ts'
import { Steerer } from '../../src/hosts/repair/steerer.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { addressText, type Flow } from '../../src/transfer/tcp/flow.ts'

/*
 * What another host can have done to connections that it does not have. The connections are real, since what
 * the kernel has counts. Instead of netd, which needs rights, a list keeps what it is asked.
 */

const OWN = 'a'
const HOSTS = new Map(['b', 'c'].map((host, i) => [host, { address: `10.0.0.${i + 2}` }]))
let server: Server
const sockets: Socket[] = []
let steerer: Steerer
/** What netd was asked: the client's port, and where its packets are to go. */
let steered: [port: number, to: string | undefined][]
let said: Map<string, Frame[]>
let meetings: Meeting[]

beforeAll(async () => {
  server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => {
  for (const socket of sockets) socket.destroy()
  server.close()
})

/** A connection that the kernel has from now on. */
async function accepted(): Promise<Flow> {
  const { port } = server.address() as { port: number }
  const incoming = once(server, 'connection')
  const client = connect(port, '127.0.0.1')
  const [socket] = (await incoming) as [Socket]
  sockets.push(client, socket)
  const local = Uint8Array.of(127, 0, 0, 1)
  return { ends: { family: 'ipv4', local, remote: local }, localPort: port, remotePort: socket.remotePort! }
}

beforeEach(() => {
  steered = []
  said = new Map([...HOSTS.keys()].map(host => [host, []]))
  const send = (host: string) => (frame: Frame) => void said.get(host)!.push(frame)
  meetings = [...HOSTS.keys()].map(host => ({ host, send: send(host) }) as unknown as Meeting)
})

/** As a link that begins now. */
async function begin(): Promise<void> {
  const steer = async (flow: Flow, to: Uint8Array | undefined): Promise<void> =>
    void steered.push([flow.remotePort, to && addressText(to)])
  const helper = { client: { steer } } as unknown as Helper
  steerer = new Steerer({
    hostName: OWN,
    clock: SYSTEM_CLOCK,
    helper,
    hosts: () => HOSTS,
    meetings: () => meetings,
  })
  steerer.begin()
  // The kernel has none of that port: it is new, as soon as that is known of any.
  const none = { ...(await accepted()), remotePort: 0 }
  while (!steerer.reaches(none, 'b')) await new Promise(resolve => setTimeout(resolve, 5))
}
const hostOf = (host: string): Meeting => meetings.find(one => one.host === host)!
const later = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

it('a host that says that it steers a connection of ours is not believed', async () => {
  await begin()
  const ours = await accepted()
  steerer.heard(hostOf('b'), { kind: 'steers', flow: ours })
  await later()
  expect(steerer.originOf(ours)).toBe(OWN)
  await steerer.turn(ours, 'c')
  expect(steered).toEqual([[ours.remotePort, '10.0.0.3']])
  expect(said.get('b')).toEqual([])
  steerer.end()
})

it('one that is older than this link goes by relay until its origin says what it steers', async () => {
  const old = await accepted()
  await begin()
  expect(steerer.reaches(old, 'c')).toBe(false)
  steerer.heard(hostOf('b'), { kind: 'steers', flow: old })
  await later()
  expect(steerer.reaches(old, 'c')).toBe(true)
  expect(steerer.originOf(old)).toBe('b')
  // Another one comes too late.
  steerer.heard(hostOf('c'), { kind: 'steers', flow: old })
  await later()
  expect(steerer.originOf(old)).toBe('b')
  steerer.end()
})

it('what is steered here and has ended goes back, and what is here stays', async () => {
  await begin()
  const [ours, ended] = [await accepted(), { ...(await accepted()), remotePort: 1 }]
  for (const flow of [ours, ended]) steerer.heard(hostOf('b'), { kind: 'steers', flow })
  await vi.waitFor(() => expect(said.get('b')).not.toEqual([]))
  expect(said.get('b')).toEqual([{ kind: 'steer', ticket: expect.any(Number), flow: ended, host: 'b' }])
  expect(steerer.originOf(ended)).toBe(OWN)
  expect(steerer.originOf(ours)).toBe(OWN)
  steerer.end()
})

it('none but the host that was asked to steer says that it does', async () => {
  const old = await accepted()
  await begin()
  steerer.heard(hostOf('b'), { kind: 'steers', flow: old })
  await later()
  const turned = steerer.turn(old, 'c')
  const [asked] = said.get('b')!
  const ticket = asked?.kind === 'steer' ? asked.ticket : -1
  steerer.heard(hostOf('c'), { kind: 'turned', ticket, done: true })
  steerer.heard(hostOf('b'), { kind: 'turned', ticket, done: false })
  await expect(turned).rejects.toThrow('host b does not steer it')
  steerer.end()
})

it('a host that has given a connection away can have it back, and send it nowhere else', async () => {
  await begin()
  const ours = await accepted()
  await steerer.turn(ours, 'b')
  const asks = async (from: string, to: string): Promise<Frame | undefined> => {
    steerer.heard(hostOf(from), { kind: 'steer', ticket: 7, flow: ours, host: to })
    await later()
    return said.get(from)!.at(-1)
  }
  expect(await asks('c', 'c')).toEqual({ kind: 'turned', ticket: 7, done: false })
  expect(await asks('b', 'c')).toEqual({ kind: 'turned', ticket: 7, done: true })
  expect(await asks('b', 'a')).toEqual({ kind: 'turned', ticket: 7, done: false })
  expect(await asks('b', 'b')).toEqual({ kind: 'turned', ticket: 7, done: true })
  expect(steered.map(([, to]) => to)).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.2'])
  steerer.end()
})
