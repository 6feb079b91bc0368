import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { environmentOf, MAIN, Platform } from '../support/platform.ts'

/*
 * Large content from the command line, through a pipe: to functions of each kind, and what their containers
 * hold of it. It takes minutes: `npm run test:long`.
 */

const LONG = process.env.HOTPOTATO_LONG === '1'
const MEGABYTE = 1_000_000
const SIZE = 100 * MEGABYTE

const CONFIG = `
version: 1
gateway: { defaultFunction: pipe }
queue: { enabled: true }
connection: { bodyBytes: ${2 * SIZE}, timers: { handler: 600, keepAlive: 300, headers: 300, container: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  pipe: { handler: ./pipe.mjs }
  program: { command: [node, server.mjs] }
  fork: { command: [wc, -c], mode: fork }
`
const FILES = {
  'pipe.mjs': 'export default request => new Response(request.body)\n',
  'server.mjs': `import { createServer } from 'node:http'
createServer((request, response) => request.pipe(response)).listen(process.env.PORT, '127.0.0.1')
`,
}

let platform: Platform
beforeAll(async () => {
  if (!LONG) return
  const certificates = ['pipe', 'program', 'fork'].map(name => ({ name, hosts: [`${name}.localhost`] }))
  platform = await Platform.start({ config: CONFIG, files: FILES, certificates })
  for (const { name } of certificates) await platform.until(`${name}-1`, ({ ready }) => ready)
})
afterAll(() => platform?.stop())

/** Sends so much content through a pipe. */
async function invoke(...words: string[]) {
  const child: ChildProcess = spawn(process.execPath, [MAIN, 'invoke', ...words], {
    cwd: platform.directory,
    env: environmentOf(platform.directory),
  })
  const piece = Buffer.alloc(MEGABYTE, 'potato')
  const [sent, got] = [createHash('sha256'), createHash('sha256')]
  let [bytes, said] = [0, '']
  child.stdin!.on('error', () => {})
  child.stdout!.on('data', (data: Buffer) => {
    got.update(data)
    bytes += data.length
    if (bytes < 1000) said += data.toString()
  })
  child.stderr!.resume()
  const closed = new Promise<number | null>(resolve => child.once('close', resolve))
  for (let at = 0; at < SIZE && child.stdin!.writable; at += MEGABYTE) {
    sent.update(piece)
    const room = child.stdin!.write(piece)
    if (!room) await Promise.race([new Promise(resolve => child.stdin!.once('drain', resolve)), closed])
  }
  child.stdin!.end()
  return { code: await closed, bytes, said, same: sent.digest('hex') === got.digest('hex') }
}

/** Bytes that the process of a container has held at most. */
async function peak(name: string): Promise<number> {
  const { pid } = await platform.member(name)
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
  return Number(kilobytes) * 1024
}

describe.runIf(LONG)('100 MB through a pipe', () => {
  it.each(['pipe', 'program'])('stream through %s, both ways: its container holds none of it', async name => {
    const before = await peak(`${name}-1`)
    const { code, bytes, same } = await invoke(name)
    expect([code, bytes, same]).toEqual([0, SIZE, true])
    expect((await peak(`${name}-1`)) - before).toBeLessThan(80 * MEGABYTE)
  })

  it('are standard input of a process, when they have come whole', async () => {
    const before = await peak('fork-1')
    const { code, said } = await invoke('fork')
    expect([code, said.trim()]).toEqual([0, String(SIZE)])
    expect((await peak('fork-1')) - before).toBeLessThan(3 * SIZE)
  })

  it('are too large for an asynchronous call, which says how large one may be', async () => {
    const { code, said } = await invoke('pipe', '--async')
    expect(code).not.toBe(0)
    expect(said).toContain('an asynchronous call has at most 1048576 bytes of content')
  })
})
