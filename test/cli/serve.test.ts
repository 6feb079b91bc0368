import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { MAIN } from '../support/platform.ts'
import { refused } from '../support/refusal.ts'
import { Certificates, has, hotpotato, type Ran, run, Server } from '../support/tls-programs.ts'

const native = probe()
const lacks = native.available ? '' : `: ${native.reason}`
let files: Certificates
let server: Server
const servers: Server[] = []
async function serve(...args: string[]): Promise<Server> {
  const started = await Server.serve(args)
  servers.push(started)
  return started
}
const identity = () => ['--cert', files.file('localhost.crt'), '--key', files.file('localhost.key')]

beforeAll(async () => {
  files = await Certificates.make()
  server = await serve(
    ...identity(),
    ...['--cert', files.file('localhost-rsa.crt'), '--key', files.file('localhost-rsa.key')],
    ...['--early-data', '4096', '--cert-compression', 'zlib,brotli', '--record-size-limit', '4096'],
    ...[
      '--mtls',
      'request',
      '--client-ca',
      files.file('clients/ca.crt'),
      '--key-log',
      files.file('keys.log'),
    ],
  )
})
afterAll(() => {
  for (const one of servers) one.stop()
  files.remove()
})

const url = (path: string, to = server) => `https://localhost:${to.port}${path}`
const curl = (...args: string[]) =>
  run('curl', ['-sS', '--http1.1', '--cacert', files.file('ca.crt'), ...args])
const tls = ({ stdout }: Ran) => JSON.parse(stdout.slice(stdout.indexOf('{'))) as Record<string, unknown>
/** `openssl s_client` sends one request and prints what comes. */
const sClient = (request: string, ...args: string[]) =>
  run(
    'openssl',
    ['s_client', '-connect', `localhost:${server.port}`, '-CAfile', files.file('ca.crt'), '-quiet', ...args],
    request,
  )

describe.skipIf(!has('curl'))('serve, to curl (Debian package curl)', () => {
  it('says hello, on a connection that is kept', async () => {
    const { stdout, stderr } = await curl('-v', url('/'), url('/'))
    expect(stdout).toBe('hello\nhello\n')
    expect(stderr).toContain('Re-using existing connection')
  })

  it('gives bytes, more than any buffer holds', async () => {
    const wanted = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
    const all = Buffer.alloc(5_000_001, wanted)
    const { stdout } = await curl(url('/bytes/5000001'))
    const hash = (data: Buffer) => createHash('sha256').update(data).digest('hex')
    expect(hash(Buffer.from(stdout, 'latin1'))).toBe(hash(all))
    expect((await curl(url('/bytes/0'))).stdout).toBe('')
    expect((await curl('-I', url('/bytes/77'))).stdout).toContain('Content-Length: 77')
  })

  it('echoes, chunked or not, with and without Expect', async () => {
    const file = files.file('body')
    writeFileSync(file, Buffer.alloc(3_000_000, 'potato '))
    const body = readFileSync(file, 'latin1')
    const sizes = await Promise.all([
      curl('--data-binary', `@${file}`, url('/echo')),
      curl('-H', 'Transfer-Encoding: chunked', '--data-binary', `@${file}`, url('/echo')),
      curl('-H', 'Expect: 100-continue', '-T', file, url('/echo')),
    ])
    for (const { stdout } of sizes) expect(stdout === body).toBe(true)
  })

  it('tells what was negotiated', async () => {
    expect(tls(await curl(url('/tls')))).toMatchObject({
      version: 'TLSv1.3',
      signatureScheme: 'ecdsa_secp256r1_sha256',
      resumed: false,
      alpn: 'http/1.1',
      serverName: 'localhost',
      clientCertificate: null,
    })
  })

  it('knows a client by its certificate, and refuses one of an unknown authority', async () => {
    const alice = ['--cert', files.file('clients/alice.crt'), '--key', files.file('clients/alice.key')]
    expect(tls(await curl(...alice, url('/tls')))).toMatchObject({ clientCertificate: 'CN=alice' })
    const wrong = ['--cert', files.file('localhost.crt'), '--key', files.file('localhost.key')]
    expect((await curl(...wrong, url('/tls'))).status).not.toBe(0)
  })

  it('with --mtls require lets no client in without one', async () => {
    const strict = await serve(
      ...identity(),
      '--mtls',
      'require',
      '--client-ca',
      files.file('clients/ca.crt'),
    )
    const alice = ['--cert', files.file('clients/alice.crt'), '--key', files.file('clients/alice.key')]
    expect((await curl(...alice, url('/', strict))).stdout).toBe('hello\n')
    expect((await curl(url('/', strict))).status).not.toBe(0)
  })

  it('answers what it does not know with a problem', async () => {
    const answer = async (...args: string[]) => (await curl('-i', ...args)).stdout
    expect(await answer(url('/none'))).toMatch(/^HTTP\/1\.1 404 [\s\S]*application\/problem\+json/)
    expect(await answer('-X', 'DELETE', url('/'))).toMatch(/^HTTP\/1\.1 405 [\s\S]*allow: GET, HEAD/)
    expect(await answer(url('/bytes/9999999999999'))).toMatch(/^HTTP\/1\.1 400 /)
  })
})

