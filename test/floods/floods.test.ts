import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Platform } from '../end-to-end/platform.ts'
import { type Watched, Watchers } from './watchers.ts'

/*
 * One client must never end a container, nor keep others from theirs: real floods against a real platform, with clients watching that
 * behave themselves. Ten minutes of each in `npm run test:long`, HOTPOTATO_FLOOD_SECONDS otherwise; HOTPOTATO_FLOOD names one of them.
 */
const LONG = process.env.HOTPOTATO_LONG !== undefined
const SECONDS = Number(process.env.HOTPOTATO_FLOOD_SECONDS ?? (LONG ? 600 : 1))
const ONLY = process.env.HOTPOTATO_FLOOD

/** MiB that a process may have at any time: its budget, and what Node takes for itself and for what is garbage already. */
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
  handle: ({ query }) => ({ status: 200, body: bytes.subarray(0, Number(/bytes=(\\d+)/.exec(query)?.[1] ?? 10)) }),
}
`
const CHAT = `
export default { fetch: () => new Response('a WebSocket is served here') }
export const webSocket = socket => ({ message: data => socket.send(data), freeze: () => 1 })
`
const MAIN = fileURLToPath(new URL('./attackers/main.mjs', import.meta.url))

let platform: Platform

beforeAll(async () => {
  const files = { 'large.mjs': LARGE, 'chat.mjs': CHAT }
  platform = await Platform.start({ config: CONFIG, files, environment: { HOTPOTATO_LOG_LEVEL: 'warn' } })
})
afterAll(() => platform?.stop())

/** Floods the platform in a process of its own. @returns what that has done */
async function flood(kind: string): Promise<unknown> {
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

function report(kinds: readonly string[], done: readonly unknown[], seen: Watched, most: object): void {
  const floods = kinds.map((kind, index) => `  ${kind}: ${JSON.stringify(done[index])}`)
  const { answered, again, slowest } = seen
  const watchers = `  watchers: ${answered} answered, ${again} of them at the second try, the slowest in ${slowest} ms`
  const text = [`${SECONDS} s of`, ...floods, watchers, `  MiB at most: ${JSON.stringify(most)}`]
  process.stdout.write(`${text.join('\n')}\n`)
}

const groups = ONLY === undefined ? GROUPS : [[ONLY]]

describe.each(groups.map(kinds => ({ kinds })))('while $kinds go on', ({ kinds }) => {
  it('everybody else is served, and no container ends', { timeout: SECONDS * 1000 + 60_000 }, async () => {
    const before = (await platform.status()).map(({ name, pid, restarts }) => ({ name, pid, restarts }))
    const watchers = new Watchers({ port: platform.https, ca: platform.ca })
    const done = await Promise.all(kinds.map(flood))
    const seen = await watchers.stop()
    const after = (await platform.status()).map(({ name, pid, restarts }) => ({ name, pid, restarts }))
    const most = memory(after)
    report(kinds, done, seen, Object.fromEntries(most))
    expect(after).toEqual(before)
    expect(seen.failures).toEqual([])
    expect(seen.answered).toBeGreaterThan(0)
    // On a machine that has no time, a container may not say soon enough that it has taken a connection.
    expect(seen.again).toBeLessThanOrEqual(Math.ceil(seen.answered / 100))
    for (const [name, mebibytes] of most) expect(mebibytes, name).toBeLessThan(MEMORY)
    await platform.idle()
  })
})
