import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, mkdirSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { get } from 'node:https'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PlatformStatus } from '../../src/cli/platform/status.ts'
import { hotpotato, makeDirectory, Platform } from '../support/platform.ts'

const LONG = process.env.HOTPOTATO_LONG !== undefined
/** Bytes of the download, and deploys during it. Much is left then that lies in no buffer of the kernel. */
const SIZE = LONG ? 2 ** 30 : 2 ** 26
const DEPLOYS = LONG ? 20 : 2
const BLOCK = 65_536
/** Bytes between two deploys; after the last there are twice as many. */
const STRIDE = SIZE / (DEPLOYS + 2)
/** Bytes that a download reads at most while a deploy goes on. */
const AHEAD = STRIDE / 2

const STREAMS = `
import { setTimeout } from 'node:timers/promises'

const BLOCK = ${BLOCK}
const block = n => new Uint8Array(BLOCK).fill(n % 251)
const download = ({ n, most }, ctx) =>
  ctx.resumable({
    pull: controller => (n === most ? controller.close() : controller.enqueue(block(n++))),
    freeze: () => ({ n, most }),
  })
const ticks = (last, ctx) =>
  ctx.events(last, async (id, signal) => {
    await setTimeout(5, undefined, { signal }).catch(() => {})
    const next = Number(id) + 1
    return { id: String(next), data: 'tick ' + next }
  })
export const resume = (state, ctx) => (typeof state === 'string' ? ticks(state, ctx) : download(state, ctx))
export default {
  fetch(request, env, ctx) {
    const most = ${SIZE} / BLOCK
    if (ctx.functionPath === '/plain')
      return new Response(new ReadableStream({ start: controller => controller.enqueue(block(1)) }))
    if (ctx.functionPath === '/events')
      return new Response(ticks('0', ctx), { headers: { 'content-type': 'text/event-stream' } })
    const headers = ctx.functionPath === '/sized' ? { 'content-length': String(most * BLOCK) } : {}
    return new Response(download({ n: 0, most }, ctx), { headers })
  },
}
`
let platform: Platform
let directory: string

beforeAll(async () => {
  const config = `
version: 1
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: { handler: ./streams.mjs }
  site: { files: ./shown }
`
  directory = await makeDirectory(config)
  mkdirSync(join(directory, 'shown'))
  for (let n = 0; n < SIZE / BLOCK; n++)
    appendFileSync(join(directory, 'shown', 'large.bin'), new Uint8Array(BLOCK).fill(n % 251))
  const files = { 'streams.mjs': STREAMS }
  platform = await Platform.start({ directory, config, files })
})
afterAll(() => platform?.stop())

