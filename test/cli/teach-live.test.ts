import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Chances, Invitation, Lived, Shown } from '../../src/supervisor/admin/told.ts'
import { type RecordedConnection, readRecording } from '../../src/trace/recording.ts'
import { eventually, Platform } from '../support/platform.ts'
import { Teaching } from '../support/teach.ts'
import { has, run } from '../support/tls-programs.ts'

/*
 * What `hotpotato ui --teach` does to a live connection of the platform, and what it shows of clients that
 * are not its own.
 */

const CONFIG = `
version: 1
gateway: { defaultFunction: echo, limits: { helloSeconds: 60 } }
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  echo: { hosts: [echo.local], duplicate: true, replicas: 2 }
  hello: { hosts: [hello.local] }
`

let platform: Platform
let teaching: Teaching
beforeAll(async () => {
  platform = await Platform.start({ config: CONFIG })
  teaching = await Teaching.open(platform.directory)
})
afterAll(async () => {
  await teaching?.close()
  await platform?.stop()
})

const post = async <T>(path: string): Promise<T> => {
  const answer = await teaching.ask(path, 'POST')
  const text = await answer.text()
  expect([answer.status, answer.status === 200 ? '' : text]).toEqual([200, ''])
  return JSON.parse(text) as T
}
const refused = async (path: string): Promise<string> => {
  const answer = await teaching.ask(path, 'POST')
  expect(answer.status).not.toBe(200)
  return answer.text()
}
const last = ({ recording }: { recording: string }): RecordedConnection =>
  readRecording(recording).connections.at(-1)!
const messages = ({ events }: RecordedConnection): string[] =>
  events.flatMap(event => (event.kind === 'message' ? [`${event.side} ${event.type}`] : []))
const owner = ({ custody }: Lived) => custody.at(-1)!.row!

describe('a live connection', () => {
  it('goes on from one request to the next, and its keys change when that is asked for', async () => {
    const first = await post<Lived>('live/ask')
    const second = await post<Lived>('live/key-update')
    expect([second.id, second.open]).toEqual([first.id, true])
    expect(messages(last(second)).filter(type => type.endsWith(' key_update'))).toEqual([
      ...['client key_update', 'server key_update'],
    ])
    expect(owner(second).requests).toBeGreaterThan(owner(first).requests)
  })

  it('moves by order to the container that is named: a generation more, no handshake', async () => {
    const before = owner(await post<Lived>('live/ask'))
    const { containers } = (await (await teaching.ask('live')).json()) as Chances
    const other = containers.find(name => name !== before.container)!
    const moved = await post<Lived>(`live/move/${other}`)
    expect(owner(moved)).toMatchObject({ container: other, hops: before.hops + 1 })
    expect(owner(moved).generation).toBeGreaterThan(before.generation)
    expect(moved.said).toContain(`${other} has answered with 200`)
    const steps = moved.steps.map(({ kind }) => kind)
    expect(steps).toEqual(expect.arrayContaining(['left', 'arrived']))
    expect(messages(last(moved)).filter(type => type === 'client client_hello').length).toBe(1)
    expect(await refused(`live/move/${other}`)).toMatch(/already in/)
    expect((await post<Lived>('live/ask')).id).toBe(moved.id)
  })

  it('outlives its container: another one goes on from the checkpoint, with a KeyUpdate', async () => {
    const before = await post<Lived>('live/ask')
    const { container } = owner(before)
    const killed = await post<Lived>(`live/kill/${container}`)
    expect([killed.id, killed.open]).toEqual([before.id, true])
    expect(killed.said).toMatch(
      new RegExp(
        `^${container} was killed; echo-\\d+ has answered with 200.*Its checkpoint: record \\d+ under`,
      ),
    )
    expect(owner(killed).container).not.toBe(container)
    expect(owner(killed).generation).toBeGreaterThan(owner(before).generation)
    expect(killed.steps.map(({ kind }) => kind)).toContain('tookOver')
    const more = messages(last(killed)).length - messages(last(before)).length
    expect(messages(last(killed)).slice(-more)).toContain('server key_update')
  })

  it.each(['flip', 'drop', 'replay'])(
    '%s ends it with an alert, and the next thing opens another',
    async how => {
      const before = await post<Lived>('live/ask')
      let broken = await post<Lived>(`live/${how}`)
      // What a lost record has done is noticed by the next one.
      if (broken.open) broken = await post<Lived>('live/ask')
      expect([broken.id, broken.open]).toEqual([before.id, false])
      expect(broken.said).toMatch(/bad_record_mac/)
      expect(last(broken).events).toContainEqual(
        expect.objectContaining({ side: 'server', text: expect.stringMatching(/^bad_record_mac/) }),
      )
      const next = await post<Lived>('live/ask')
      expect([next.id === before.id, next.open]).toEqual([false, true])
    },
  )

  it('can be closed', async () => {
    const closed = await post<Lived>('live/close')
    expect([closed.open, closed.said]).toEqual([false, 'it is closed'])
    expect(JSON.stringify(last(closed).events)).toContain('close_notify')
  })
})

