import { once } from 'node:events'
import { createServer as createHttpServer, request } from 'node:http'
import {
  type AddressInfo,
  createServer as createSocketServer,
  connect as rawConnect,
  type Socket,
} from 'node:net'
import { Duplex, duplexPair, type Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { TlsError } from '../../../src/tls13/alert.ts'
import type { Certificate } from '../../../src/tls13/authentication.ts'
import type { ClientConfig, ServerConfig } from '../../../src/tls13/config.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import { TlsDuplex, type TlsDuplexOptions } from '../../../src/tls13/io/duplex.ts'
import { certificateFromPem } from '../../../src/tls13/io/pem.ts'
import { verifier } from '../../../src/tls13/io/verify.ts'
import { Session } from '../../../src/tls13/session.ts'
import { createTicketKey, createTicketSealer } from '../../../src/tls13/ticket.ts'
import { makeEntity, privateKeyPem, TODAY } from '../../support/certificates.ts'
import { HandClock } from '../../support/hand-clock.ts'

type Options = TlsDuplexOptions & { readonly keyLog?: boolean }

let certificate: Certificate
let clientConfig: ClientConfig
let serverConfig: ServerConfig

beforeAll(async () => {
  const entity = await makeEntity({ subject: 'server', names: [{ type: 'dns', value: 'echo.local' }] })
  certificate = certificateFromPem(node, entity.pem, await privateKeyPem(entity))
  const verify = verifier({ ca: entity.pem })
  clientConfig = { provider: node, serverName: 'echo.local', verify, now: () => TODAY, alpn: ['potato'] }
  const tickets = { sealer: createTicketSealer(node, [createTicketKey(node)]) }
  serverConfig = { provider: node, certificates: [certificate], alpn: ['potato'], tickets, now: () => TODAY }
})

const open: Duplex[] = []
afterEach(() => {
  for (const stream of open.splice(0)) stream.destroy()
})

interface Pair {
  readonly client: TlsDuplex
  readonly server: TlsDuplex
  /** The streams below. */
  readonly below: readonly [Duplex, Duplex]
}

function over(
  below: readonly [Duplex, Duplex],
  options: {
    client?: Options
    server?: Options
    clientConfig?: Partial<ClientConfig>
    serverConfig?: Partial<ServerConfig>
  } = {},
): Pair {
  const client = TlsDuplex.client(below[0], { ...clientConfig, ...options.clientConfig }, options.client)
  const server = TlsDuplex.server(below[1], { ...serverConfig, ...options.serverConfig }, options.server)
  open.push(client, server, ...below)
  return { client, server, below }
}

function inMemory(options: Parameters<typeof over>[1] & { highWaterMark?: number } = {}): Pair {
  const { highWaterMark, ...rest } = options
  return over(duplexPair(highWaterMark === undefined ? {} : { highWaterMark }), rest)
}

async function sockets(): Promise<[Socket, Socket]> {
  const listener = createSocketServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const accepted = once(listener, 'connection') as Promise<[Socket]>
  const { port } = listener.address() as AddressInfo
  const ours = rawConnect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [theirs] = await accepted
  listener.close()
  return [ours, theirs]
}

/** The error that a stream ends with. */
async function failure(stream: Duplex): Promise<Error & { code?: string; alert?: string; reason?: string }> {
  const [error] = await once(stream, 'error')
  return error
}

/** Everything up to the end. (The readers of `node:stream/consumers` destroy what they have read.) */
function collect(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = []
  stream.on('data', part => parts.push(part))
  return new Promise((resolve, reject) => {
    stream.once('error', reject)
    stream.once('end', () => resolve(Buffer.concat(parts)))
  })
}

async function closed(...streams: Duplex[]): Promise<void> {
  await Promise.all(streams.map(one => one.closed || once(one, 'close')))
}

const ROADS = [
  ['in memory', () => Promise.resolve(duplexPair())],
  ['over sockets', sockets],
] as const

describe.each(ROADS)('%s', (_road, connectBelow) => {
  it('bytes go both ways and both ends close', async () => {
    const { client, server } = over(await connectBelow())
    server.pipe(server)
    client.end('hello')
    expect((await collect(client)).toString()).toBe('hello')
    await closed(client, server)
    expect([client.errored, server.errored]).toEqual([null, null])
  })

  it('many megabytes, written at once', async () => {
    const { client, server } = over(await connectBelow())
    server.pipe(server)
    const sent = new Uint8Array(3_000_000).map((_, i) => i * 7 + (i >> 11))
    client.end(sent)
    expect((await collect(client)).equals(sent)).toBe(true)
  })

  it('a server that ends first', async () => {
    const { client, server } = over(await connectBelow())
    server.end('bye')
    expect((await collect(client)).toString()).toBe('bye')
    server.resume()
    await closed(client, server)
  })

  it('half-close: the client has ended, and still the server talks', async () => {
    const { client, server } = over(await connectBelow(), { server: { allowHalfOpen: true } })
    client.end('question')
    expect((await collect(server)).toString()).toBe('question')
    await turn()
    server.write('one ')
    await turn()
    server.end('two')
    expect((await collect(client)).toString()).toBe('one two')
  })

  it('an alert of ours reaches the peer', async () => {
    const { client, server } = over(await connectBelow(), { clientConfig: { serverName: 'other.local' } })
    const [ours, theirs] = await Promise.all([failure(client), failure(server)])
    expect(ours).toBeInstanceOf(TlsError)
    expect(ours).toMatchObject({ alert: 'bad_certificate', origin: 'peer' })
    expect(theirs).toBeInstanceOf(TlsError)
    expect(theirs.reason).toBe('alert_received')
    expect(theirs.alert).toBe('bad_certificate')
  })

  it('an end without close_notify is an error', async () => {
    const pair = over(await connectBelow())
    await Promise.all([once(pair.client, 'secureConnect'), once(pair.server, 'secureConnect')])
    pair.client.resume()
    // From Node 26 on, a stream in memory that is destroyed ends its other side: that is an error there, too.
    pair.server.on('error', error => expect(error).toMatchObject({ code: 'ERR_TLS_TRUNCATED' }))
    pair.below[1].end()
    expect(await failure(pair.client)).toMatchObject({ name: 'TlsStreamError', code: 'ERR_TLS_TRUNCATED' })
  })

  it('an end during the handshake is an error', async () => {
    const [ours, theirs] = await connectBelow()
    const client = TlsDuplex.client(ours, clientConfig)
    theirs.end()
    expect(await failure(client)).toMatchObject({ code: 'ERR_TLS_TRUNCATED' })
  })
})

it('over sockets, destroying one end is an error at the other, and nowhere else', async () => {
  const { client, server } = over(await sockets())
  await once(server, 'secureConnect')
  server.resume()
  client.destroy()
  const error = await failure(server)
  expect(['ERR_TLS_TRUNCATED', 'ECONNRESET']).toContain(error.code)
  expect(client.errored).toBeNull()
})

it('over sockets, an alert reaches a client that is still writing, before the end', async () => {
  const [ours, theirs] = await sockets()
  const server = TlsDuplex.server(theirs, serverConfig)
  server.on('error', () => {})
  open.push(ours, server)
  // More than fits between the two: closing at once would reset the connection under the writer.
  const written = new Promise(resolve => ours.write(new Uint8Array(8_000_000), resolve))
  const heard = await collect(ours)
  expect(heard[0]).toBe(21)
  expect(await written).toBeFalsy()
})

/** Two streams that hand over what is written before `write` returns. */
function synchronousPair(): [Duplex, Duplex] {
  const make = (other: () => Duplex): Duplex =>
    new Duplex({
      read() {},
      write(chunk, _encoding, callback) {
        other().push(chunk)
        callback()
      },
      final(callback) {
        other().push(null)
        callback()
      },
    })
  const one: Duplex = make(() => two)
  const two: Duplex = make(() => one)
  return [one, two]
}

it('a stream that answers before a write returns', async () => {
  const { client, server } = over(synchronousPair())
  server.on('data', data => server.write(data))
  const heard: string[] = []
  client.on('data', data => {
    heard.push(String(data))
    if (heard.length < 1000) client.write(`${heard.length}`)
    else client.end()
  })
  client.write('0')
  await closed(client, server)
  expect(heard).toEqual(Array.from({ length: 1000 }, (_, i) => `${i}`))
})

it('what the handshake agreed on can be read', async () => {
  const { client, server } = inMemory()
  await Promise.all([once(client, 'secureConnect'), once(server, 'secureConnect')])
  for (const end of [client, server]) {
    expect(end.alpnProtocol).toBe('potato')
    expect(end.servername).toBe('echo.local')
    expect(end.cipher).toBe('TLS_AES_128_GCM_SHA256')
    expect(end.encrypted).toBe(true)
    expect(end.session.connected).toBe(true)
  }
})

it('tickets come as events and are good for a resumption', async () => {
  const first = inMemory()
  const [resume] = await once(first.client, 'session')
  const second = inMemory({ clientConfig: { resume } })
  await once(second.client, 'secureConnect')
  expect(second.client.session.inspect().resumed).toBe(true)
})

it('key log lines come as events, the same at both ends', async () => {
  const { client, server } = inMemory({ client: { keyLog: true }, server: { keyLog: true } })
  const lines: [string[], string[]] = [[], []]
  client.on('keylog', line => lines[0].push(line))
  server.on('keylog', line => lines[1].push(line))
  await once(server, 'secureConnect')
  expect(lines[0].map(line => line.split(' ')[0]).sort()).toEqual([
    'CLIENT_HANDSHAKE_TRAFFIC_SECRET',
    'CLIENT_TRAFFIC_SECRET_0',
    'EXPORTER_SECRET',
    'SERVER_HANDSHAKE_TRAFFIC_SECRET',
    'SERVER_TRAFFIC_SECRET_0',
  ])
  expect(lines[0].toSorted()).toEqual(lines[1].toSorted())
})

it('the key log line of early data comes, too; what its listener throws ends that connection', async () => {
  const early = { earlyData: { maximum: 1000, replay: { register: () => true } } }
  const [resume] = await once(inMemory({ serverConfig: early }).client, 'session')
  const again = () =>
    inMemory({
      client: { keyLog: true },
      clientConfig: { resume, earlyData: true },
      serverConfig: early,
    })
  const { client } = again()
  expect(client.sendEarly(Buffer.from('early'))).toBe(5)
  const [line] = await once(client, 'keylog')
  expect(line).toMatch(/^CLIENT_EARLY_TRAFFIC_SECRET /)
  const failing = again()
  failing.client.once('keylog', () => {
    throw new Error('a listener')
  })
  const alerted = failure(failing.server)
  expect((await failure(failing.client)).message).toBe('a listener')
  expect((await alerted).alert).toBe('internal_error')
})

it('no key log events unless asked for', async () => {
  const { client, server } = inMemory()
  const keylog = vi.fn()
  client.on('keylog', keylog)
  await once(server, 'secureConnect')
  expect(keylog).not.toHaveBeenCalled()
})

it('KeyUpdate: an answer is sent even if there is nothing else to say', async () => {
  const { client, server } = inMemory()
  await once(server, 'secureConnect')
  server.resume()
  client.resume()
  const seen = Promise.all([once(server, 'keyUpdate'), once(client, 'keyUpdate')])
  client.updateKeys(true)
  expect(await seen).toEqual([[true], [false]])
  server.pipe(server)
  client.write('under new keys')
  const [data] = await once(client, 'data')
  expect(data.toString()).toBe('under new keys')
})

it('a peer that asks for many KeyUpdates and reads nothing does not fill our memory', async () => {
  const { client, server, below } = inMemory({ highWaterMark: 1000, serverConfig: { emptyLimit: 1000 } })
  await once(server, 'secureConnect')
  server.resume()
  client.pause()
  below[0].pause()
  const answer = new Uint8Array(2000)
  server.write(answer) // which the client does not read
  await turn()
  const queued = below[1].writableLength
  for (let i = 0; i < 100; i++) {
    client.updateKeys(true)
    await turn()
  }
  expect(below[1].writableLength).toBe(queued)
})

it('a reader that does not read stops the writer', async () => {
  const { client, server } = inMemory()
  await once(server, 'secureConnect')
  let written = 0
  while (written < 10_000_000 && server.write(new Uint8Array(10_000))) {
    written += 10_000
    await turn()
  }
  expect(written).toBeLessThan(1_000_000)
  let received = 0
  client.on('data', data => {
    received += data.length
  })
  server.end()
  await once(client, 'end')
  expect(received).toBe(written + 10_000)
})

it('small writes that gather share a record', async () => {
  const { client, server, below } = inMemory()
  await once(server, 'secureConnect')
  await turn()
  const records = vi.fn()
  below[1].prependListener('data', records)
  client.cork()
  for (let i = 0; i < 100; i++) client.write('x')
  client.uncork()
  const [data] = await once(server, 'data')
  expect(data.length).toBe(100)
  expect(records).toHaveBeenCalledTimes(1)
  expect(records.mock.calls[0]![0].length).toBe(5 + 100 + 1 + 16)
})

it('write callbacks come after the handshake, and with an error if it fails', async () => {
  const good = inMemory()
  await new Promise<void>((resolve, reject) =>
    good.client.write('x', error => (error ? reject(error) : resolve())),
  )
  expect(good.client.session.connected).toBe(true)

  const bad = inMemory({ clientConfig: { serverName: 'other.local' } })
  bad.server.on('error', () => {})
  bad.client.on('error', () => {})
  const error = await new Promise(resolve => bad.client.write('x', resolve))
  expect(error).toBeInstanceOf(TlsError)
})

describe('destroy()', () => {
  const MOMENTS: [string, (pair: Pair) => Promise<unknown>][] = [
    ['at once', async () => {}],
    ['a turn later', () => turn()],
    ['when connected', pair => once(pair.client, 'secureConnect')],
    ['with a write under way', async pair => void pair.client.write(new Uint8Array(1_000_000))],
    ['after end()', async pair => void pair.client.end('x')],
  ]
  it.each(MOMENTS)('%s', async (_moment, wait) => {
    const pair = inMemory()
    pair.server.on('error', () => {})
    await wait(pair)
    const callback = vi.fn()
    const failed = vi.fn()
    const late = pair.client.writableEnded ? 0 : 1
    if (late === 1) pair.client.write('late', callback)
    pair.client.on('error', failed)
    const close = once(pair.client, 'close')
    pair.client.destroy()
    pair.client.destroy()
    await close
    expect(pair.below[0].destroyed).toBe(true)
    expect(callback).toHaveBeenCalledTimes(late)
    expect(failed).not.toHaveBeenCalled()
  })

  it('from inside its own events', async () => {
    const pair = over(await sockets())
    pair.server.on('error', () => {})
    pair.client.once('secureConnect', () => pair.client.destroy())
    pair.client.write('never sent')
    const data = vi.fn()
    pair.server.on('data', data)
    await new Promise(resolve => pair.server.once('close', resolve))
    expect(data).not.toHaveBeenCalled()
  })
})

it('an error of the stream below becomes ours, whenever it comes', async () => {
  const pair = inMemory()
  await once(pair.server, 'secureConnect')
  pair.client.on('error', () => {})
  pair.below[1].destroy(new Error('a cable was cut'))
  expect((await failure(pair.server)).message).toBe('a cable was cut')
  // And afterwards it has a listener, or this would end the process.
  pair.below[1].emit('error', new Error('again'))
})

it('a stream that is already gone', async () => {
  const [ours] = duplexPair()
  ours.destroy()
  await turn()
  const client = TlsDuplex.client(ours, clientConfig)
  expect(await failure(client)).toMatchObject({ code: 'ERR_TLS_TRUNCATED' })
})

it('garbage instead of a hello', async () => {
  const [ours, theirs] = duplexPair()
  const server = TlsDuplex.server(theirs, serverConfig)
  ours.write('GET / HTTP/1.1\r\n\r\n')
  expect(await failure(server)).toBeInstanceOf(TlsError)
  const [alert] = await once(ours, 'data')
  expect(alert[0]).toBe(21)
})

it('a handshake that takes too long', async () => {
  const clock = new HandClock()
  const [, theirs] = duplexPair()
  const server = TlsDuplex.server(theirs, serverConfig, { handshakeTimeout: 500, clock })
  const failed = failure(server)
  clock.pass(500)
  expect(await failed).toMatchObject({ code: 'ERR_TLS_HANDSHAKE_TIMEOUT' })
  expect(theirs.destroyed).toBe(true)
})

it('setTimeout tells of idleness, and the connection goes on', async () => {
  const { client, server } = inMemory()
  await once(server, 'secureConnect')
  server.pipe(server)
  const timeout = vi.fn()
  client.setTimeout(5, timeout)
  await once(client, 'timeout')
  expect(timeout).toHaveBeenCalledTimes(1)
  client.setTimeout(0)
  client.write('still here')
  expect((await once(client, 'data'))[0].toString()).toBe('still here')
})

it('a restored session looks at the bytes that it brought along', async () => {
  const [ours, theirs] = duplexPair()
  const client = TlsDuplex.client(ours, clientConfig)
  const [hello] = await once(theirs, 'data')
  theirs.removeAllListeners('data')
  const before = Session.server(serverConfig)
  before.feed(new Uint8Array(hello))
  const server = new TlsDuplex(theirs, Session.restore(before.release(), serverConfig))
  open.push(client, server)
  await Promise.all([once(client, 'secureConnect'), once(server, 'secureConnect')])
})

it('a connected session that was restored writes at once', async () => {
  const first = inMemory({ serverConfig: { tickets: undefined } as never })
  await Promise.all([once(first.client, 'secureConnect'), once(first.server, 'secureConnect')])
  const state = first.server.session.release()
  const [above, theirs] = duplexPair()
  const below = first.below[1]
  below.removeAllListeners()
  below.pipe(above).pipe(below)
  const server = new TlsDuplex(theirs, Session.restore(state, serverConfig))
  open.push(server)
  server.write('moved')
  expect((await once(first.client, 'data'))[0].toString()).toBe('moved')
})

it('an http.Server takes it for a socket', async () => {
  const { client, server } = inMemory()
  const http = createHttpServer((incoming, response) => response.end(`you asked for ${incoming.url}`))
  http.emit('connection', server)
  const outgoing = request({ path: '/potato', createConnection: () => client }).end()
  const [response] = await once(outgoing, 'response')
  expect((await collect(response)).toString()).toBe('you asked for /potato')
})
