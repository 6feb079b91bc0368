import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { PlatformStatus } from '../../../src/cli/platform/status.ts'
import type { MemberStatus } from '../../../src/supervisor/status.ts'
import { LONG } from '../../support/long.ts'
import { type Model, modelServer } from '../../support/model-server.ts'
import { hotpotato, makeDirectory, Platform } from '../../support/platform.ts'
import { Certificates } from '../../support/tls-programs.ts'

/*
 * Containers are killed by SIGKILL in the middle of what their functions stream, over a leg, with curl as the
 * client: it gets the rest, each byte once, or it hears that something is missing. It never takes for whole
 * what is not.
 */

/** Pieces of the download, and bytes of each. */
const PIECES = 900
const BYTES = 3000
const PIECE = (n: number): string => String.fromCharCode(97 + (n % 26)).repeat(BYTES)
const WHOLE = Array.from({ length: PIECES }, (_, n) => PIECE(n)).join('')

const STREAMS = `
import { setTimeout } from 'node:timers/promises'

const piece = n => String.fromCharCode(97 + (n % 26)).repeat(${BYTES})
const download = (n, ctx) =>
  ctx.resumable({
    async pull(controller) {
      await setTimeout(5)
      if (n === ${PIECES}) controller.close()
      else controller.enqueue(piece(n++))
    },
    freeze: () => n,
  })
const ticks = (last, ctx) =>
  ctx.events(last, async (id, signal) => {
    await setTimeout(5, undefined, { signal }).catch(() => {})
    const next = Number(id) + 1
    return { id: String(next), data: 'tick ' + next }
  })
const pass = ({ upstream }, ctx) => {
  const reader = upstream.body.getReader()
  return ctx.resumable({
    async pull(controller) {
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    freeze: () => ({ upstream }),
  })
}
const makers = { string: ticks, number: download, object: pass }
export const resume = (state, ctx) => makers[typeof state](state, ctx)
export default {
  async fetch(request, env, ctx) {
    if (ctx.functionPath === '/events') return new Response(ticks('0', ctx))
    if (ctx.functionPath === '/pass') return new Response(pass({ upstream: await ctx.fetch(env.MODEL) }, ctx))
    const sized = { 'content-length': String(${PIECES * BYTES}) }
    return new Response(download(0, ctx), { headers: ctx.functionPath === '/sized' ? sized : {} })
  },
}
`
const ECHOES = ['echo-1', 'echo-2', 'echo-3']

let platform: Platform
let directory: string
let model: Model
const files = await Certificates.make()

beforeAll(async () => {
  const pem = (name: string): string => readFileSync(files.file(name), 'utf8')
  model = await modelServer('http/1.1', { cert: pem('localhost.crt'), key: pem('localhost.key') })
  const config = `
version: 1
carrier: relay
liveness: { failureSeconds: 60 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: { handler: ./streams.mjs, replicas: 3, environment: { MODEL: "${model.url}?tokens=100000" } }
`
  directory = await makeDirectory(config)
  const environment = { HOTPOTATO_CARRIER: '' }
  platform = await Platform.start({ directory, config, environment, files: { 'streams.mjs': STREAMS } })
})
afterAll(async () => {
  await platform?.stop()
  model?.close()
  files.remove()
})
beforeEach(allReady)

/** Each container is there, and knows the keys of the others. */
async function allReady(): Promise<void> {
  const knows = ({ ready, counters }: MemberStatus): boolean => ready && counters.keyRing! >= 3
  for (const name of ECHOES) await platform.until(name, knows)
}

/** What curl gets over one connection. */
function curl(version: string, ...paths: readonly string[]) {
  const at = `echo.local:${platform.https}`
  const args = ['-sS', '-i', version, '-N', '--resolve', `${at}:127.0.0.1`, '--cacert', platform.caFile]
  const urls = paths.map(path => `https://${at}${path}`)
  const child = spawn('curl', [...args, ...urls], { stdio: ['ignore', 'pipe', 'pipe'] })
  const one = { text: '', said: '' }
  child.stdout.setEncoding('latin1').on('data', (piece: string) => {
    one.text += piece
  })
  child.stderr.setEncoding('latin1').on('data', (piece: string) => {
    one.said += piece
  })
  const over = once(child, 'close').then(([code]) => ({
    ...one,
    code: code as number,
    body: bodyOf(one.text),
  }))
  return { child, over, one, body: () => bodyOf(one.text) }
}

