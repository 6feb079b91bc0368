import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRecording } from '../../src/trace/recording.ts'
import { freePort } from '../support/peers/ports.ts'
import { refused } from '../support/refusal.ts'
import { Certificates, has, hotpotato, run, Server } from '../support/tls-programs.ts'

let files: Certificates
let server: Server
const servers: Server[] = []
beforeAll(async () => {
  files = await Certificates.make()
  server = await Server.serve([
    ...[
      '--cert',
      files.file('localhost.crt'),
      '--key',
      files.file('localhost.key'),
      '--alpn',
      'one,http/1.1',
    ],
    ...['--mtls', 'request', '--client-ca', files.file('clients/ca.crt'), '--early-data', '1000'],
    ...['--psk', '0123456789abcdef0123456789abcdef', '--psk-identity', 'us'],
    ...['--record-size-limit', '1000', '--extended-key-update'],
  ])
  servers.push(server)
})
afterAll(() => {
  for (const one of servers) one.stop()
  files.remove()
})

const TLS = 'GET /tls HTTP/1.0\r\n\r\n'
const connect = (input: string, ...args: string[]) =>
  hotpotato(['connect', `localhost:${server.port}`, '--ca', files.file('ca.crt'), ...args], input)
const tls = (stdout: string) => JSON.parse(stdout.slice(stdout.indexOf('{'))) as Record<string, unknown>

