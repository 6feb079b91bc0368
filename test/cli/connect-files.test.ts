import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, lchownSync, linkSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { node } from '../../src/tls13/crypto/node.ts'
import { createTicketKey, createTicketSealer } from '../../src/tls13/index.ts'
import { TlsDuplex } from '../../src/tls13/io/duplex.ts'
import { certificateFromPem } from '../../src/tls13/io/pem.ts'
import { type Recording, readRecording } from '../../src/trace/recording.ts'
import { MAIN } from '../support/platform.ts'
import { Certificates, hotpotato, run, Server } from '../support/tls-programs.ts'

/*
 * What `connect` keeps in files (`--record`, `--pcap`) when things do not go as they should.
 */

const ROOT = process.getuid?.() === 0
const ROOT_NOTE = ROOT ? 'as root' : 'SKIPPED: it needs root, to make files of other users'
const OTHER = 65_534

let files: Certificates
let server: Server
const close: (() => void)[] = []
beforeAll(async () => {
  files = await Certificates.make()
  const identity = ['--cert', files.file('localhost.crt'), '--key', files.file('localhost.key')]
  server = await Server.serve([...identity, '--early-data', '1000'])
})
afterEach(() => {
  for (const one of close.splice(0)) one()
})
afterAll(() => {
  server.stop()
  files.remove()
})

const wordsTo = (port: number, ...more: string[]): string[] => [
  ...['connect', `localhost:${port}`, '--ca', files.file('ca.crt'), '--quiet', ...more],
]
const read = (name: string): Recording => readRecording(readFileSync(files.file(name), 'utf8'))

/** What the server has said, as the recording has it. */
function saidIn({ connections }: Recording): string {
  return connections
    .flatMap(({ events }) => events)
    .flatMap(event =>
      event.kind === 'record' && event.side === 'server' && event.type === 'application_data'
        ? [Buffer.from(event.content, 'hex').toString()]
        : [],
    )
    .join('')
}

/** A server of ours in this process, that does with its connections as it is told. */
async function serving(converse: (connection: TlsDuplex) => void): Promise<number> {
  const [chain, key] = [files.file('localhost.crt'), files.file('localhost.key')].map(file =>
    readFileSync(file, 'utf8'),
  )
  const config = {
    ...{ provider: node, random: node.random },
    certificates: [certificateFromPem(node, chain!, key!)],
    tickets: { sealer: createTicketSealer(node, [createTicketKey(node)]), count: 1 },
  }
  const listener = createServer({ allowHalfOpen: true }, socket => {
    const connection = TlsDuplex.server(socket, config, { allowHalfOpen: true })
    connection.on('error', () => {})
    connection.once('secureConnect', () => converse(connection))
    close.push(() => socket.destroy())
  })
  close.push(() => listener.close())
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  return (listener.address() as AddressInfo).port
}

describe('a connection that goes on is kept as far as it came', () => {
  const talking = async (name: string): Promise<ChildProcessWithoutNullStreams> => {
    const more = ['--record', files.file(`${name}.json`), '--pcap', files.file(`${name}.pcapng`)]
    const child = spawn(process.execPath, [MAIN, ...wordsTo(server.port, ...more)])
    child.stdin.on('error', () => {})
    child.stdin.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(child.stdout, 'data')
    return child
  }

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('when %s ends it', async (signal, status) => {
    const child = await talking(signal)
    child.kill(signal)
    expect(await once(child, 'close')).toEqual([status, null])
    expect(saidIn(read(`${signal}.json`))).toMatch(/^HTTP\/1.1 200 OK/)
    expect(readFileSync(files.file(`${signal}.pcapng`), 'latin1')).toMatch(/SERVER_TRAFFIC_SECRET_0/)
  })

  it('when what reads its output has gone', async () => {
    const child = await talking('head')
    child.stdout.destroy()
    const again = setInterval(() => child.stdin.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), 50)
    const [status] = await once(child, 'close')
    clearInterval(again)
    expect(status).toBe(0)
    expect(saidIn(read('head.json'))).toMatch(/^HTTP\/1.1 200 OK/)
  })
})

it.each(['--record', '--pcap'])('%s that has no room fails the command, in one line', async flag => {
  const ran = await hotpotato(wordsTo(server.port, flag, '/dev/full'), 'GET / HTTP/1.0\r\n\r\n')
  expect(ran.stdout).toMatch(/hello\n$/)
  expect([ran.status, ran.stderr]).toEqual([1, `hotpotato: ${flag} /dev/full: cannot be written (ENOSPC)\n`])
})

