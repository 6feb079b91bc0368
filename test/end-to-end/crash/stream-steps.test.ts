import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { PlatformStatus } from '../../../src/cli/platform/status.ts'
import { LONG } from '../../support/long.ts'
import { eventually, Platform } from '../../support/platform.ts'

/*
 * A stream moves, and one of the two containers is killed at a certain step of that: by its function, which
 * is asked at each of them. What a client gets is what it would have got, from the first byte, and ends early
 * only where nothing can go on.
 */

/** Pieces of the stream, and bytes of each. */
const PIECES = 200
const BYTES = 2000
const WHOLE = Array.from({ length: PIECES }, (_, n) => String.fromCharCode(97 + (n % 26)).repeat(BYTES)).join(
  '',
)

/** The file `step` says where to kill, once. The one who reads it first takes it away. */
const STREAM = `
import { readFileSync, rmSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

const file = new URL('./step', import.meta.url)
function at(step, pid) {
  try {
    if (readFileSync(file, 'utf8') !== step) return
    rmSync(file)
  } catch {
    return
  }
  process.kill(pid, 'SIGKILL')
  // It has not come about yet.
  if (pid === process.pid) for (;;);
}
const piece = n => String.fromCharCode(97 + (n % 26)).repeat(${BYTES})
const from = ({ n, from }, ctx) => {
  let first = from !== undefined
  return ctx.resumable({
    async pull(controller) {
      if (first) at('target, first byte', process.pid)
      first = false
      await setTimeout(10)
      if (n === ${PIECES}) controller.close()
      else controller.enqueue(piece(n++))
    },
    freeze: () => {
      at('source, frozen', process.pid)
      return { n, from: process.pid }
    },
  })
}
export const resume = (state, ctx) => {
  at('source, sent', state.from)
  at('target, received', process.pid)
  return from(state, ctx)
}
export default { fetch: (request, env, ctx) => new Response(from({ n: 0 }, ctx)) }
`
const CONFIG = `
version: 1
gateway: { defaultFunction: echo }
liveness: { failureSeconds: 60 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: { handler: ./stream.mjs, carrier: fd, replicas: 2 }
  hello: { handler: ./stream.mjs, carrier: fd, duplicate: true, replicas: 2 }
  resize: { handler: ./stream.mjs, carrier: relay, replicas: 2 }
`
let platform: Platform

beforeAll(async () => {
  platform = await Platform.start({
    config: CONFIG,
    files: { 'stream.mjs': STREAM },
    environment: { HOTPOTATO_CARRIER: '' },
  })
})
afterAll(() => platform?.stop())
/** All replicas are there, and know each other's keys. */
beforeEach(async () => {
  for (const name of ['echo', 'hello', 'resize'])
    for (const replica of [1, 2])
      await platform.until(`${name}-${replica}`, ({ ready, counters }) => ready && counters.keyRing! >= 2)
})

function curl(functionName: string, version: string) {
  const at = `${functionName}.local:${platform.https}`
  const options = ['-sS', version, '-N', '--resolve', `${at}:127.0.0.1`, '--cacert', platform.caFile]
  const child = spawn('curl', [...options, `https://${at}/`], { stdio: ['ignore', 'pipe', 'pipe'] })
  const got = { body: '', said: '' }
  child.stdout.setEncoding('latin1').on('data', (piece: string) => {
    got.body += piece
  })
  child.stderr.setEncoding('latin1').on('data', (piece: string) => {
    got.said += piece
  })
  return { got, over: once(child, 'close').then(([code]) => code as number) }
}

/** How it ends, if the container is killed at that step. */
const ENDS = {
  /** It has the connection and has not sent it. (Over a leg this may be for a checkpoint as well.) */
  'source, frozen': { fd: 'cut', duplicate: 'cut', relay: 'whole' },
  /** The other one has it, and has not said so. */
  'source, sent': { fd: 'whole', duplicate: 'whole', relay: 'whole' },
  /** The first one waits for its word. */
  'target, received': { fd: 'cut', duplicate: 'cut', relay: 'whole' },
  /** The first one has given it up. */
  'target, first byte': { fd: 'cut', duplicate: 'cut', relay: 'whole' },
} as const
const ROADS = [
  ['fd', 'echo'],
  ['duplicate', 'hello'],
  ['relay', 'resize'],
] as const

/** Both in a long run; in a short one the one or the other by turns: each road and each step meets both. */
function versionsOf(road: string, step: string): readonly string[] {
  const turn = ROADS.findIndex(([name]) => name === road) + Object.keys(ENDS).indexOf(step)
  return LONG ? ['--http1.1', '--http2'] : [turn % 2 === 0 ? '--http1.1' : '--http2']
}

describe.each(ROADS)('over %s', (road, functionName) => {
  describe.each(Object.entries(ENDS))('killed: %s', (step, ends) => {
    it.each(versionsOf(road, step))('%s', async version => {
      const { got, over } = curl(functionName, version)
      await eventually(() => (got.body.length > 10 * BYTES ? true : undefined), 'nothing comes')
      const { connections, members } = await platform.order<PlatformStatus>('status connections')
      const mine = connections!.find(one => one.functionName === functionName && one.state === 'busy')!
      const other = members.find(one => one.functionName === functionName && one.name !== mine.container)!
      const file = join(platform.directory, 'step')
      writeFileSync(file, step)
      await Promise.race([platform.order(`move ${mine.id} ${other.name}`), setTimeout(10_000)])
      const code = await over
      expect(existsSync(file)).toBe(false)
      expect(WHOLE.startsWith(got.body)).toBe(true)
      expect({ end: code === 0 ? 'whole' : 'cut', all: got.body.length === WHOLE.length }).toEqual({
        end: ends[road],
        all: ends[road] === 'whole',
      })
      // It was told, and has not merely noticed that too little came.
      if (code !== 0) expect(got.said).not.toBe('')
    })
  })
})
