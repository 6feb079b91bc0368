import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:https'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, hotpotato, makeDirectory, Platform } from '../support/platform.ts'

const LONG = process.env.HOTPOTATO_LONG !== undefined
/** Bytes of each: a request may have 10 MiB. */
const SIZE = 2 ** 23
const DEPLOYS = LONG ? 10 : 2
const BLOCK = 65_536

/** What has come, as a count and a checksum that depends on the order. */
const SUMS = `
const add = (state, piece) => {
  state.bytes += piece.length
  for (const byte of piece) state.sum = (state.sum * 31 + byte) % 2147483647
}
const sums = async (state, ctx, request) => {
  if (request.headers.get('x-freezes') !== 'no') ctx.freezes(() => state)
  for await (const piece of request.body) add(state, piece)
  return Response.json({ ...state, container: ctx.connection.container })
}
export const resume = (state, ctx, env, request) => sums({ ...state, moves: state.moves + 1 }, ctx, request)
export default { fetch: (request, env, ctx) => sums({ bytes: 0, sum: 0, moves: 0 }, ctx, request) }
`
let platform: Platform
let directory: string

beforeAll(async () => {
  const config = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
connection:
  timers: { keepAlive: 300, headers: 300, requestBody: 300, container: 60 }
  minimumRate: { bytesPerSecond: 0 }
functions:
  echo: { handler: ./sums.mjs }
`
  directory = await makeDirectory(config)
  platform = await Platform.start({ directory, config, files: { 'sums.mjs': SUMS } })
})
afterAll(() => platform?.stop())

const block = (n: number): Uint8Array => new Uint8Array(BLOCK).map((_, at) => (n * 7 + at) % 251)

function wanted() {
  let sum = 0
  for (let n = 0; n < SIZE / BLOCK; n++) for (const byte of block(n)) sum = (sum * 31 + byte) % 2147483647
  return { bytes: SIZE, sum }
}

/** One upload, which goes on as far as the test says. */
interface Upload {
  /** Resolves when it has been handed to the kernel. */
  write(bytes: Uint8Array): Promise<void>
  end(): Promise<{ bytes: number; sum: number; moves: number; container: string }>
}

function curl(...more: string[]): Upload {
  const resolve = `echo.local:${platform.https}:127.0.0.1`
  const url = `https://echo.local:${platform.https}/`
  const options = ['-sS', '--resolve', resolve, '--cacert', platform.caFile, ...more]
  const child = spawn('curl', [...options, '-X', 'POST', '-T', '-', url], { stdio: 'pipe' })
  let text = ''
  child.stdout.on('data', (piece: Buffer) => {
    text += piece
  })
  child.stderr.on('data', (piece: Buffer) => {
    text += piece
  })
  const over = once(child, 'close')
  return {
    write: async bytes => {
      if (!child.stdin.write(bytes)) await once(child.stdin, 'drain')
    },
    end: async () => {
      child.stdin.end()
      await over
      return JSON.parse(text)
    },
  }
}

/** Of a length that is told. */
function sized(): Upload {
  const to = { host: '127.0.0.1', port: platform.https, servername: 'echo.local', ca: platform.ca }
  const headers = { host: 'echo.local', 'content-length': SIZE, expect: '100-continue' }
  const sent = request({ ...to, method: 'POST', headers, agent: false })
  const told = once(sent, 'continue')
  sent.flushHeaders()
  const answered = once(sent, 'response')
  return {
    write: async bytes => {
      await told
      if (!sent.write(bytes)) await once(sent, 'drain')
    },
    end: async () => {
      sent.end()
      const [response] = await answered
      let text = ''
      for await (const piece of response) text += piece
      return JSON.parse(text)
    },
  }
}

describe('an upload whose function freezes outlives the containers that read it', () => {
  it('in chunks, of a length, and over HTTP/2', async () => {
    const uploads = [curl('--http1.1'), sized(), curl('--http2')]
    const blocks = SIZE / BLOCK
    for (let n = 0; n < blocks; n++) {
      await Promise.all(uploads.map(one => one.write(block(n))))
      if ((n + 1) % Math.floor(blocks / (DEPLOYS + 1)) !== 0 || n > blocks - 10) continue
      const { code, stdout, stderr } = await hotpotato(directory, ['deploy', 'echo'])
      expect([code, stderr]).toEqual([0, ''])
      // Otherwise it would have waited for them.
      expect(stdout).toContain('moved 3 connections,')
    }
    const answers = await Promise.all(uploads.map(one => one.end()))
    for (const answer of answers) expect(answer).toMatchObject({ ...wanted(), moves: DEPLOYS })
  })

  it('and one whose function does not freeze is named', async () => {
    expect((await hotpotato(directory, ['scale', 'echo', '2'])).code).toBe(0)
    const upload = curl('--http2', '-H', 'x-freezes: no')
    await upload.write(block(0))
    const stays = await eventually(async () => {
      const { stdout } = await hotpotato(directory, ['status', '--connections', '--json'])
      const { connections } = JSON.parse(stdout) as { connections: { stays?: string }[] }
      return connections.find(one => one.stays)?.stays
    }, 'it is not named')
    expect(stays).toMatch(/^POST \/ of echo \(call [0-9a-f-]{36}, for \d+ s\)/)
    expect(await upload.end()).toMatchObject({ bytes: BLOCK, moves: 0 })
  })
})
