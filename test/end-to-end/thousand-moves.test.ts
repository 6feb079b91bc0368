import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PlatformStatus } from '../../src/cli/platform/status.ts'
import { LONG } from '../support/long.ts'
import { eventually, Platform } from '../support/platform.ts'
import { BLOCK, moduleOf } from './thousand-moves/function.ts'
import { KINDS, type Kind, type Line, line1, line2, type Measure, Stream } from './thousand-moves/streams.ts'

/*
 * Long streams whose connection is moved to and fro while they flow: a thousand times in 1 GiB and in 100,000
 * events with HOTPOTATO_LONG. How often a connection has moved is what the platform says.
 */
const MEASURE: Omit<Measure, 'folder'> = LONG
  ? { blocks: 2 ** 30 / BLOCK, events: 100_000, moves: 1000 }
  : { blocks: 2 ** 22 / BLOCK, events: 500, moves: 8 }
/** Milliseconds between two orders to move what could not move just then. */
const AGAIN = 5

const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
connection:
  bodyBytes: 1073741824
  minimumRate: { bytesPerSecond: 0 }
  timers: { keepAlive: 300, headers: 300, requestBody: 300, handler: 3600 }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  echo: { handler: ./streams.mjs, carrier: fd, replicas: 2 }
  hello: { handler: ./streams.mjs, carrier: fd, duplicate: true, replicas: 2 }
  resize: { handler: ./streams.mjs, carrier: relay, replicas: 2 }
`
const ROADS = [
  ['over fd', 'echo'],
  ['over fd with a duplicate', 'hello'],
  ['over relay', 'resize'],
] as const

let platform: Platform
let measure: Measure
/** What a stream of each kind has to come to. */
let wanted: Readonly<Record<Kind, string>>

beforeAll(async () => {
  measure = { ...MEASURE, folder: mkdtempSync(join(tmpdir(), 'hotpotato-moves-')) }
  wanted = Object.fromEntries(KINDS.map(kind => [kind, Stream.wanted(kind, measure)])) as typeof wanted
  const files = { 'streams.mjs': moduleOf(measure.folder, measure.blocks, measure.events) }
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

/** @throws what one of them has failed with */
function refuse(streams: readonly Stream[]): void {
  for (const { failure } of streams) if (failure !== undefined) throw failure
}

/** Opens one with its streams. @returns its id, too */
async function opened(functionName: string, line: Line, kinds: readonly Kind[], name: string) {
  const before = new Set((await connectionsOf(functionName)).map(({ id }) => id))
  const streams = kinds.map(kind => new Stream(line, kind, `${name}-${kind}`, measure))
  for (;;) {
    refuse(streams)
    const found = (await connectionsOf(functionName)).filter(({ id }) => !before.has(id))
    if (found.length === 1) return { id: found[0]!.id, line, streams }
    await setTimeout(AGAIN)
  }
}

/** Moves one between the containers of its function as often as it has to, as `hotpotato move` does. */
async function moved(functionName: string, id: string, streams: readonly Stream[]): Promise<void> {
  const names = (await platform.status())
    .filter(one => one.functionName === functionName)
    .map(({ name }) => name)
  // It is not listed where a container is too busy to say in time what it has.
  let at = await eventually(async () => {
    refuse(streams)
    return (await connectionsOf(functionName)).find(one => one.id === id)?.container
  }, `the connection ${id} is not there`)
  for (let times = 1; times <= measure.moves; times++) {
    const to = names.find(name => name !== at)!
    for (;;) {
      const { error } = await platform.order<{ error?: string }>(`move ${id} ${to}`)
      refuse(streams)
      // An order whose answer came late may have been carried out meanwhile, or just be underway.
      if (error === undefined || error === `the connection is already in ${to}`) break
      expect(error).toMatch(/is busy with it|^there is no connection|is already moving/)
      await setTimeout(AGAIN)
    }
    at = to
    for (const stream of streams) stream.moved(times)
  }
}

describe(`${MEASURE.moves} moves in streams that flow`, () => {
  it.each(ROADS)(
    '%s, over HTTP/1.1 and HTTP/2',
    { timeout: LONG ? 3_600_000 : 600_000 },
    async (_, functionName) => {
      const to = { port: platform.https, host: `${functionName}.local`, ca: platform.ca }
      const [download, events, upload, all] = [line1(to), line1(to), line1(to), line2(to)]
      const connections = [
        await opened(functionName, download, ['download'], `${functionName}-1`),
        await opened(functionName, events, ['events'], `${functionName}-1`),
        await opened(functionName, upload, ['upload'], `${functionName}-1`),
        await opened(functionName, all, KINDS, `${functionName}-2`),
      ]
      await Promise.all(connections.map(({ id, streams }) => moved(functionName, id, streams)))
      for (const { streams } of connections)
        for (const { kind, outcome } of streams) expect([kind, await outcome]).toEqual([kind, wanted[kind]])
      const ended = await connectionsOf(functionName)
      for (const { id } of connections) expect(ended.find(one => one.id === id)?.hops).toBe(measure.moves)
      for (const { line } of connections) line.close()
    },
  )
})
