import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PlatformStatus } from '../../src/cli/platform/status.ts'
import { Browser } from '../support/browser.ts'
import { CHROMIUM, CHROMIUM_NOTE, localSwitches } from '../support/chromium.ts'
import { eventually, hotpotato, Platform } from '../support/platform.ts'
import { Chat, type CountedLine, eventSourceLine, undiciLine } from './thousand-moves/clients.ts'
import { BLOCK, moduleOf } from './thousand-moves/function.ts'
import { type Kind, type Measure, Stream } from './thousand-moves/streams.ts'

/*
 * Clients that people have, with streams that last longer than the code that serves them: each has one
 * connection, and what it gets is one stream, however often its function is deployed. (What `curl` makes of
 * it is in streams.test.ts and uploads.test.ts.)
 */
const DEPLOYS = process.env.HOTPOTATO_LONG === undefined ? 3 : 20
const MEASURE: Omit<Measure, 'folder'> = { blocks: 2 ** 22 / BLOCK, events: 2000, moves: DEPLOYS }

const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
connection:
  minimumRate: { bytesPerSecond: 0 }
  timers: { keepAlive: 300, headers: 300, requestBody: 300, handler: 3600 }
functions:
  echo: { handler: ./streams.mjs, carrier: fd }
  resize: { handler: ./streams.mjs, carrier: relay }