describe('connect, to serve', () => {
  it('shows the handshake and the chain, and prints what the server sends', async () => {
    const { status, stdout, stderr } = await connect(TLS, '--alpn', 'http/1.1')
    expect(status).toBe(0)
    expect(tls(stdout)).toMatchObject({ alpn: 'http/1.1', group: 'X25519MLKEM768' })
    expect(stderr).toMatch(/^cipher suite {2}TLS_AES_128_GCM_SHA256$/m)
    expect(stderr).toMatch(/^group {9}X25519MLKEM768$/m)
    expect(stderr).toMatch(/^certificate 0 CN=localhost$/m)
    expect(stderr).toMatch(/^ {2}issuer {6}CN=hotpotato throw-away authority$/m)
  })

  it('says nothing with --quiet', async () => {
    const { stdout, stderr } = await connect('GET / HTTP/1.0\r\n\r\n', '--quiet')
    expect(stdout).toMatch(/hello\n$/)
    expect(stderr).toBe('')
  })

  it('finds NAME.localhost on this machine, whatever the resolver says of it', async () => {
    const target = `anything.localhost:${server.port}`
    const words = ['--servername', 'localhost', '--ca', files.file('ca.crt'), '--quiet']
    const { status, stdout } = await hotpotato(['connect', target, ...words], 'GET / HTTP/1.0\r\n\r\n')
    expect([status, stdout.endsWith('hello\n')]).toEqual([0, true])
  })

  it('asks for what it is told', async () => {
    const { stdout, stderr } = await connect(
      TLS,
      ...['--groups', 'secp521r1,x25519', '--suites', 'TLS_CHACHA20_POLY1305_SHA256', '--provider', 'noble'],
      ...['--servername', 'localhost', '--cert-compression', 'zlib', '--record-size-limit', '2000'],
      ...['--cert', files.file('clients/alice.crt'), '--key', files.file('clients/alice.key')],
    )
    expect(tls(stdout)).toMatchObject({
      cipherSuite: 'TLS_CHACHA20_POLY1305_SHA256',
      group: 'x25519',
      clientCertificate: 'CN=alice',
    })
    expect(stderr).toMatch(/^record limits 999 bytes out, 1999 in$/m)
  })

  it('changes keys both ways', async () => {
    const { stdout, stderr } = await connect(TLS, '--key-update')
    expect(tls(stdout)).toMatchObject({ version: 'TLSv1.3' })
    expect(stderr).toContain('the server has changed its key')
  })

  it('makes new keys by a new key exchange, if both are told to', async () => {
    const { stdout, stderr } = await connect(TLS, '--extended-key-update', '--key-update')
    expect(tls(stdout)).toMatchObject({ version: 'TLSv1.3' })
    expect(stderr).toMatch(/^key updates {3}extended$/m)
    expect(stderr).toContain('asked the server for an extended key update')
    expect(stderr).toContain('both sides have new keys: extended key update 1')
    expect((await connect(TLS)).stderr).not.toContain('key updates')
  })

  it('resumes', async () => {
    const { stdout, stderr } = await connect(TLS, '--resume')
    expect(tls(stdout)).toMatchObject({ resumed: true, earlyData: false })
    expect(stderr).toMatch(/^resumed {7}no$[\s\S]*^resumed {7}yes$/m)
  })

  it('sends early data, which is served if nothing happens by it', async () => {
    const file = files.file('early')
    writeFileSync(file, 'GET /tls HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const served = await connect('', '--early-data', file)
    expect(tls(served.stdout)).toMatchObject({ resumed: true, earlyData: true, early: true })
    expect(served.stderr).toMatch(/early data: accepted/)
    writeFileSync(file, 'POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx')
    expect((await connect('', '--early-data', file)).stdout).toMatch(/^HTTP\/1\.1 425 Too Early/)
  })

  it('uses a key that both have', async () => {
    const psk = ['--psk', '0123456789abcdef0123456789abcdef', '--psk-identity', 'us']
    const { stdout, stderr } = await connect(TLS, ...psk)
    expect(tls(stdout)).toMatchObject({ signatureScheme: null, resumed: true })
    expect(stderr).not.toContain('certificate 0')
  })

  it('shows secrets only when asked, and logs them only where told', async () => {
    const log = files.file('connect-keys.log')
    const { stderr } = await connect(TLS, '--show-key-schedule', '--key-log', log)
    const [, secret] = /^server_application_traffic_secret_0 +([0-9a-f]{64})$/m.exec(stderr)!
    expect(readFileSync(log, 'utf8')).toMatch(
      new RegExp(`^SERVER_TRAFFIC_SECRET_0 [0-9a-f]{64} ${secret}$`, 'm'),
    )
    expect((await connect(TLS)).stderr).not.toMatch(/[0-9a-f]{64}/)
  })

  it('traces every record, message and secret of a connection', async () => {
    const log = files.file('trace-keys.log')
    const { status, stderr } = await connect(TLS, '--trace', '--key-update', '--key-log', log)
    expect(status).toBe(0)
    const messages = [...stderr.matchAll(/^ {2}([a-z_]+), \d+ bytes, RFC 8446/gm)].map(([, type]) => type)
    expect(messages.slice(0, 3)).toEqual(['client_hello', 'server_hello', 'encrypted_extensions'])
    expect(messages.filter(type => type === 'key_update').length).toBe(2)
    expect(stderr).not.toMatch(/not understood|does not follow/)
    for (const [, secret] of readFileSync(log, 'utf8').matchAll(/^\S+ [0-9a-f]{64} ([0-9a-f]{64})$/gm))
      expect(stderr).toContain(`    = ${secret}\n`)
    expect(stderr).toMatch(/GET \/tls HTTP/)
  })

  it('dumps the session for inspect, to a file of its owner alone', async () => {
    const file = files.file('session.bin')
    const log = files.file('dump-keys.log')
    writeFileSync(file, 'x'.repeat(10_000), { mode: 0o644 })
    expect((await connect(TLS, '--dump', file, '--key-log', log)).status).toBe(0)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const { stdout } = await hotpotato(['inspect', file, '--as', 'session', '--secrets'])
    const [, secret] = /^SERVER_TRAFFIC_SECRET_0 [0-9a-f]{64} ([0-9a-f]{64})$/m.exec(
      readFileSync(log, 'utf8'),
    )!
    expect(stdout).toMatch(/Role role = client$/m)
    expect(stdout).toContain(`opaque traffic_secret<32..48> = ${secret}`)
    const { status, stderr } = await connect(TLS, '--dump', files.file('none/session.bin'), '--quiet')
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^--dump .* cannot be written \(ENOENT\)\n$/)])
  })

  it('captures what goes to and fro, with its secrets, in a file of its owner alone', async () => {
    const file = files.file('session.pcapng')
    // It may be there from before, and others may read it.
    writeFileSync(file, 'x'.repeat(1_000_000), { mode: 0o644 })
    expect((await connect(TLS, '--resume', '--pcap', file)).status).toBe(0)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const text = readFileSync(file, 'latin1')
    expect(text).not.toContain('xxxx')
    // Two connections, each with four traffic secrets.
    expect(text.match(/(CLIENT|SERVER)_[A-Z]*_?TRAFFIC_SECRET/g)?.length).toBe(8)
    const { status, stderr } = await connect(TLS, '--pcap', files.file('none/session.pcapng'), '--quiet')
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^--pcap .* cannot be written \(ENOENT\)\n$/)])
  })

  it('records what --trace shows, in a file of its owner alone', async () => {
    const file = files.file('session.json')
    writeFileSync(file, 'x'.repeat(1_000_000), { mode: 0o644 })
    expect((await connect(TLS, '--resume', '--key-update', '--record', file)).status).toBe(0)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const { connections } = readRecording(readFileSync(file, 'utf8'))
    expect(connections.map(({ title }) => title)).toEqual(['a handshake', 'a resumption'])
    for (const { events, states } of connections) {
      expect(events.filter(event => event.kind === 'gap')).toEqual([])
      expect(events.filter(event => event.kind === 'secret' && event.follows === false)).toEqual([])
      expect(states[0]!.when).toBe('after the handshake')
    }
    const { status, stderr } = await connect(TLS, '--record', files.file('none/x.json'), '--quiet')
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/^--record .* cannot be written \(ENOENT\)\n$/),
    ])
  })

  it('records as far as it came where the server is not trusted', async () => {
    const file = files.file('refused.json')
    const words = ['connect', `localhost:${server.port}`, '--record', file]
    expect((await hotpotato(words)).status).toBe(1)
    const [connection] = readRecording(readFileSync(file, 'utf8')).connections
    expect(connection!.events).toContainEqual(
      expect.objectContaining({ kind: 'alert', side: 'client', text: expect.stringMatching(/^unknown_ca/) }),
    )
    expect(connection!.states).toEqual([])
  })

  it('sends a share for the groups that are said, or for none', async () => {
    const retried = await connect(TLS, '--key-shares', '')
    expect(retried.stderr).toMatch(/^group .* \(after a HelloRetryRequest\)$/m)
    const direct = await connect(TLS, '--key-shares', 'X25519')
    expect(direct.stderr).toMatch(/^group +x25519$/m)
  })

  it('trusts no server without a reason', async () => {
    const target = `localhost:${server.port}`
    const refused = await hotpotato(['connect', target])
    expect(refused.status).toBe(1)
    expect(refused.stderr).toMatch(/^TLS: unknown_ca: [\s\S]*\(reason: untrusted_issuer, fault: .*\)\n$/)
    const named = await hotpotato([
      'connect',
      target,
      '--ca',
      files.file('ca.crt'),
      '--servername',
      'other.example',
    ])
    expect(named).toMatchObject({ status: 1, stderr: expect.stringMatching(/^TLS: bad_certificate: /) })
    const insecure = await hotpotato(['connect', target, '--insecure'], TLS)
    expect(insecure.status).toBe(0)
    expect(insecure.stderr).toMatch(/^note: --insecure: the certificate is not checked$/m)
  })
})

