import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '../support/client.ts'
import { LONG } from '../support/long.ts'
import { Platform } from '../support/platform.ts'
import { below, seeded } from '../support/random.ts'

interface Case {
  readonly name: string
  readonly moves: number
  readonly tls: boolean
  readonly environment: Record<string, string>
  /** Instead of {@link PLAIN}. */
  readonly config?: string
}

const PLAIN = `
version: 1
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, container: 60 } }
functions: { echo: { hosts: [echo.local] }, echo-raw: {} }
`

/** Its containers keep the sockets and the keys of connections that they give each other. */
const WARM = `
version: 1
trust: [{ functions: [echo, echo-raw], warm: true }]
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, container: 60 } }
functions: { echo: { hosts: [echo.local] }, echo-raw: {} }
`
/**
 * What each platform does, and how often. A short run has each carrier and each channel, with what is warm
 * and what is not; a long one all of them, and goes on for longer.
 */
const CASES: readonly Case[] = [
  { name: 'native channel, TLS', moves: LONG ? 1000 : 400, tls: true, environment: {} },
  { name: 'relay, TLS', moves: LONG ? 500 : 100, tls: true, environment: { HOTPOTATO_CARRIER: 'relay' } },
  {
    ...{ name: 'warm, TLS', moves: LONG ? 500 : 100, tls: true, config: WARM },
    environment: { HOTPOTATO_CARRIER: 'fd' },
  },
  {
    ...{ name: 'warm, ipc channel, net.Socket, no TLS', moves: LONG ? 200 : 100, tls: false, config: WARM },
    environment: { HOTPOTATO_CHANNEL: 'ipc', HOTPOTATO_STREAM: 'socket' },
  },
  ...(LONG
    ? [
        { name: 'native channel, no TLS', moves: 1000, tls: false, environment: {} },
        {
          ...{ name: 'native channel, net.Socket', moves: 200, tls: true },
          environment: { HOTPOTATO_STREAM: 'socket' },
        },
        { name: 'ipc channel', moves: 200, tls: true, environment: { HOTPOTATO_CHANNEL: 'ipc' } },
        { name: 'noble', moves: 100, tls: true, environment: { HOTPOTATO_PROVIDER: 'noble' } },
        // The latter keep nothing: the gateway has what it needs to survive their containers.
        { name: 'relay, no TLS', moves: 200, tls: false, environment: { HOTPOTATO_CARRIER: 'relay' } },
        {
          ...{ name: 'warm, relay', moves: 200, tls: true, config: WARM },
          environment: { HOTPOTATO_CARRIER: 'relay' },
        },
      ]
    : []),
]
/** Bytes that may be on their way to the server before their answers are waited for. */
const IN_FLIGHT = 300_000
/** Growth of one process's heap that is no leak, in KiB: all the bodies of one case are ten times that. */
const HEAP_GROWTH = 24_576

describe.each(CASES)('$moves moves of one connection: $name', ({ moves, tls, environment, config }) => {
  let platform: Platform

  beforeAll(async () => {
    platform = await Platform.start({ environment, config: config ?? PLAIN })
  })
  afterAll(() => platform?.stop())

  it('keeps every byte, while the client talks', async () => {
    const warm = await Client.open({ port: platform.http })
    for (const target of ['/echo', '/echo-raw', '/echo']) await warm.request(target)
    await warm.close()
    await platform.idle()
    const descriptors = await platform.descriptors()
    const heaps = await heapOf(platform)

    const random = seeded(moves)
    const port = tls ? platform.https : platform.http
    const client = await Client.open({
      port,
      ...(tls ? { tls: { ca: platform.ca, serverName: 'echo.local' } } : {}),
    })
    let underway = 0
    const checks: Promise<void>[] = []
    for (let i = 0; i <= moves; i++) {
      const target = i % 2 === 0 ? '/echo' : '/echo-raw'
      const size = below(random, 4) === 0 ? below(random, 100_001) : below(random, 2000)
      const body = random(size)
      const chunks = below(random, 3) === 0 ? [below(random, 3000), below(random, 40_000), 1] : undefined
      const bytes = client.requestBytes(target, { body, method: 'POST', ...(chunks ? { chunks } : {}) })
      underway += bytes.length
      const answer = client.answer().then(({ status, body: back, hops, container }) => {
        underway -= bytes.length
        if (status !== 200 || hops !== i || container !== `${target.slice(1)}-1`)
          throw new Error(`request ${i}: ${status} after ${hops} moves from ${container}`)
        if (Buffer.compare(back, body) !== 0)
          throw new Error(`request ${i}: the body of ${size} bytes came back changed`)
      })
      checks.push(answer)
      if (tls && i % 97 === 50) client.updateKeys()
      // Sometimes in two pieces, so that a move finds half a request.
      const cut = below(random, 3) === 0 ? below(random, bytes.length) : bytes.length
      client.write(bytes.subarray(0, cut))
      if (cut < bytes.length) {
        await new Promise(resolve => setImmediate(resolve))
        client.write(bytes.subarray(cut))
      }
      if (underway > IN_FLIGHT) await answer
    }
    await Promise.all(checks)
    expect(client.handshakes).toBe(tls ? 1 : 0)
    expect(await client.close()).toEqual({ closeNotify: tls, alert: undefined, error: undefined })

    await platform.idle()
    expect(await platform.total('unclean')).toBe(0)
    // All but the first move, and those that follow a change of keys.
    const returned = await platform.total('returned')
    if (config === undefined || environment.HOTPOTATO_CARRIER === 'relay') expect(returned).toBe(0)
    else expect(returned).toBeGreaterThan(moves * 0.9)
    expect(await platform.descriptors()).toEqual(descriptors)
    const after = await heapOf(platform)
    for (const [name, heap] of Object.entries(after))
      expect(heap - heaps[name]!, name).toBeLessThan(HEAP_GROWTH)
  })
})

async function heapOf(platform: Platform): Promise<Record<string, number>> {
  const members = await platform.status()
  return Object.fromEntries(members.map(({ name, counters }) => [name, counters.heapKiB ?? 0]))
}