`
/** The same streams, a page, and a WebSocket that counts its messages. */
const STREAMS = `
import streams, { resume } from './paced.mjs'
export { resume }
export default {
  fetch(request, env, ctx) {
    if (ctx.functionPath !== '/page') return streams.fetch(request, env, ctx)
    const page = '<!doctype html><link rel="icon" href="data:,"><title>Events</title>'
    return new Response(page, { headers: { 'content-type': 'text/html' } })
  },
}
export function webSocket(socket, ctx, state = { count: 0 }) {
  return { message: data => socket.send(++state.count + ' ' + data), freeze: () => state }
}
`

let platform: Platform
let measure: Measure

beforeAll(async () => {
  measure = { ...MEASURE, folder: mkdtempSync(join(tmpdir(), 'hotpotato-clients-')) }
  const paced = moduleOf(measure.folder, measure.blocks, measure.events)
  const files = { 'streams.mjs': STREAMS, 'paced.mjs': paced }
  platform = await Platform.start({ config: CONFIG, files, environment: { HOTPOTATO_CARRIER: '' } })
})
afterAll(async () => {
  await platform?.stop()
  rmSync(measure.folder, { recursive: true })
})

type Connections = NonNullable<PlatformStatus['connections']>

async function connectionsOf(functionName: string): Promise<Connections> {
  const { connections = [] } = await platform.order<PlatformStatus>('status connections')
  return connections.filter(one => one.functionName === functionName)
}

/** A client that is underway, and the one connection that it had to open for that. */
interface Underway {
  readonly id: string
  /** Moves that the connection had behind it. */
  readonly hops: number
  readonly line: Pick<CountedLine, 'connections' | 'close'>
  readonly streams: readonly { readonly failure: unknown; moved(times: number): void }[]
  /** Each kind with what it came to. */
  outcomes(): Promise<(readonly [Kind | 'chat', string])[]>
}

/** Begins, and finds its connection: one that is at work since then. A WebSocket's never counts as that. */
async function begin(
  functionName: string,
  state: 'busy' | 'idle',
  start: () => Omit<Underway, 'id' | 'hops'>,
): Promise<Underway> {
  const busy = async () => (await connectionsOf(functionName)).filter(one => one.state === state)
  const before = new Set((await busy()).map(({ id }) => id))
  const client = start()
  return eventually(async () => {
    for (const { failure } of client.streams) if (failure !== undefined) throw failure
    const found = (await busy()).find(({ id }) => !before.has(id))
    return found === undefined ? undefined : { ...client, id: found.id, hops: found.hops }
  }, 'its request has not come')
}

function flow(functionName: string, line: CountedLine, kinds: readonly Kind[], name: string) {
  return begin(functionName, 'busy', () => {
    const streams = kinds.map(kind => new Stream(line, kind, `${functionName}-${name}-${kind}`, measure))
    const outcomes = () =>
      Promise.all(streams.map(async ({ kind, outcome }) => [kind, await outcome] as const))
    return { line, streams, outcomes }
  })
}

const wanted = (...kinds: Kind[]) => kinds.map(kind => [kind, Stream.wanted(kind, measure)])

describe.each([
  ['fd', 'echo'],
  ['relay', 'resize'],
])(`${DEPLOYS} deploys over %s`, (_, functionName) => {
  const clients: Record<string, Underway> = {}
  let browser: Browser | undefined
  let hops: Record<string, number> = {}
  let taken = 0

  beforeAll(async () => {
    const to = { port: platform.https, host: `${functionName}.local`, ca: platform.ca }
    if (CHROMIUM !== undefined) {
      const pem = (name: string) => readFileSync(join(platform.directory, 'certs', `${name}.crt`), 'utf8')
      browser = await Browser.open(localSwitches([pem('ca'), pem(functionName)]))
      await browser.go(`https://${to.host}:${to.port}/page`)
      await browser.until(`document.title === 'Events'`)
      const line = eventSourceLine(browser, measure.events)
      clients.chromium = await flow(functionName, line, ['events'], 'chromium')
    }
    clients.download = await flow(functionName, undiciLine(to, false), ['download'], 'undici-1')
    clients.upload = await flow(functionName, undiciLine(to, false), ['upload'], 'undici-1')
    clients.both = await flow(functionName, undiciLine(to, true), ['download', 'upload'], 'undici-2')
    clients.chat = await begin(functionName, 'idle', () => {
      const chat = new Chat(to)
      const outcomes = async () => [['chat', await chat.outcome()] as const]
      return { line: chat, streams: [chat], outcomes }
    })
    const before = await platform.total('delivered')
    for (let times = 1; times <= DEPLOYS; times++) {
      const { code, stderr } = await hotpotato(platform.directory, ['deploy', functionName])
      expect([code, stderr]).toEqual([0, ''])
      if (times === DEPLOYS) {
        const at = await connectionsOf(functionName)
        hops = Object.fromEntries(at.map(one => [one.id, one.hops]))
      }
      for (const { streams } of Object.values(clients))
        for (const stream of streams) if (stream.failure === undefined) stream.moved(times)
    }
    taken = (await platform.total('delivered')) - before
  }, 240_000)
  afterAll(async () => {
    await Promise.all(Object.values(clients).map(({ line }) => line.close()))
    await browser?.close()
  })

  /** What became of a client: its streams, its own connections, and moves of the first. */
  async function became(name: string) {
    const { line, id, hops: first, outcomes } = clients[name]!
    return { streams: await outcomes(), connections: line.connections(), moves: hops[id]! - first }
  }
  const through = (streams: unknown) => ({ streams, connections: 1, moves: DEPLOYS })

  it('a download of undici', async () => {
    expect(await became('download')).toEqual(through(wanted('download')))
  })
  it('an upload of undici', async () => {
    expect(await became('upload')).toEqual(through(wanted('upload')))
  })
  it('both on one connection of undici, over HTTP/2', async () => {
    expect(await became('both')).toEqual(through(wanted('download', 'upload')))
  })
  it('a WebSocket of ws, with a question always underway', async () => {
    expect(await became('chat')).toEqual(through([['chat', 'answered in order']]))
  })
  it.skipIf(CHROMIUM === undefined)(`EventSource in ${CHROMIUM_NOTE}`, async () => {
    expect(await became('chromium')).toEqual(through(wanted('events')))
  })
  it('the gateway takes no connection meanwhile', () => {
    expect(taken).toBe(0)
  })
})