describe('the command line of connect', () => {
  it.each<[string[], RegExp]>([
    [[], /^connect needs HOST:PORT; see hotpotato connect --help\n$/],
    [['localhost'], /^connect needs HOST:PORT/],
    [['localhost:0'], /^PORT must be/],
    [['localhost:1', '--cert', 'x'], /^--cert and --key go together\n$/],
    [['localhost:1', '--servername='], /^--servername: "" is not a host name\n$/],
    [['localhost:1', `--alpn=${'a'.repeat(300)}`], /^--alpn: "a{20}…" has 300 bytes, .* 1 to 255\n$/],
    [['localhost:1', `--alpn=${Array(300).fill('a'.repeat(250))}`], /^--alpn: the names make 75300 bytes/],
    [['localhost:1', '--psk=00', '--psk-identity='], /^--psk and --psk-identity: an identity has 1 to/],
    [['localhost:1', '--psk=', '--psk-identity=a'], /^--psk and --psk-identity: a key has at least/],
    [['localhost:1', '--groups='], /^no group is named; known are X25519MLKEM768, /],
    [['localhost:1', '--key-shares=potato'], /^--key-shares: no group potato is offered\n$/],
    [['localhost:1', '--groups=x25519', '--key-shares=secp256r1'], /^--key-shares: no group secp256r1 is/],
    [['localhost:1', '--suites='], /^no cipher suite is named; known are TLS_AES_128_GCM_SHA256, /],
  ])('%j is told what is wrong, in one line', async (args, line) => {
    const { code, stderr } = await refused(['connect', ...args])
    expect(stderr).toMatch(line)
    expect(code).toBe(2)
  })

  it.each<[string[], RegExp, number]>([
    [['localhost:1', '--loud'], /^unknown option --loud; see hotpotato connect --help/, 2],
    [['localhost:1'], /^cannot connect to localhost port 1: ECONNREFUSED\n$/, 1],
    [['localhost:1', '--ca', '/none'], /^--ca \/none: cannot be read \(ENOENT\)\n$/, 1],
    [['localhost:1', '--ca', '/none', '--insecure'], /^--ca \/none: cannot be read \(ENOENT\)\n$/, 1],
    [['localhost:1', '--early-data', '/none'], /^--early-data \/none: cannot be read \(ENOENT\)\n$/, 1],
  ])('%j ends so', async (args, line, status) => {
    const ran = await hotpotato(['connect', ...args])
    expect(ran.stderr).toMatch(line)
    expect(ran.status).toBe(status)
  })
})