/** What curl gets. @param more of its options */
function curl(version: string, path: string) {
  const resolve = `echo.local:${platform.https}:127.0.0.1`
  const child = spawn(
    'curl',
    [
      '-sS',
      version,
      '-N',
      '--resolve',
      resolve,
      '--cacert',
      platform.caFile,
      `https://echo.local:${platform.https}${path}`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let text = ''
  child.stdout.setEncoding('latin1').on('data', (piece: string) => {
    text += piece
  })
  let said = ''
  child.stderr.on('data', (piece: Buffer) => {
    said += piece
  })
  const over = once(child, 'close').then(([code]) => ({
    code,
    said,
    text,
  }))
  return { child, over, got: () => text.length }
}

/** A piece of the download in so many milliseconds, beyond half of what lies between two deploys. */
const CRAWL = 250

/**
 * A download that reads on as far as the test wants, slowly beyond that, and still more slowly from half a
 * deploy on. It never stops: what its client takes nothing of waits for that, and does not move meanwhile.
 */
class Download {
  bytes = 0
  #wanted = 0
  #over = false
  readonly #hash = createHash('sha256')
  readonly #done: Promise<void>

  constructor(path: string) {
    this.#done = this.#read(path)
    this.#done.catch(() => {}) // it is looked at when it is awaited
  }

  get digest(): string {
    return this.#hash.digest('hex')
  }

  /** @param bytes what it is to have then; beyond its end: all of it */
  async until(bytes: number): Promise<void> {
    this.#wanted = bytes
    await Promise.race([this.#done, until(() => this.#over || this.bytes >= bytes)])
    if (bytes === Infinity) await this.#done
  }

  async #read(path: string): Promise<void> {
    const to = { host: '127.0.0.1', port: platform.https, servername: 'echo.local', ca: platform.ca }
    const request = get({ ...to, path, headers: { host: 'echo.local' }, agent: false })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    for await (const piece of response as AsyncIterable<Uint8Array>) {
      this.bytes += piece.length
      this.#hash.update(piece)
      if (this.bytes > this.#wanted) await setTimeout(20)
      // However long a deploy takes, the download is still underway then.
      const end = Date.now() + CRAWL
      await until(() => this.bytes < this.#wanted + AHEAD || Date.now() > end)
    }
    this.#over = true
  }
}

/** Waits until it holds. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await setTimeout(5)
}

function wanted(): string {
  const hash = createHash('sha256')
  for (let n = 0; n < SIZE / BLOCK; n++) hash.update(new Uint8Array(BLOCK).fill(n % 251))
  return hash.digest('hex')
}

describe('a stream whose function freezes outlives the containers that send it', () => {
  it('downloads of clients that read slowly, and events that come one by one', async () => {
    const events = ['--http1.1', '--http2'].map(version => curl(version, '/events'))
    const downloads = ['/', '/sized'].map(path => new Download(path))
    for (let at = 1; at <= DEPLOYS; at++) {
      const thus = STRIDE * at
      await Promise.all([
        ...downloads.map(one => one.until(thus)),
        ...events.map(one => until(() => one.got() > at * 1000)),
      ])
      const { code, stdout, stderr } = await hotpotato(directory, ['deploy', 'echo'])
      expect([code, stderr]).toEqual([0, ''])
      // Otherwise it would have waited for them.
      expect(stdout).toContain('moved 4 connections,')
    }
    expect(events.map(({ child }) => child.exitCode)).toEqual([null, null])
    for (const download of downloads) {
      expect(download.bytes).toBeLessThan(SIZE)
      await download.until(Infinity)
      expect([download.bytes, download.digest]).toEqual([SIZE, wanted()])
    }
    for (const { child, over } of events) {
      child.kill()
      const { said, text } = await over
      expect(said).toBe('')
      const ids = [...text.matchAll(/^id: (\d+)\ndata: tick (\d+)$/gm)].map(([, id, data]) => [id, data])
      expect(ids).toEqual(Array.from(ids, (_, n) => [String(n + 1), String(n + 1)]))
    }
  })
})

it('a file outlives the containers that send it, without code of an author', async () => {
  const downloads = ['/site/large.bin', '/site/large.bin'].map(path => new Download(path))
  await Promise.all(downloads.map(one => one.until(SIZE / 2)))
  const { code, stdout, stderr } = await hotpotato(directory, ['deploy', 'site'])
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toContain('moved 2 connections,')
  for (const download of downloads) {
    expect(download.bytes).toBeLessThan(SIZE)
    await download.until(Infinity)
    expect([download.bytes, download.digest]).toEqual([SIZE, wanted()])
  }
})

describe.each(['http1.1', 'http2'])('a stream that does not freeze, over %s', version => {
  let plain: ReturnType<typeof curl>
  let held: NonNullable<PlatformStatus['connections']>[number]

  it('is named by `move`', async () => {
    expect((await hotpotato(directory, ['scale', 'echo', '2'])).code).toBe(0)
    plain = curl(`--${version}`, '/plain')
    await until(() => plain.got() > 0)
    const { stdout } = await hotpotato(directory, ['status', '--connections', '--json'])
    const { connections, members } = JSON.parse(stdout) as PlatformStatus
    const protocol = version === 'http2' ? 'h2' : 'http/1.1'
    held = connections!.find(one => one.stays !== undefined && one.protocol === protocol)!
    const name = /^GET \/plain of echo \(call [0-9a-f-]{36}, for \d+ s\)/
    expect(held).toMatchObject({ stays: expect.stringMatching(name) })
    const echoes = members.filter(({ functionName, ready }) => functionName === 'echo' && ready)
    const other = echoes.find(one => one.name !== held.container)!
    const move = await hotpotato(directory, ['move', held.id, other.name])
    expect(move.code).not.toBe(0)
    expect(move.stderr).toMatch(/is busy with it: GET \/plain of echo \(.*\) cannot move; it moves when/)
  })

  it.runIf(LONG)('is counted by `status` while it holds up a drain', async () => {
    const drained = hotpotato(directory, ['drain', held.container])
    for (;;) {
      const { stdout: text } = await hotpotato(directory, ['status'])
      if (text.includes(`held up by what cannot move: ${held.container} (1, for `)) break
    }
    plain.child.kill()
    expect((await drained).code).toBe(0)
  })

  afterAll(() => plain?.child.kill())
})