describe.skipIf(!has('curl'))('serve over HTTP/2, to curl (Debian package curl)', () => {
  const curl2 = (...args: string[]) =>
    run('curl', ['-sS', '--http2', '--cacert', files.file('ca.crt'), ...args])

  it('is what a client gets that prefers it', async () => {
    const { stdout } = await curl2('-w', '%{http_version}', url('/tls'))
    expect(stdout).toMatch(/"alpn": "h2"[\s\S]*}\n2$/)
  })

  it('gives and gives back more than any window holds', async () => {
    const file = files.file('body2')
    writeFileSync(file, Buffer.alloc(3_000_000, 'potato '))
    const [bytes, echo] = await Promise.all([
      curl2(url('/bytes/5000001')),
      curl2('--data-binary', `@${file}`, url('/echo')),
    ])
    expect(bytes.stdout.length).toBe(5_000_001)
    expect(bytes.stdout.charCodeAt(1_000_000)).toBe(1_000_000 & 0xff)
    expect(echo.stdout === readFileSync(file, 'latin1')).toBe(true)
  })

  it('answers what it does not know, and HEAD, as over HTTP/1', async () => {
    expect((await curl2('-i', url('/none'))).stdout).toMatch(/^HTTP\/2 404 [\s\S]*application\/problem\+json/)
    expect((await curl2('-I', url('/bytes/77'))).stdout).toMatch(/^HTTP\/2 200 [\s\S]*content-length: 77/)
  })

  it('is left out with --alpn http/1.1', async () => {
    const other = await serve(...identity(), '--alpn', 'http/1.1')
    expect((await curl2('-w', '%{http_version}', url('/', other))).stdout).toBe('hello\n1.1')
  })
})

describe.skipIf(!has('nghttp'))('serve over HTTP/2, to nghttp (Debian package nghttp2-client)', () => {
  it('answers many requests at once', async () => {
    const { stdout } = await run('nghttp', ['-m', '20', '--no-dep', url('/bytes/100000')])
    expect(stdout.length).toBe(2_000_000)
  })
})

describe.skipIf(!has('openssl'))('serve, to openssl s_client (Debian package openssl)', () => {
  it('answers HTTP/1.0 with and without a Host line, and then closes', async () => {
    expect((await sClient('GET / HTTP/1.0\r\n\r\n')).stdout).toMatch(
      /^HTTP\/1\.1 200 OK[\s\S]*\r\n\r\nhello\n$/,
    )
    expect((await sClient('GET / HTTP/1.0\r\nHost: localhost\r\n\r\n')).stdout).toMatch(/hello\n$/)
    expect((await sClient('GET / HTTP/1.1\r\n\r\n')).stdout).toMatch(/^HTTP\/1\.1 400 /)
  })

  it('chooses the certificate by what the client can verify', async () => {
    const rsa = await sClient('GET /tls HTTP/1.0\r\n\r\n', '-sigalgs', 'rsa_pss_rsae_sha256')
    expect(tls(rsa)).toMatchObject({ signatureScheme: 'rsa_pss_rsae_sha256' })
  })

  it('writes the secrets of its sessions to a file of its own', async () => {
    await sClient('GET / HTTP/1.0\r\n\r\n')
    const log = readFileSync(files.file('keys.log'), 'utf8')
    expect(log).toMatch(/^CLIENT_TRAFFIC_SECRET_0 [0-9a-f]{64} [0-9a-f]{64}$/m)
    expect(statSync(files.file('keys.log')).mode & 0o777).toBe(0o600)
  })

  it('resumes, and takes early data once', async () => {
    const [session, early] = [files.file('session'), files.file('early')]
    await sClient('GET / HTTP/1.0\r\n\r\n', '-sess_out', session, '-ign_eof')
    writeFileSync(early, 'GET /tls HTTP/1.0\r\n\r\n')
    expect(tls(await sClient('', '-sess_in', session, '-early_data', early))).toMatchObject({
      resumed: true,
      earlyData: true,
      early: true,
    })
    // The same hello again would be a replay; a new one with the same ticket is a new connection.
    expect(tls(await sClient('GET /tls HTTP/1.0\r\n\r\n', '-sess_in', session))).toMatchObject({
      resumed: true,
      early: false,
    })
  })

  it('speaks with a key instead of a certificate, and with the groups and suites it is told', async () => {
    const psk = ['--psk', '00112233445566778899aabbccddeeff', '--psk-identity', 'me']
    const other = await serve(...psk, '--groups', 'secp384r1', '--suites', 'TLS_AES_128_GCM_SHA256')
    const answer = await run(
      'openssl',
      [
        ...['s_client', '-connect', `localhost:${other.port}`, '-quiet', '-psk_identity', 'me'],
        ...['-psk', '00112233445566778899aabbccddeeff', '-groups', 'x25519:secp384r1'],
      ],
      'GET /tls HTTP/1.0\r\n\r\n',
    )
    expect(tls(answer)).toMatchObject({ group: 'secp384r1', helloRetryRequest: true, signatureScheme: null })
  })

  it.each(['ffdhe2048', 'ffdhe3072', 'ffdhe4096', 'ffdhe6144', 'ffdhe8192'])(
    'takes %s, a group over a finite field, without being told to',
    async group => {
      expect(tls(await sClient('GET /tls HTTP/1.0\r\n\r\n', '-groups', group))).toMatchObject({ group })
    },
  )

  it('without tickets resumes nothing', async () => {
    const other = await serve(...identity(), '--tickets', '0')
    const { stdout } = await run(
      'openssl',
      ['s_client', '-connect', `localhost:${other.port}`, '-CAfile', files.file('ca.crt')],
      'GET / HTTP/1.0\r\n\r\n',
    )
    expect(stdout).not.toContain('Post-Handshake New Session Ticket')
  })
})

