import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RecordedConnection, type Recording, readRecording } from '../../src/trace/recording.ts'
import { Client } from '../support/client.ts'
import { MAIN } from '../support/platform.ts'
import { Certificates, has, hotpotato, run, Server } from '../support/tls-programs.ts'

/*
 * `serve --record`: connections of other programs, recorded from the server's side.
 */

let files: Certificates
beforeAll(async () => {
  files = await Certificates.make()
})
afterAll(() => files.remove())

const identity = () => ['--cert', files.file('localhost.crt'), '--key', files.file('localhost.key')]
const read = (name: string): Recording => readRecording(readFileSync(files.file(name), 'utf8'))
const messages = ({ events }: RecordedConnection): string[] =>
  events.flatMap(event => (event.kind === 'message' ? [`${event.side} ${event.type}`] : []))
const said = ({ events }: RecordedConnection): string =>
  events
    .flatMap(event =>
      event.kind === 'record' && event.type === 'application_data'
        ? [`${event.side}: ${Buffer.from(event.content, 'hex').toString('latin1')}`]
        : [],
    )
    .join('\n')

describe.skipIf(!has('curl'))('of curl (Debian package curl)', () => {
  it('it keeps both sides in clear, the key schedule, and the state of the server', async () => {
    const server = await Server.serve([...identity(), '--record', files.file('curl.json')])
    const url = `https://localhost:${server.port}/tls`
    const { stdout } = await run('curl', ['-sS', '--http1.1', '--cacert', files.file('ca.crt'), url])
    expect(await server.ends()).toBe(0)
    expect(statSync(files.file('curl.json')).mode & 0o777).toBe(0o600)
    const [connection, ...others] = read('curl.json').connections
    expect([connection!.side, others]).toEqual(['server', []])
    expect(messages(connection!).slice(0, 6)).toEqual([
      ...['client client_hello', 'server server_hello', 'server encrypted_extensions'],
      ...['server certificate', 'server certificate_verify', 'server finished'],
    ])
    expect(said(connection!)).toMatch(/^client: GET \/tls HTTP\/1\.1\r\n/)
    expect(said(connection!)).toContain(stdout)
    const secrets = connection!.events.flatMap(event => (event.kind === 'secret' ? [event] : []))
    expect(secrets.find(({ name }) => name === 'server_application_traffic_secret_0')?.follows).toBe(true)
    expect(secrets.filter(({ follows }) => follows === false)).toEqual([])
    expect(connection!.states.map(({ when }) => when)).toEqual([
      ...['after the handshake', 'after the last answer'],
    ])
    const role = connection!.states[0]!.fields.find(({ name }) => name === 'role')
    expect(role?.text).toMatch(/server/)
  })

  it('it keeps those that failed, and says in the page that secrets are in it', async () => {
    const server = await Server.serve([...identity(), '--record', files.file('failed.html')])
    const url = `https://localhost:${server.port}/`
    expect((await run('curl', ['-sS', url])).status).not.toBe(0)
    expect(await server.ends()).toBe(0)
    const page = readFileSync(files.file('failed.html'), 'utf8')
    expect(page).toContain('unknown_ca')
    expect(page).toMatch(/This recording has the secrets of its connections in it/)
  })
})

it('it keeps 256 connections, and says how many more there were', async () => {
  const server = await Server.serve([...identity(), '--record', files.file('many.json')])
  const { connect } = await import('node:net')
  for (let count = 0; count < 260; count++) {
    const socket = connect(server.port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.end('no TLS at all')
    socket.resume()
    await once(socket, 'close')
  }
  expect(await server.ends()).toBe(0)
  const { connections, unrecorded } = read('many.json')
  expect([connections.length, unrecorded]).toEqual([256, 4])
  expect(server.said()).toMatch(/--record .*many\.json: 4 connections had no room/)
})

it('it keeps no more of a large answer than it has room for, and the answer comes whole', async () => {
  const server = await Server.serve([...identity(), '--record', files.file('large.json')])
  const { stdout } = await hotpotato(
    ['connect', `localhost:${server.port}`, '--ca', files.file('ca.crt'), '--quiet'],
    'GET /bytes/8000000 HTTP/1.0\r\n\r\n',
  )
  expect(stdout.length).toBeGreaterThan(8_000_000)
  await server.ends()
  const [connection] = read('large.json').connections
  expect(connection!.leftOut).toBeGreaterThan(3_000_000)
})

it('KeyUpdates without end are stopped by an alert; those before are kept, others are served', async () => {
  const server = await Server.serve([...identity(), '--record', files.file('updates.json')])
  const tls = { ca: readFileSync(files.file('ca.crt'), 'utf8'), serverName: 'localhost' }
  const client = await Client.open({ port: server.port, tls })
  for (let count = 0; count < 1000; count++) client.updateKeys()
  await client.ended
  const other = await Client.open({ port: server.port, tls })
  expect((await other.request('/')).status).toBe(200)
  other.end()
  await server.ends()
  const [flood] = read('updates.json').connections
  const alerts = flood!.events.flatMap(event => (event.kind === 'alert' ? [event.text] : []))
  expect(alerts).toEqual([expect.stringContaining('unexpected_message')])
  const updates = messages(flood!).filter(one => one === 'client key_update').length
  expect(updates).toBeGreaterThan(1)
  // The session's budget of trifles ends them, not the room of the recording.
  expect(updates).toBeLessThan(1000)
  expect(flood!.leftOut).toBe(0)
})

describe('what was seen is kept', () => {
  it.each(['SIGTERM', 'SIGHUP'] as const)('when %s ends it', async signal => {
    const file = files.file(`${signal}.json`)
    const child = spawn(process.execPath, [MAIN, 'serve', '--port', '0', ...identity(), '--record', file])
    const [text] = (await once(child.stdout, 'data')) as [Buffer]
    const port = /:(\d+)\//.exec(text.toString())![1]!
    await hotpotato(
      ['connect', `localhost:${port}`, '--ca', files.file('ca.crt'), '--quiet'],
      'GET / HTTP/1.0\r\n\r\n',
    )
    child.kill(signal)
    expect(await once(child, 'close')).toEqual([0, null])
    expect(said(read(`${signal}.json`).connections[0]!)).toMatch(/hello\n$/)
  })
})

it('a file that cannot be written is told before it listens', async () => {
  const { status, stdout, stderr } = await hotpotato(['serve', ...identity(), '--record', '/nowhere/a.json'])
  expect([status, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/^--record \/nowhere\/a\.json: cannot be written \(ENOENT\)\n$/)
})