describe('nothing is killed or moved', () => {
  it.each([
    ...['live/kill/hello-1', 'live/kill/gateway', 'live/kill/signer', 'live/kill/echo-99'],
    'live/move/hello-1',
  ])('by POST %s: it is no container of the function', async path => {
    const before = (await platform.status()).map(({ pid }) => pid)
    expect(await refused(path)).toMatch(/there is no container \S+ that works; there are echo-\d+/)
    expect((await platform.status()).map(({ pid }) => pid)).toEqual(before)
  })

  it.each(['live/kill', 'live/kill/', 'live/kill/echo-1%20', 'live/kill/echo-1/x', 'live/stop', 'guests/x'])(
    'by POST %s: there is no such thing',
    async path => expect((await teaching.ask(path, 'POST')).status).toBe(404),
  )

  it('without the token, by a page of another site, or by looking', async () => {
    for (const path of ['live/kill/echo-1', 'live/move/echo-2', 'live/ask', 'guests']) {
      expect((await teaching.ask(path, 'POST', { authorization: 'Bearer x' })).status).toBe(401)
      expect((await teaching.ask(path, 'POST', { origin: 'https://example.org' })).status).toBe(403)
      expect((await teaching.ask(path, 'POST', { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    }
    expect((await teaching.ask('live/kill/echo-1')).status).toBe(405)
  })
})

it('where connections would not outlive a container, none is killed, and it says what to start', async () => {
  const other = await Platform.start({ config: CONFIG.replace('duplicate: true', 'duplicate: false') })
  const lessons = await Teaching.open(other.directory)
  const { mortal } = (await (await lessons.ask('live')).json()) as Chances
  expect(mortal).toMatch(/HOTPOTATO_DUPLICATE=true npm start/)
  const before = (await other.status()).map(({ pid }) => pid)
  const answer = await lessons.ask('live/kill/echo-1', 'POST')
  expect([answer.status, await answer.text()]).toEqual([502, expect.stringMatching(/keeps no duplicate/)])
  expect((await other.status()).map(({ pid }) => pid)).toEqual(before)
  await lessons.close()
  await other.stop()
})

const look = async (seen: number): Promise<Shown> =>
  (await (await teaching.ask(`guests?seen=${seen}`)).json()) as Shown

describe.skipIf(!has('curl'))('a client that is not ours: curl (Debian package curl)', () => {
  it('is shown as it comes, from the side of the server', async () => {
    const { command, address } = await post<Invitation>('guests')
    const { taken, recording } = await look(0)
    expect([taken, recording]).toEqual([0, undefined])
    const words = command.split(' ')
    expect([words[0], words.at(-1)]).toEqual(['curl', address])
    const { stdout } = await run('curl', ['-sS', ...words.slice(1)])
    expect(stdout).toBe('hello\n')
    const shown = await look(0)
    const connection = last({ recording: shown.recording! })
    expect(connection.side).toBe('server')
    expect(messages(connection)[0]).toBe('client client_hello')
    const names = connection.events.flatMap(event => (event.kind === 'secret' ? [event.name] : []))
    expect(names).toContain('client_application_traffic_secret_0')
    expect((await look(shown.taken)).recording).toBeUndefined()
  })

  it('may say what it likes: what it sent is shown, and the next one is served', async () => {
    const { address, command } = await post<Invitation>('guests')
    const { port } = new URL(address)
    for (const text of ['', 'GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\xff\xff', '<script>alert(1)</script>']) {
      const socket = connect(Number(port), '127.0.0.1')
      socket.on('error', () => {})
      socket.resume().end(text)
      await new Promise(resolve => socket.once('close', resolve))
    }
    expect((await run('curl', ['-sS', ...command.split(' ').slice(1)])).stdout).toBe('hello\n')
    const { connections } = readRecording((await look(0)).recording!)
    expect(connections.length).toBe(5)
  })

  it('finds nothing of those before, when it is invited anew', async () => {
    const { address } = await post<Invitation>('guests')
    expect((await look(0)).recording).toBeUndefined()
    await run('curl', ['-sS', address])
    const shown = await eventually(async () => (await look(0)).recording, 'nothing has come')
    expect(JSON.stringify(last({ recording: shown }).events)).toContain('unknown_ca')
  })
})

it('says at once that the platform has ended, and that no lesson goes on', async () => {
  const own = await Platform.start({ config: CONFIG })
  const lesson = await Teaching.open(own.directory)
  expect((await lesson.ask('live/ask', 'POST')).status).toBe(200)
  await own.end('SIGTERM')
  for (let times = 0; times < 2; times++) {
    const answer = await lesson.ask('live/ask', 'POST')
    expect([answer.status, await answer.text()]).toEqual([502, expect.stringContaining('not running')])
  }
  await lesson.close()
  await own.stop()
})

it('that was killed has left its directory to the next one, which removes it; others stay', async () => {
  const room = mkdtempSync(join(tmpdir(), 'hotpotato-rooms-'))
  const found = () => readdirSync(room).filter(name => name.startsWith('hotpotato-teach-'))
  const first = await Teaching.open(platform.directory, room)
  expect((await first.ask('lessons/early', 'POST')).status).toBe(200)
  const [left] = found()
  await first.close('SIGKILL')
  expect(found()).toEqual([left])
  for (const name of [
    `hotpotato-teach-${process.pid}-abcdef`,
    'hotpotato-teach-x-abcdef',
    'hotpotato-teach-',
  ])
    mkdirSync(join(room, name))
  const second = await Teaching.open(platform.directory, room)
  expect(existsSync(join(room, left!))).toBe(false)
  expect(found().length).toBe(4)
  await second.close()
  expect(found().length).toBe(3)
  rmSync(room, { recursive: true })
})