describe.skipIf(!has('openssl'))('serve with several certificates (Debian package openssl)', () => {
  let several: Server
  const subjectFor = async (...args: string[]) => {
    const at = ['s_client', '-connect', `127.0.0.1:${several.port}`]
    return /^subject=(.*)$/m.exec((await run('openssl', [...at, ...args])).stdout)?.[1]
  }
  beforeAll(async () => {
    const now = Date.now()
    const certificates = [{ name: 'app' }, { name: 'shop', hosts: ['*.app.local', 'eu.app.local'] }]
    await makeCertificates({ directory: files.directory, certificates, localhost: false, now })
    several = await serve(
      ...identity(),
      ...['--cert', files.file('shop.crt'), '--key', files.file('shop.key')],
      ...['--cert', files.file('app.crt'), '--key', files.file('app.key')],
    )
  })

  it.each([
    ['app.local', 'CN = app'],
    ['APP.local', 'CN = app'],
    ['shop.local', 'CN = shop'],
    ['eu.app.local', 'CN = shop'],
    ['us.app.local', 'CN = shop'],
    ['a.us.app.local', 'CN = localhost'],
    ['unknown.local', 'CN = localhost'],
  ])('gives %s the one that is for it', async (name, subject) => {
    expect(await subjectFor('-servername', name)).toBe(subject)
  })
  it('gives the first one to a client that names none', async () => {
    expect(await subjectFor('-noservername')).toBe('CN = localhost')
  })
})

describe('serve --trace', () => {
  it('tells each connection line by line, with its number in front', async () => {
    const traced = await serve(...identity(), '--trace')
    await curl(url('/tls', traced))
    await curl('--http1.1', url('/', traced))
    await expect.poll(traced.said).toMatch(/^2\| {3}finished[\s\S]*^2\| {3}finished/m)
    const lines = traced.said().split('\n')
    for (const number of [1, 2]) {
      const own = lines.filter(line => line.startsWith(`${number}| `)).map(line => line.slice(3))
      const messages = own.flatMap(line => /^ {2}([a-z_]+), \d+ bytes/.exec(line)?.[1] ?? [])
      const begin = [
        'client_hello',
        'server_hello',
        'encrypted_extensions',
        'certificate',
        'certificate_verify',
      ]
      expect(messages.slice(0, 7)).toEqual([...begin, 'finished', 'finished'])
      expect(own.filter(line => /not understood|does not follow/.test(line))).toEqual([])
    }
  })
})

describe('serve --pcap', () => {
  it('writes what went over all connections when it ends, for its owner alone', async () => {
    const file = files.file('served.pcapng')
    writeFileSync(file, 'from before', { mode: 0o644 })
    const captured = await serve(...identity(), '--pcap', file)
    await curl(url('/tls', captured))
    await curl('--tls-max', '1.3', url('/', captured))
    expect(await captured.ends()).toBe(0)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const text = readFileSync(file, 'latin1')
    expect(text).not.toContain('from before')
    // Two connections, each with four traffic secrets.
    expect(text.match(/(CLIENT|SERVER)_[A-Z]*_?TRAFFIC_SECRET/g)?.length).toBe(8)
  })
})

