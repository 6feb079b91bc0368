import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { type Entity, makeEntity, privateKeyPem } from '../support/certificates.ts'
import { CARRIER, CONFIG, hotpotato, makeDirectory, Platform } from '../support/platform.ts'
import { isInstalled, missing, run } from '../support/programs.ts'

const CURL = isInstalled('curl', ['--version'])
const people = mkdtempSync(join(tmpdir(), 'hotpotato-people-'))
let platform: Platform

beforeAll(async () => {
  await makeCertificates({
    directory: people,
    certificates: [{ name: 'alice' }],
    purpose: 'client',
    now: Date.now(),
  })
  const config = CONFIG.replace('hello: {}', `hello: { clientAuthorities: ${join(people, 'ca.crt')} }`)
  platform = await Platform.start({ config: `carrier: ${CARRIER}\n${config}` })
})

afterAll(async () => {
  await platform?.stop()
  rmSync(people, { recursive: true })
})

/** Asks for each of the pages in turn, on one connection if it can. */
async function fetch(host: string, paths: readonly string[], ...words: readonly string[]) {
  const names = ['echo', 'hello'].flatMap(name => ['--resolve', `${name}.local:${platform.https}:127.0.0.1`])
  const pages = paths.flatMap(path => [`https://${host}:${platform.https}${path}`, '-o', '/dev/null'])
  const format = '%{http_code} %{num_connects} %header{x-hotpotato-container}\\n'
  const { stdout, code } = await run('curl', [
    '-s',
    ...words,
    '--cacert',
    platform.caFile,
    ...names,
    '-w',
    format,
    ...pages,
  ])
  return { code, lines: String(stdout).trimEnd().split('\n') }
}

describe.skipIf(!CURL).each(['--http1.1', '--http2'])(
  `a function that wants to see certificates, curl %s${missing(CURL, 'curl', 'curl')}`,
  version => {
    const alice = ['--cert', join(people, 'alice.crt'), '--key', join(people, 'alice.key')]

    it('is not for a connection that was opened without one; the connection goes on', async () => {
      const { code, lines } = await fetch('echo.local', ['/echo', '/hello', '/echo'], version)
      expect([code, lines]).toEqual([0, ['200 1 echo-1', '421 0 echo-1', '200 0 echo-1']])
    })

    it('lets no client shake hands without one', async () => {
      expect(await fetch('hello.local', ['/hello'], version)).toMatchObject({ lines: ['000 1'] })
    })

    it('serves who has one, but not when the connection has been with another function since', async () => {
      const { code, lines } = await fetch('hello.local', ['/hello', '/echo', '/hello'], version, ...alice)
      expect([code, lines]).toEqual([0, ['200 1 hello-1', '200 0 echo-1', '421 0 echo-1']])
    })
  },
)

describe('a function whose clients are known by an authority below another one', () => {
  let own: Platform
  let directory: string
  let others: Entity
  const authorities = () => join(directory, 'authorities.crt')
  beforeAll(async () => {
    directory = await makeDirectory(`
version: 1
carrier: ${CARRIER}
liveness: { failureSeconds: 60, startSeconds: 300 }
connection: { timers: { keepAlive: 300, headers: 300, container: 60 } }
functions:
  hello: { replicas: 2, clientAuthorities: ./authorities.crt }
`)
    const now = Date.now()
    const [from, to] = [now - 3_600_000, now + 3_600_000]
    const root = await makeEntity({ subject: 'root', authority: true, from, to })
    const issuer = await makeEntity({ subject: 'issuer', issuer: root, authority: true, from, to })
    const client = await makeEntity({ subject: 'client', issuer, from, to })
    others = await makeEntity({ subject: 'others', authority: true, from, to })
    writeFileSync(authorities(), root.pem)
    writeFileSync(join(directory, 'client.crt'), `${client.pem}\n${issuer.pem}\n`)
    writeFileSync(join(directory, 'client.key'), await privateKeyPem(client))
    own = await Platform.start({ directory })
    await own.until('hello-1', ({ counters }) => counters.keyRing! >= 2)
  })
  afterAll(() => own?.stop())

  const options = (session?: Buffer): ConnectionOptions => ({
    ...{ host: '127.0.0.1', port: own.https, servername: 'hello.local', ca: own.ca, minVersion: 'TLSv1.3' },
    ...{
      cert: readFileSync(join(directory, 'client.crt')),
      key: readFileSync(join(directory, 'client.key')),
    },
    ...(session === undefined ? {} : { session }),
  })

  /** A connection of Node's (OpenSSL's), and the newest ticket that came. */
  async function open(session?: Buffer) {
    const socket = connect(options(session))
    let ticket: Buffer | undefined
    socket.on('session', one => {
      ticket = one
    })
    socket.on('error', () => {})
    await once(socket, 'secureConnect')
    socket.setEncoding('latin1')
    const ask = async (): Promise<string> => {
      socket.write('GET /hello HTTP/1.1\r\nHost: hello.local\r\n\r\n')
      const [answer] = (await once(socket, 'data')) as [string]
      return `${/\d{3}/.exec(answer.slice(9))![0]} ${/x-hotpotato-container: (\S+)/.exec(answer)![1]}`
    }
    return { socket, ask, ticket: () => ticket! }
  }

  it('keeps them when they move to another replica, with all that was above their certificates', async () => {
    const { socket, ask } = await open()
    const [, from] = (await ask()).split(' ')
    const to = from === 'hello-1' ? 'hello-2' : 'hello-1'
    const { stdout } = await hotpotato(directory, ['status', '--connections', '--json'])
    const { connections } = JSON.parse(stdout) as { connections: { id: string }[] }
    const moved = await hotpotato(directory, ['move', connections[0]!.id, to])
    expect([moved.code, moved.stderr]).toEqual([0, ''])
    expect(await ask()).toBe(`200 ${to}`)
    socket.destroy()
  })

  it('lets no client in by an old ticket when its authorities are others', async () => {
    const first = await open()
    await first.ask()
    const ticket = first.ticket()
    first.socket.destroy()
    const again = await open(ticket)
    expect([again.socket.isSessionReused(), (await again.ask()).slice(0, 3)]).toEqual([true, '200'])
    again.socket.destroy()
    writeFileSync(authorities(), others.pem)
    expect(await hotpotato(directory, ['deploy', 'hello'])).toMatchObject({ code: 0 })
    const late = await open(ticket)
    expect(late.socket.isSessionReused()).toBe(false)
    const ended = once(late.socket, 'error')
    late.socket.write('GET /hello HTTP/1.1\r\nHost: hello.local\r\n\r\n')
    expect(String((await ended)[0])).toMatch(/unknown ca/i)
  })
})

it('a file that holds no certificate is named at the start', async () => {
  const file = join(people, 'no-certificate.crt')
  writeFileSync(file, readFileSync(join(people, 'alice.key')))
  const started = await Platform.start({
    config: CONFIG.replace('hello: {}', `hello: { clientAuthorities: ${file} }`),
  })
  expect(started.welcome).toMatch(/^hotpotato: hello-1 cannot start: /m)
  expect(started.welcome).toContain(`${file}: a text that contains no PEM certificate`)
  await started.stop()
})
