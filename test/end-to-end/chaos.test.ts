import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Client } from '../support/client.ts'
import { childrenOf, eventually, makeDirectory, Platform } from '../support/platform.ts'
import { isInstalled } from '../support/programs.ts'
import { seeded } from '../support/random.ts'
import { type Behaviour, http1, http2, type World } from './chaos/clients.ts'
import { type Beginning, type Death, Ledger, RAW, USUAL } from './chaos/ledger.ts'
import { curl, openssl } from './chaos/programs.ts'
import { streams1, streams2, webSockets2 } from './chaos/streams.ts'
import { REPLICAS, Trouble } from './chaos/trouble.ts'
import { webSocket } from './chaos/web-socket.ts'

/*
 * Real clients under load while containers are killed, stopped, drained, deployed, scaled, gateways relieved
 * and killed, and connections moved at random: `npm run test:chaos` for a minute, a few seconds otherwise. At
 * first no process dies, and nothing at all may be lost.
 */
const SECONDS = Number(process.env.HOTPOTATO_CHAOS_SECONDS ?? 6)
const SEED = Number(process.env.HOTPOTATO_CHAOS_SEED ?? Date.now() % 1_000_000)

const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { holdSeconds: 5s, helloSeconds: 60s } }
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, requestBody: 300 } }
trust: [{ functions: [echo, hello, echo-raw], warm: true }]
liveness: { periodSeconds: 0.5, failureSeconds: 3 }
restart: { firstSeconds: 0.05, mostSeconds: 0.4, healthySeconds: 1, crashLoop: 100 }
functions:
  echo: { handler: ./usual.mjs, carrier: relay, replicas: ${REPLICAS} }
  resize: { handler: ./usual.mjs, carrier: relay, retries: any, replicas: ${REPLICAS} }
  hello: { handler: ./usual.mjs, carrier: fd, duplicate: true, replicas: ${REPLICAS} }
  echo-raw: { handler: ./raw.mjs, carrier: fd, replicas: ${REPLICAS} }
`
const FUNCTIONS = {
  relay: ['echo', 'resize'],
  kept: ['hello'],
  fd: ['echo-raw'],
  plain: ['echo', 'hello', 'echo-raw'],
} as const
const NAMES = ['echo', 'resize', 'hello', 'echo-raw']
/** Who asks, all at the same time. */
const BEHAVIOURS: readonly Behaviour[] = [
  ...Array.from({ length: 10 }, () => http1),
  ...Array.from({ length: 4 }, () => http2),
  ...Array.from({ length: 3 }, () => webSocket),
  ...[streams1, streams1, streams1, streams2, streams2, webSockets2, webSockets2],
  ...(isInstalled('openssl', ['version']) ? [openssl, openssl] : []),
  ...(isInstalled('curl', ['--version']) ? [curl, curl] : []),
]
/** Descriptors that a process may have more than at the beginning: none of them stands for a connection. */
const SPARE = 3

let platform: Platform
let directory: string
let passed = false

beforeAll(async () => {
  directory = await makeDirectory(CONFIG)
  writeFileSync(join(directory, 'usual.mjs'), USUAL)
  writeFileSync(join(directory, 'raw.mjs'), RAW)
  writeFileSync(join(directory, 'begun'), '')
  const environment = { HOTPOTATO_CARRIER: '', HOTPOTATO_LOG_LEVEL: 'info' }
  platform = await Platform.start({ directory, environment })
})
afterAll(async () => {
  await platform?.stop()
  if (passed) rmSync(directory, { recursive: true, force: true })
  else process.stdout.write(`what the platform logged is in ${directory}\n`)
})

it(`${SECONDS} seconds of chaos, seed ${SEED}`, async () => {
  const random = seeded(SEED)
  const ledger = new Ledger()
  const { ca } = platform
  await everybodyServes(ca)
  await platform.idle()
  const before = await platform.descriptors()
  const end = Date.now() + SECONDS * 1000
  const peace = Date.now() + SECONDS * 250
  const over = (): boolean => Date.now() > end
  const world: World = { platform, ca, ledger, functions: FUNCTIONS, over }
  const trouble = new Trouble(world, random.fork())
  const clients = BEHAVIOURS.map(async (behaviour, index) => {
    const own = seeded(SEED + index)
    while (!over()) await behaviour(world, own)
  })
  const gentle = trouble.gentle(over)
  await sleep(peace - Date.now())
  await Promise.all([...clients, gentle, trouble.violent(over)])
  await trouble.end(NAMES)
  process.stdout.write(`chaos, seed ${SEED}\n${ledger.report()}\n${await counted()}\n`)

  expect(ledger.audit(beginnings(), deaths(), new Set(['resize']))).toEqual([])
  expect(ledger.requests.length).toBeGreaterThan(SECONDS * 5)
  const { met, survived } = ledger.survivorsOf('relay', ['killed', 'stopped'])
  // Some had a response underway, or a second death met them.
  if (met >= 8)
    expect(survived / met, 'relayed connections that outlive their containers').toBeGreaterThan(0.5)
  // Nothing stays behind: no connection, no descriptor, no process. And it serves.
  await platform.idle()
  await everybodyServes(ca)
  await platform.idle()
  expect(childrenOf(platform.child.pid!)).toHaveLength((await platform.status()).length)
  const surplus = async (): Promise<unknown[]> =>
    Object.entries(await platform.descriptors()).filter(
      ([name, count]) => count > (before[name] ?? before[name.replace(/\d+$/, '1')] ?? 0) + SPARE,
    )
  // What clients have left may still be on its way out.
  await expect.poll(surplus, { timeout: 20_000, interval: 500 }).toEqual([])
  passed = true
})

/** Every function answers, on both ports. */
async function everybodyServes(ca: string): Promise<void> {
  for (const name of NAMES) {
    for (const port of [platform.https, platform.http]) {
      const tls = port === platform.https ? { tls: { ca, serverName: `${name}.local` } } : {}
      const client = await Client.open({ port, ...tls })
      for (let i = 0; i < 3; i++)
        expect((await client.request(`/${name}?id=serves&size=1`)).status, name).toBe(200)
      await client.close()
    }
  }
}

/** What functions have written. */
function beginnings(): Beginning[] {
  const lines = readFileSync(join(directory, 'begun'), 'utf8').trim().split('\n')
  return lines
    .map(line => line.split(' '))
    .filter(([id]) => id !== 'serves')
    .map(([id, container, index]) => ({ id: id!, container: container!, index: Number(index) }))
}

/** Containers and gateways that died, as the supervisor has written it down. */
function deaths(): Death[] {
  return platform.log.split('\n').flatMap(line => {
    if (!line.includes(' ended')) return []
    const { msg, how, time } = JSON.parse(line) as { msg: string; how?: string; time: number | string }
    const container = /^(\S+) ended/.exec(msg)?.[1]
    if (container === undefined || how === undefined || how === 'exit code 0') return []
    return [{ container, at: new Date(time).getTime() }]
  })
}

/** What the platform itself has counted, of those that are there now. */
async function counted(): Promise<string> {
  const names = ['takenOver', 'unclean', 'notDuplicated', 'moved', 'refused'] as const
  const members = await eventually(() => platform.status(), 'no status')
  const of = (role: string) => members.filter(one => one.role === role)
  const sum = (role: string, name: string) =>
    of(role).reduce((total, { counters }) => total + (counters[name] ?? 0), 0)
  const tell = (role: string) => names.map(name => `${sum(role, name)} ${name}`).join(', ')
  return `gateway: ${tell('gateway')}; containers that are there: ${tell('container')}`
}