describe('the command line of serve', () => {
  it.each<[string[], RegExp]>([
    [[], /^serve needs --cert and --key \(npx --no hotpotato certs makes some\), or --psk\n$/],
    [['--prot', '1'], /^unknown option --prot; did you mean --port\?\n$/],
    [['--port', 'x'], /^--port must be a whole number from 0 to 65535, not x\n$/],
    [['--cert', 'a'], /^each --cert needs its --key\n$/],
    [['--psk', '00'], /^--psk and --psk-identity go together\n$/],
    [['--psk', 'xx', '--psk-identity', 'a'], /^--psk must be hexadecimal\n$/],
    [['--psk', '00', '--psk-identity', ''], /^--psk and --psk-identity: an identity has 1 to 65535 bytes/],
    [['--alpn', 'a'.repeat(256)], /^--alpn: "a{20}…" has 256 bytes/],
    [['--mtls', 'perhaps', '--psk', '00', '--psk-identity', 'a'], /^--mtls must be none, request or require/],
    [['--mtls', 'require', '--psk', '00', '--psk-identity', 'a'], /^--mtls require needs --client-ca\n$/],
    [['--groups', 'x25518'], /^x25518 is not a group; known are X25519MLKEM768, /],
    [['--suites', 'RC4'], /^RC4 is not a cipher suite; known are TLS_AES_128_GCM_SHA256, /],
    [['--provider', 'wolf'], /^--provider must be one of node, noble, evp, not wolf\n$/],
    [['--cert-compression', 'zip'], /^--cert-compression must be one of zlib, brotli, not zip\n$/],
    [
      ['--record-size-limit', '63'],
      /^--record-size-limit must be a whole number from 64 to 16385, not 63\n$/,
    ],
    [['--alpn='], /^--alpn needs a value, and what it is given is empty/],
    [['--cert-compression='], /^--cert-compression needs a value/],
    [['extra'], /^serve takes no names, and extra is one too many/],
  ])('%j is told what is wrong with it, in one line, status 2', async (args, line) => {
    const { code, stderr } = await refused(['serve', ...args])
    expect(stderr).toMatch(line)
    expect(code).toBe(2)
  })

  it('what cannot be had is one line, status 1', async () => {
    const missing = await hotpotato(['serve', '--cert', files.file('none'), '--key', files.file('none')])
    expect(missing).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/cannot be read \(ENOENT\)\n$/),
    })
    const swapped = ['--cert', files.file('localhost.crt'), '--key', files.file('localhost-rsa.key')]
    expect((await hotpotato(['serve', ...swapped])).stderr).toMatch(
      /is not the one of the first certificate\n$/,
    )
    const taken = await hotpotato(['serve', ...identity(), '--port', String(server.port)])
    expect(taken).toMatchObject({
      status: 1,
      stderr: `cannot listen on 127.0.0.1 port ${server.port}: another program is listening there\n`,
    })
  })

  it.skipIf(lacks !== '')(`and connect leave no core file, in which keys would be${lacks}`, async () => {
    const limits = (pid: number): string => readFileSync(`/proc/${pid}/limits`, 'latin1')
    expect(limits(server.pid)).toMatch(/^Max core file size +0 +0 /m)
    const program = [MAIN, 'connect', `localhost:${server.port}`, '--ca', files.file('ca.crt')]
    const client = spawn(process.execPath, program, { stdio: ['pipe', 'pipe', 'inherit'] })
    client.stdin.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(client.stdout, 'data')
    expect(limits(client.pid!)).toMatch(/^Max core file size +0 +0 /m)
    client.kill()
    await once(client, 'exit')
  })

  it('takes flags from the environment, and the line before them', async () => {
    const env = {
      HOTPOTATO_SERVE_GROUPS: 'x25518',
      HOTPOTATO_SERVE_PSK: '00',
      HOTPOTATO_SERVE_PSK_IDENTITY: 'a',
    }
    expect((await hotpotato(['serve'], '', env)).stderr).toMatch(/^x25518 is not a group/)
    expect((await hotpotato(['serve', '--groups', 'x25517'], '', env)).stderr).toMatch(
      /^x25517 is not a group/,
    )
  })

  it('explains itself', async () => {
    const { status, stdout } = await hotpotato(['serve', '--help'])
    expect(status).toBe(0)
    expect(stdout).toMatch(/--record-size-limit BYTES/)
  })
})