it('connect ends when values that each make sense do not fit into one hello, and says so', async () => {
  const names = Array(257).fill('a'.repeat(253))
  const ran = await connect('', `--alpn=${names}`)
  expect(ran.stderr).toMatch(/^no ClientHello can be written: .*\n$/)
  expect(ran.status).toBe(2)
})

describe.skipIf(!has('openssl'))('connect, to openssl s_server (Debian package openssl)', () => {
  it('shows a certificate whose subject is empty', async () => {
    const [cert, key] = [files.file('nameless.crt'), files.file('nameless.key')]
    const made = ['-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-subj', '/']
    await run('openssl', ['req', '-x509', ...made, '-addext', 'subjectAltName=DNS:localhost'])
    const www = await Server.openssl(await freePort(), ['-cert', cert, '-key', key, '-www', '-tls1_3'])
    servers.push(www)
    const words = ['connect', `localhost:${www.port}`, '--insecure']
    const { status, stderr } = await hotpotato(words, 'GET / HTTP/1.0\r\n\r\n')
    expect(stderr).toMatch(/^certificate 0 without a name\n {2}names {7}DNS:localhost$/m)
    expect(status).toBe(0)
  })

  it('gets a page, resumes, and is told by an alert what it did wrong', async () => {
    const identity = ['-cert', files.file('localhost.crt'), '-key', files.file('localhost.key')]
    const www = await Server.openssl(await freePort(), [...identity, '-www', '-tls1_3'])
    servers.push(www)
    const args = ['connect', `localhost:${www.port}`, '--ca', files.file('ca.crt'), '--resume']
    const { status, stdout, stderr } = await hotpotato(args, 'GET / HTTP/1.0\r\n\r\n')
    expect(stderr).toMatch(/^resumed {7}yes$/m)
    expect(stdout).toMatch(/^HTTP\/1\.0 200 ok/i)
    expect(stdout).toContain('TLS_AES_128_GCM_SHA256')
    expect(status).toBe(0)
    const strict = await Server.openssl(await freePort(), [
      ...identity,
      '-tls1_3',
      '-Verify',
      '1',
      '-verify_return_error',
    ])
    servers.push(strict)
    for (const more of [[], ['--resume']]) {
      const target = ['connect', `localhost:${strict.port}`, '--ca', files.file('ca.crt')]
      const refused = await hotpotato([...target, ...more], 'x')
      expect(refused.status).toBe(1)
      expect(refused.stderr).toMatch(
        /^TLS: certificate_required: .*\(reason: alert_received, fault: the server's\)\n$/m,
      )
    }
  })
})
