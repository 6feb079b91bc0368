import { readFileSync } from 'node:fs'
import { createConnection, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client as HttpClient } from '../../src/client/index.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { nextTrafficSecret } from '../../src/tls13/key-schedule.ts'
import { Protection } from '../../src/tls13/protection.ts'
import { fromHex, hex, utf8 } from '../../src/wire/index.ts'
import { Client } from '../support/client.ts'
import { recordsOf } from '../support/pair.ts'
import { eventually, makeDirectory, Platform } from '../support/platform.ts'

/*
 * What an extended key update after a move is worth, with real containers. The function `turned` is an
 * attacker's: it writes down the state of every session that leaves its container, as it leaves. Beside it,
 * the attacker hears all that goes over the wire.
 */

const CONFIG = `
version: 1
gateway: { defaultFunction: turned, limits: { helloSeconds: 60 } }
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, requestBody: 300, container: 60 } }
tls: { extendedKeyUpdate: true }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  turned: { handler: ./turned.mjs, environment: { LOOT: "LOOT_PATH" } }
  echo: {}
  other: { handler: echo }
`
const TURNED = `
import { appendFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
const worker = pathToFileURL(process.argv[1])
const { Session } = await import(new URL('../../tls13/session.js', worker).href)
const { release } = Session.prototype
const hex = bytes => Buffer.from(bytes).toString('hex')
let loot
Session.prototype.release = function (...how) {
  const state = release.apply(this, how)
  const direction = ({ trafficSecret, sequenceNumber }) => ({ secret: hex(trafficSecret), sequenceNumber })
  const taken = { read: direction(state.read), write: direction(state.write), cipherSuite: state.cipherSuite }
  if (loot !== undefined) appendFileSync(loot, JSON.stringify(taken) + '\\n')
  return state
}
export default {
  fetch(request, env) {
    loot = env.LOOT
    return new Response('turned')
  },
}
`

/** What has been taken of one direction: its secret, and the number of its next record. */
interface Taken {
  readonly secret: string
  readonly sequenceNumber: number
}

interface Loot {
  readonly read: Taken
  readonly write: Taken
  readonly cipherSuite: number
}

let platform: Platform
let loot: string
/** Who hears everything: what both sides say passes through it. */
let tap: Server
let port: number
const heard = { up: [] as Buffer[], down: [] as Buffer[] }

beforeAll(async () => {
  const certificates = ['turned', 'echo', 'other'].map(name => ({ name, hosts: [`${name}.local`] }))
  const directory = await makeDirectory(CONFIG, certificates)
  loot = join(directory, 'loot')
  const config = CONFIG.replace('LOOT_PATH', loot)
  // Connections that outlive their container have no such updates, so none goes by relay here.
  const environment = { HOTPOTATO_CARRIER: 'fd' }
  platform = await Platform.start({ directory, config, files: { 'turned.mjs': TURNED }, environment })
  tap = createServer({ allowHalfOpen: true }, near => {
    const far = createConnection({ port: platform.https, host: '127.0.0.1', allowHalfOpen: true })
    near.on('data', bytes => void heard.up.push(bytes))
    far.on('data', bytes => void heard.down.push(bytes))
    near.pipe(far).pipe(near)
    for (const one of [near, far]) one.on('error', () => {})
  })
  await new Promise<void>(resolve => tap.listen(0, '127.0.0.1', resolve))
  port = (tap.address() as { port: number }).port
})
afterAll(async () => {
  tap?.close()
  await platform?.stop()
})

/** What the attacker has written down, the newest last. */
function taken(): Loot[] {
  const text = readFileSync(loot, 'utf8').trim()
  return text.split('\n').map(line => JSON.parse(line) as Loot)
}

/**
 * Tries everything on what was heard: the secret that was taken, and those that follow from it by KeyUpdates,
 * with every number that a record could have.
 * @returns whether the text is in a record that opens
 */
