import { execFileSync } from 'node:child_process'
import { chownSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConnectionStatus, Moved, RevealedState } from '../../src/supervisor/sessions.ts'
import { SessionState } from '../../src/tls13/index.ts'
import { readRecording } from '../../src/trace/recording.ts'
import { decodeEnvelope } from '../../src/transfer/envelope.ts'
import { decode, fromHex, hex } from '../../src/wire/index.ts'
import { Client } from '../support/client.ts'
import { hotpotato, MAIN, Platform } from '../support/platform.ts'

/*
 * `hotpotato move --dump`: what travels, in clear, of a live connection. A platform that was started to teach
 * tells it, and no other.
 */

const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, requestBody: 300, container: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions: { echo: { replicas: 2 } }
`

/** Connections that were spoken of: they may end a little later than their clients. */
const seen = new Set<string>()

/** A connection that is idle, and how to say where it is and where it could go. */
async function idle(platform: Platform) {
  const tls = { ca: platform.ca, serverName: 'echo.local' }
  const client = await Client.open({ port: platform.https, tls })
  await client.request('/')
  const { connections } = await platform.order<{ connections: ConnectionStatus[] }>('status connections')
  const { id, container, generation } = connections.find(one => !seen.has(one.id))!
  seen.add(id)
  return { client, id, container, generation, other: container === 'echo-1' ? 'echo-2' : 'echo-1' }
}

describe('a platform that was not started to teach', () => {
  let platform: Platform
  beforeAll(async () => {
    platform = await Platform.start({ config: CONFIG })
  })
  afterAll(() => platform?.stop())

  it('says nothing of it, and tells and moves nothing: its container refuses', async () => {
    const { client, id, container, other } = await idle(platform)
    const refusal = expect.stringMatching(/^this platform was not started to teach, and tells no secrets: /)
    const file = join(platform.directory, 'refused.bin')
    writeFileSync(file, 'of an earlier move')
    const { code, stdout, stderr } = await hotpotato(platform.directory, ['move', id, other, '--dump', file])
    expect([code, stdout, stderr]).toEqual([1, '', refusal])
    expect(stderr.split('\n').length).toBe(2)
    expect(readFileSync(file, 'utf8')).toBe('of an earlier move')
    // The same without our own command between: nothing above the container looks at it.
    for (const order of [`move ${id} ${other} dump`, `reveal ${id}`] as const)
      expect(await platform.order(order)).toEqual({ error: refusal })
    const { connections } = await platform.order<{ connections: ConnectionStatus[] }>('status connections')
    expect(connections.find(one => one.id === id)).toMatchObject({ container, hops: 0 })
    expect(platform.welcome).not.toContain('TEACH')
    expect(await client.request('/')).toMatchObject({ status: 200, hops: 0 })
    client.end()
  })

  it('cannot be made to teach while it runs', async () => {
    const file = join(platform.directory, 'hotpotato.yml')
    writeFileSync(file, `${CONFIG}teach: true\n`)
    const { code, stderr } = await hotpotato(platform.directory, ['reload'])
    writeFileSync(file, CONFIG)
    expect([code, stderr]).toEqual([expect.any(Number), expect.stringContaining('teach')])
    expect(code).not.toBe(0)
  })
})

describe('a platform that teaches', () => {
  let platform: Platform
  beforeAll(async () => {
    platform = await Platform.start({ config: CONFIG, args: ['--teach'] })
  })
  afterAll(() => platform?.stop())

  const at = (name: string): string => join(platform.directory, name)

  it('says so at its start, and in its status', async () => {
    expect(platform.welcome).toMatch(/^TEACH MODE: /m)
    const { stdout } = await hotpotato(platform.directory, ['status'])
    expect(stdout).toMatch(/^TEACH MODE: /)
    expect(await platform.order('status')).toMatchObject({ teaches: true })
  })

  it('tells what travels, and the session before and after, which the client goes on with', async () => {
    const { client, id, container, other, generation } = await idle(platform)
    const moved = await platform.order<Moved>(`move ${id} ${other} dump`)
    expect(moved).toMatchObject({ connection: id, from: container, to: other, generation: generation + 1 })
    const { before, envelope, after } = moved.dump!
    const travelled = decodeEnvelope(fromHex(envelope))
    expect(hex(travelled.sessionId)).toBe(id)
    expect(travelled.generation).toBe(generation + 1)
    const [one, other_] = [before!, after!].map(state => decode(SessionState, fromHex(state)))
    // The keys are those of the client: it goes on with the state that was told.
    expect(travelled.tls!.read).toEqual(one!.read)
    expect(other_!.write).toEqual(one!.write)
    const answer = await client.request('/')
    expect(answer).toMatchObject({ status: 200, container: other, hops: 1 })
    const now = await platform.order<RevealedState>(`reveal ${id}`)
    expect(now).toMatchObject({ connection: id, container: other })
    const later = decode(SessionState, fromHex(now.state))
    expect(later.read!.sequenceNumber).toBe(other_!.read!.sequenceNumber + 1)
    client.end()
  })

  it('writes it where inspect and the page read it, for its owner alone, and logs none of it', async () => {
    const { client, id, container, other } = await idle(platform)
    for (const [name, to] of [
      ['move.bin', other],
      ['move.json', container],
      ['move.html', other],
    ] as const) {
      writeFileSync(at(name), 'what was there before '.repeat(1000), { mode: 0o666 })
      const { code, stderr, stdout } = await hotpotato(platform.directory, [
        ...['move', id, to, '--dump', at(name), '--json'],
      ])
      expect([code, stderr]).toEqual([0, ''])
      expect(Object.keys(JSON.parse(stdout) as object)).toEqual(['connection', 'from', 'to', 'generation'])
      expect(statSync(at(name)).mode & 0o777).toBe(0o600)
    }
    const words = [MAIN, 'inspect', at('move.bin')]
    const stdout = execFileSync(process.execPath, words, { encoding: 'utf8' })
    expect(stdout).toContain(id)
    expect(stdout).toMatch(/cipher_suite.* = TLS_AES_128_GCM_SHA256/)
    const recording = readRecording(readFileSync(at('move.json'), 'utf8'))
    const [{ states, parcels }] = recording.connections as [(typeof recording.connections)[0]]
    expect(states.map(({ when }) => when)).toEqual([
      `before the move, in ${other}`,
      `after the move, in ${container}`,
    ])
    expect(parcels!.map(({ when, stopped }) => [when, stopped])).toEqual([
      [`from ${other} to ${container}`, undefined],
    ])
    expect(readFileSync(at('move.html'), 'utf8')).toContain('"parcels":[')
    const { read, write } = decodeEnvelope(new Uint8Array(readFileSync(at('move.bin')))).tls!
    for (const one of [read, write]) expect(platform.log).not.toContain(hex(one!.trafficSecret))
    client.end()
  })

  it('moves nothing where the file cannot be written', async () => {
    const { client, id, other } = await idle(platform)
    for (const [file, what] of [
      [at('none/move.bin'), /ENOENT/],
      [platform.directory, /EISDIR/],
      ...(process.getuid?.() === 0 ? [[at('theirs'), /belongs to another user|EACCES/] as const] : []),
    ] as const) {
      if (file === at('theirs')) {
        writeFileSync(file, '')
        chownSync(file, 4321, 4321)
      }
      const { code, stderr } = await hotpotato(platform.directory, ['move', id, other, '--dump', file])
      expect([code, stderr]).toEqual([1, expect.stringMatching(what)])
      expect(stderr.split('\n').length).toBe(2)
    }
    expect(await client.request('/')).toMatchObject({ hops: 0 })
    client.end()
  })

  it('fails where the file is full, and has moved it: the client does not notice', async () => {
    const { client, id, other } = await idle(platform)
    const words = ['move', id, other, '--dump', '/dev/full']
    const { code, stdout, stderr } = await hotpotato(platform.directory, words)
    expect(stdout).toMatch(new RegExp(`^moved ${id} from \\S+ to ${other}, generation 1\n$`))
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^--dump \/dev\/full: .*ENOSPC.*\n$/)])
    expect(await client.request('/')).toMatchObject({ status: 200, hops: 1 })
    client.end()
  })
})