const bodyOf = (text: string): string => text.slice(text.indexOf('\r\n\r\n') + 4)

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await setTimeout(2)
}

/** The containers that have connections now. */
async function owners(): Promise<string[]> {
  const { connections } = await platform.order<PlatformStatus>('status connections')
  return connections!.map(({ container }) => container)
}

const idsOf = (text: string): number[] =>
  [...text.matchAll(/^id: (\d+)\ndata: tick \1$/gm)].map(([, id]) => Number(id))

describe.each(['--http1.1', '--http2'])('%s', version => {
  it('downloads and events go on where they were when their container is killed', async () => {
    const download = curl(version, '/sized')
    const chunked = curl(version, '/chunked')
    const events = curl(version, '/events')
    const all = [download, chunked, events]
    for (let round = 1; round <= 2; round++) {
      await until(() =>
        all.every(({ one }) => one.text.length > round * 20_000 * (one === events.one ? 0.2 : 1)),
      )
      // One after the other: what has no container to go on in is held for some seconds alone.
      for (const name of new Set(await owners())) {
        await platform.kill(name)
        await allReady()
      }
      // A download may have come to its end meanwhile.
      for (const { child } of all) expect([null, 0]).toContain(child.exitCode)
    }
    for (const one of [download, chunked]) {
      const { code, said, body } = await one.over
      expect([code, said]).toEqual([0, ''])
      expect(body === WHOLE).toBe(true)
    }
    const before = events.one.text.length
    await until(() => events.one.text.length > before)
    events.child.kill()
    const ids = idsOf((await events.over).body)
    expect(ids.length).toBeGreaterThan(100)
    expect(ids).toEqual(ids.map((_, n) => n + 1))
  })

  it('what is passed on of an upstream ends so that its client hears of it', async () => {
    const { one, over } = curl(version, '/pass')
    await until(() => one.text.length > 2000)
    for (const name of new Set(await owners())) await platform.kill(name)
    const { code, said } = await over
    expect(code).not.toBe(0)
    expect(said).toMatch(/alert|SSL|closed|reset/i)
  })
})

/** Who is killed; each step of a move by itself is in stream-steps.test.ts. */
const ROUNDS = LONG ? (['source', 'source', 'target', 'target'] as const) : (['source', 'target'] as const)

it('killed in the middle of a move: the rest comes right, or it is said that it does not', async () => {
  const ends: string[] = []
  for (const [round, who] of ROUNDS.entries()) {
    const version = round % 2 === 0 ? '--http1.1' : '--http2'
    const download = curl(version, '/chunked')
    await until(() => download.one.text.length > 20_000)
    const { connections, members } = await platform.order<PlatformStatus>('status connections')
    const { id, container } = connections![0]!
    const target = members.find(
      ({ functionName, ready, name }) => functionName === 'echo' && ready && name !== container,
    )!
    const { pid } = await platform.member(who === 'source' ? container : target.name)
    // The order takes effect as soon as the command has found its way, which differs each time.
    const moved = hotpotato(directory, ['move', id, target.name])
    await setTimeout(100 + Math.random() * 400)
    process.kill(pid!, 'SIGKILL')
    const { code, said, body } = await download.over
    await moved
    expect(WHOLE.startsWith(body)).toBe(true)
    if (code === 0) expect(body.length).toBe(WHOLE.length)
    else expect(said).not.toBe('')
    ends.push(code === 0 ? 'whole' : 'cut')
    await allReady()
  }
  // What a move loses of its parties is a moment: as a rule the rest comes.
  expect(ends).toContain('whole')
})