function reads({ read, write, cipherSuite }: Loot, text: string): boolean {
  const suite = node.cipherSuites.find(({ id }) => id === cipherSuite)!
  const wanted = hex(utf8(text))
  const open = (bytes: Uint8Array, { secret }: Taken): boolean => {
    let trafficSecret: Uint8Array = fromHex(secret)
    const records = recordsOf(bytes).filter(([type]) => type === 23)
    for (let generation = 0; generation < 3; generation++) {
      for (const record of records) {
        for (let sequenceNumber = 0; sequenceNumber <= records.length; sequenceNumber++) {
          const raw = {
            type: 23,
            bytes: record,
            at: 0,
            length: record.length,
            fragmentLength: record.length - 5,
          }
          try {
            const { content } = new Protection(suite, { trafficSecret, sequenceNumber }).open(raw as never)
            if (hex(content).includes(wanted)) return true
          } catch {
            // Another number, or another key.
          }
        }
      }
      trafficSecret = nextTrafficSecret(suite.hash, trafficSecret)
    }
    return false
  }
  return open(Buffer.concat(heard.up), read) || open(Buffer.concat(heard.down), write)
}

async function open(extendedKeyUpdate: boolean): Promise<Client> {
  heard.up = []
  heard.down = []
  const tls = { ca: platform.ca, serverName: 'turned.local', extendedKeyUpdate }
  return Client.open({ port, tls })
}

/** How often both sides have made new keys; undefined: they have not agreed on that. */
const generation = (client: Client): number | undefined => client.session!.extendedKeyUpdates?.generation

async function say(client: Client, target: string, text: string): Promise<number> {
  const { status, hops, body } = await client.request(target, { body: utf8(text) })
  expect([status, hex(body)]).toEqual([200, hex(utf8(text))])
  return hops
}

describe('who had a connection, and hears what follows', () => {
  it('reads it, where client and server have not agreed on extended key updates', async () => {
    const client = await open(false)
    await client.request('/turned')
    expect(await say(client, '/echo', 'the first words here')).toBe(1)
    await say(client, '/echo', 'what the attacker is after')
    expect(generation(client)).toBeUndefined()
    expect(reads(taken().at(-1)!, 'what the attacker is after')).toBe(true)
    await client.close()
  })

  it('reads nothing of it, once both sides have new keys', async () => {
    const client = await open(true)
    await client.request('/turned')
    expect(generation(client)).toBe(0)
    expect(await say(client, '/echo', 'the first words here')).toBe(1)
    await eventually(() => generation(client) === 1 || undefined, 'no new keys')
    await say(client, '/echo', 'what the attacker is after')
    const stolen = taken().at(-1)!
    // The loot is of this connection, and good for what went before.
    expect(reads(stolen, 'the first words here')).toBe(true)
    expect(reads(stolen, 'what the attacker is after')).toBe(false)
    expect(await client.close()).toMatchObject({ closeNotify: true, alert: undefined, error: undefined })
  })
})

it('the client of the library has them, too', async () => {
  heard.up = []
  heard.down = []
  const tls = { ca: platform.ca, checkName: false, extendedKeyUpdate: true }
  const client = new HttpClient({ tls })
  const base = `https://localhost:${port}`
  expect(await (await client.fetch(`${base}/turned`)).text()).toBe('turned')
  const post = async (body: string): Promise<void> => {
    const response = await client.fetch(`${base}/echo`, { method: 'POST', body })
    expect(await response.text()).toBe(body)
  }
  await post('the first words here')
  const stolen = taken().at(-1)!
  expect(reads(stolen, 'the first words here')).toBe(true)
  await eventually(async () => {
    const words = `at ${performance.now()}`
    await post(words)
    return !reads(stolen, words) || undefined
  }, 'the attacker reads on')
  await client.close()
})

it('every move brings new keys, and no byte is lost over a hundred of them', async () => {
  const client = await open(true)
  for (let turn = 0; turn < 100; turn++)
    expect(await say(client, turn % 2 === 0 ? '/echo' : '/other', `words ${turn}`)).toBe(turn + 1)
  await eventually(() => generation(client)! >= 10 || undefined, 'hardly any new keys')
  const last = generation(client)!
  expect(last).toBeLessThanOrEqual(100)
  expect(client.handshakes).toBe(1)
  expect(await client.close()).toMatchObject({ closeNotify: true, alert: undefined })
  expect(await platform.total('unclean')).toBe(0)
})

it('a long response does not hold the update up', async () => {
  const client = await open(true)
  await client.request('/turned')
  const body = new Uint8Array(4_000_000).fill(7)
  const answer = client.request('/echo', { body })
  await eventually(() => generation(client) === 1 || undefined, 'no new keys')
  expect((await answer).body.length).toBe(body.length)
  await client.close()
})
