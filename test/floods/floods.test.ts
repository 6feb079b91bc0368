import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { MemberStatus } from '../../src/supervisor/status.ts'
import { Platform } from '../support/platform.ts'
import { Watchers } from './watchers.ts'

/*
 * One client must never end a container, nor keep others from theirs: real floods against a real platform,
 * with clients watching that behave themselves. Ten minutes of each in `npm run test:long`,
 * HOTPOTATO_FLOOD_SECONDS otherwise; HOTPOTATO_FLOOD names those that are tried, with commas between them.
 */
const LONG = process.env.HOTPOTATO_LONG !== undefined
const SECONDS = Number(process.env.HOTPOTATO_FLOOD_SECONDS ?? (LONG ? 600 : 1))
const ONLY = process.env.HOTPOTATO_FLOOD

/**
 * MiB that a process may have at any time: its budget, and what Node takes for itself and for what is garbage
 * already.
 */
const MEMORY = 640

/** Floods that are tried at once, on one platform. */
const GROUPS: readonly (readonly string[])[] = [
  ['silence', 'slow uploads', 'rapid reset'],
  ['tiny chunks', 'tiny records', 'empty pings', 'empty continuations'],
  ['late refusal', 'zero windows', 'unread moves'],
]

const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 30s, holdSeconds: 20s } }
liveness: { failureSeconds: ${LONG ? 10 : 30} }
connection: { requests: 1000000, timers: { container: 20s } }
functions:
  echo: { hosts: [echo.local, "*.echo.local"] }
  resize: { handler: ./large.mjs }
  hello: { handler: ./chat.mjs }
  echo-raw: {}
`
/** Answers as long as it is asked for. */
const LARGE = `
const bytes = new Uint8Array(10_000_000)
export default {
  handle: ({ query }) => {
    const count = Number(/bytes=(\\d+)/.exec(query)?.[1] ?? 10)
    return { status: 200, body: bytes.subarray(0, count) }
  },
}
`
const CHAT = `
export default { fetch: () => new Response('a WebSocket is served here') }
export const webSocket = socket => ({ message: data => socket.send(data), freeze: () => 1 })
`
const MAIN = fileURLToPath(new URL('./attackers/main.mjs', import.meta.url))

const LAG = new URL('./lag.mjs', import.meta.url)

let platform: Platform
/** Where the processes say how long their event loops have stood still. */
let lags: string

beforeAll(async () => {
  const files = { 'large.mjs': LARGE, 'chat.mjs': CHAT }
  lags = mkdtempSync(join(tmpdir(), 'hotpotato-lags-'))
  const environment = { HOTPOTATO_LOG_LEVEL: 'warn', NODE_OPTIONS: `--import=${LAG.href}?${lags}` }
  platform = await Platform.start({ config: CONFIG, files, environment })
})
afterAll(async () => {
  await platform?.stop()
  rmSync(lags, { recursive: true, force: true })
})

/** What a flood has done: `connections` that it got, `bytes` that it wrote, and what else it counts. */
type Done = Readonly<Record<string, number>>

/** Floods the platform in a process of its own. */
async function flood(kind: string): Promise<Done> {
  const { http, https, caFile } = platform
  const args = [MAIN, kind, http, https, caFile, SECONDS].map(String)
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`the flood ${kind} ended with ${code}`)
  return JSON.parse(said)
}

/** The most memory that each process has had since its start, in MiB, as the kernel counted it. */
function memory(members: readonly { readonly name: string; readonly pid: number | undefined }[]) {
  const most = (pid: number): number => {
    const [, kibibytes] = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
    return Math.round(Number(kibibytes) / 1024)
  }
  return members.map(({ name, pid }) => [name, most(pid!)] as const)
}

/** Counters that stand for a level, and not for what has happened. */
const LEVELS = new Set(['connections', 'inCustody', 'heldBytes', 'heapKiB', 'rssKiB', 'keyRing', 'relayed'])

/** What each process has counted meanwhile. */
function counted(before: readonly MemberStatus[], after: readonly MemberStatus[]) {
  return after.map(({ name, counters }, index) => {
    const changes = Object.entries(counters)
      .map(([counter, value]) => [counter, value - (before[index]?.counters[counter] ?? 0)] as const)
      .filter(([counter, by]) => by !== 0 && !LEVELS.has(counter))
    return [name, Object.fromEntries(changes)] as const
  })
}

/** For how long the event loop of a process has stood still at most, and how much of that the process ran. */
function lag(pid: number): unknown {
  try {
    return JSON.parse(readFileSync(join(lags, String(pid)), 'utf8'))
  } catch {
    return undefined
  }
}

/** The lines that have been logged, by what they say, with their numbers. */
function logged(log: string): Record<string, number> {
  const found: Record<string, number> = {}
  for (const line of log.split('\n')) {
    const at = line.indexOf('{')
    if (at < 0) continue
    try {
      const { name, msg, kind = '', reason = '', detail = '' } = JSON.parse(line.slice(at))
      const what = [name, msg, kind, reason, detail].filter(part => typeof part === 'string' && part !== '')
      found[what.join(': ')] = (found[what.join(': ')] ?? 0) + 1
    } catch {
      // A line that was cut by a rotation.
    }
  }
  return found
}

const lines = (object: object) =>
  Object.entries(object).map(([name, value]) => `    ${name}: ${JSON.stringify(value)}`)

const groups = ONLY === undefined ? GROUPS : [ONLY.split(',')]

describe.each(groups.map(kinds => ({ kinds })))('while $kinds go on', ({ kinds }) => {
  it('others are served, and no container ends', {
    timeout: SECONDS * 1000 + 120_000,
  }, async () => {
    const before = await platform.status()
    const watchers = new Watchers({ port: platform.https, ca: platform.ca })
    const done = await Promise.all(kinds.map(flood))
    const seen = await watchers.stop()
    const after = await platform.status()
    const most = memory(after)
    const { answered, again, slowest, reasons } = seen
    const text = [
      `${SECONDS} s of`,
      ...kinds.map((kind, index) => `  ${kind}: ${JSON.stringify(done[index])}`),
      `  watchers: ${answered} answered, ${again} of them at the second try, the slowest in ${slowest} ms`,
      ...lines(reasons),
      `  MiB at most: ${JSON.stringify(Object.fromEntries(most))}`,
      '  counted:',
      ...lines(Object.fromEntries(counted(before, after))),
      '  event loops that stood still for:',
      ...lines(Object.fromEntries(after.map(({ name, pid }) => [name, lag(pid!)]))),
      '  logged:',
      ...lines(logged(platform.log)),
    ]
    process.stdout.write(`${text.join('\n')}\n`)
    const alive = (members: readonly MemberStatus[]) =>
      members.map(({ name, pid, restarts }) => ({ name, pid, restarts }))
    expect(alive(after)).toEqual(alive(before))
    // A flood that nothing came of has tried nothing.
    for (const [index, kind] of kinds.entries()) {
      expect(done[index]!.connections, kind).toBeGreaterThan(0)
      if (kind !== 'silence') expect(done[index]!.bytes, kind).toBeGreaterThan(0)
    }
    expect(seen.failures).toEqual([])
    expect(seen.answered).toBeGreaterThan(0)
    // On a machine that has no time, a container may not say soon enough that it has taken a connection.
    expect(seen.again).toBeLessThanOrEqual(Math.ceil(seen.answered / 100))
    for (const [name, mebibytes] of most) expect(mebibytes, name).toBeLessThan(MEMORY)
    await platform.idle()
  })
})