describe.skipIf(!ROOT)(`what another user has put where a file is to be is refused: ${ROOT_NOTE}`, () => {
  it.each<[string, (path: string) => void, RegExp]>([
    [
      'a link, to a file of ours',
      path => {
        writeFileSync(files.file('mine'), 'kept')
        symlinkSync(files.file('mine'), path)
        lchownSync(path, OTHER, OTHER)
      },
      /it is a link of another user/,
    ],
    [
      'a pipe, of which that user reads what comes',
      path => {
        execFileSync('mkfifo', ['-m', '666', path])
        lchownSync(path, OTHER, OTHER)
        // With a reader, opening it would succeed.
        const reader = spawn('cat', [path], { stdio: 'ignore' })
        close.push(() => void reader.kill())
      },
      /it belongs to another user/,
    ],
    [
      'no reader has it: a pipe of another user, which would be waited for without end',
      path => {
        execFileSync('mkfifo', ['-m', '666', path])
        lchownSync(path, OTHER, OTHER)
      },
      /it belongs to another user/,
    ],
  ])('%s', async (kind, put, why) => {
    const path = files.file(`${kind.slice(2, 6)}.json`)
    put(path)
    const { status, stderr } = await hotpotato(wordsTo(server.port, '--record', path))
    expect([status, stderr]).toEqual([1, expect.stringMatching(why)])
    expect(stderr).toMatch(/^--record .* cannot be written \(.*\)\n$/)
    if (existsSync(files.file('mine'))) expect(readFileSync(files.file('mine'), 'utf8')).toBe('kept')
  })

  it('but not one of our own, nor what a shell has opened', async () => {
    symlinkSync(files.file('kept.json'), files.file('own.json'))
    expect((await hotpotato(wordsTo(server.port, '--record', files.file('own.json')))).status).toBe(0)
    expect(statSync(files.file('kept.json')).mode & 0o777).toBe(0o600)
    expect(read('kept.json').connections.length).toBe(1)
    const line = [process.execPath, MAIN, ...wordsTo(server.port, '--record', '/dev/stdout')].join(' ')
    const through = await run('sh', ['-c', `${line} | cat`])
    expect(readRecording(through.stdout).connections.length).toBe(1)
  })
})

it('--break harms the last connection alone, also where --early-data makes two', async () => {
  const early = files.file('early.txt')
  writeFileSync(early, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const more = ['--early-data', early, '--break', 'flip', '--record', files.file('broken.json')]
  await hotpotato(wordsTo(server.port, ...more))
  const [first, second] = read('broken.json').connections.map(({ events }) =>
    events.flatMap(event => (event.kind === 'alert' ? [`${event.side} ${event.text.split(' ')[0]}`] : [])),
  )
  expect(first).toContain('client close_notify')
  expect(first).not.toContain('server bad_record_mac')
  expect(second).toContain('server bad_record_mac')
})

it('--resume does not wait for ever for a server that gives a ticket and does not close', async () => {
  let connections = 0
  const port = await serving(connection => {
    connection.resume()
    if (++connections > 1) connection.end()
  })
  const ran = await hotpotato(wordsTo(port, '--resume', '--record', files.file('open.json')), '')
  expect(read('open.json').connections.map(({ title }) => title)).toEqual(['a handshake', 'a resumption'])
  expect(ran.stderr).toBe('')
})

describe('two files of a command that are one spoil each other: refused before anything is opened', () => {
  const CONNECT = ['--record', '--pcap', '--key-log', '--dump'] as const
  const pairs = CONNECT.flatMap((one, index) => CONNECT.slice(index + 1).map(other => [one, other] as const))
  const refused = async (words: readonly string[], ...names: readonly string[]) => {
    const { status, stderr } = await hotpotato([...words])
    expect([status, stderr]).toEqual([2, expect.stringMatching(/^[^\n]* name the same file, [^\n]*\n/)])
    for (const name of names) expect(stderr.split('\n')[0]).toContain(name)
  }
  const nowhere = ['connect', 'localhost:1', '--ca', 'none.crt']

  it.each(pairs)('%s and %s', async (one, other) => {
    const path = files.file(`same${one}${other}`)
    await refused([...nowhere, one, path, other, path], one, other)
    expect(existsSync(path)).toBe(false)
  })

  it('also where they are spelt in two ways, and where links lead to one', async () => {
    const path = files.file('spelt.json')
    const way = path.replace(/\/(?=[^/]+$)/, '/./')
    symlinkSync(path, files.file('to-it'))
    symlinkSync('to-it', files.file('to-that'))
    symlinkSync('.', files.file('folder'))
    for (const other of [way, files.file('to-it'), files.file('to-that'), files.file('folder/spelt.json')]) {
      await refused([...nowhere, '--record', path, '--pcap', other])
      expect(existsSync(path)).toBe(false)
    }
    writeFileSync(path, 'kept')
    linkSync(path, files.file('hard'))
    for (const other of [way, files.file('to-that'), files.file('hard'), files.file('folder/spelt.json')])
      await refused([...nowhere, '--record', path, '--pcap', other])
    expect(readFileSync(path, 'utf8')).toBe('kept')
  })

  it('of serve, of stress, of seal, and those that are read', async () => {
    const [path, source] = [files.file('serve.out'), files.file('handler.mjs')]
    const identity = ['--cert', files.file('localhost.crt'), '--key', files.file('localhost.key')]
    await refused(['serve', '--port', '0', ...identity, '--pcap', path, '--key-log', path], '--key-log')
    await refused(['serve', '--port', '0', ...identity, '--pcap', path, '--record', path], '--record')
    const key = readFileSync(files.file('localhost.key'), 'utf8')
    await refused(['serve', ...identity, '--record', files.file('localhost.key')], '--key and --record')
    await refused([...nowhere, ...identity, '--dump', files.file('localhost.key')], '--key and --dump')
    expect(readFileSync(files.file('localhost.key'), 'utf8')).toBe(key)
    writeFileSync(source, 'export default {}')
    await refused(['seal', source, '--show-key', '--output', source], 'the source')
    await refused(['stress', 'http://localhost:1/', '--mix', source, '--hdr', source], '--hdr')
    expect(readFileSync(source, 'utf8')).toBe('export default {}')
  })

  it('but not where nothing can be spoilt', async () => {
    const nothing = ['--record', '/dev/null', '--pcap', '/dev/null']
    expect((await hotpotato(wordsTo(server.port, ...nothing))).status).toBe(0)
  })
})
