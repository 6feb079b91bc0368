import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { expect, onTestFinished } from 'vitest'
import { keep } from '../../src/transport/keep.ts'
import { nodeTlsServer } from '../../src/transport/kinds/node-tls.ts'
import { tcp } from '../../src/transport/kinds/tcp.ts'
import { unix } from '../../src/transport/kinds/unix.ts'
import type { ConnectionFailure, Server, ServerHandlers } from '../../src/transport/server.ts'
import { type ServeOptions, serve } from '../../src/transport/services.ts'
import { utf8 } from '../../src/wire/index.ts'
import { credentials } from '../support/credentials.ts'

/** Servers with little patience, and hostile clients of them, by TCP and by Unix sockets. */
const files = await credentials()
/** The authority that clients trust. */
export const CA = files.pem('ca.crt')

const LARGE = 30_000_000
const application: ServerHandlers = {
  request(request, response) {
    if (request.path === '/never') return
    if (request.path === '/large') response.reply({ status: 200, body: new Uint8Array(LARGE) })
    else if (request.protocol !== undefined || request.method === 'CONNECT') {
      const transport = keep(response, request.protocol === undefined ? [] : [['Upgrade', 'x']])
      transport.read({
        bytes: view => void transport.write([view.slice()]),
        end: () => transport.end(),
        error: () => transport.destroy(),
      })
      transport.onDrain = () => {}
    } else if (request.method === 'POST') {
      let bytes = 0
      request.content({
        data: piece => {
          bytes += piece.length
        },
        end: () => response.reply({ status: 200, body: `${bytes}` }),
        broken: () => response.abort(),
      })
    } else response.reply({ status: 200, body: 'hello' })
  },
}

const own = () => ({ cert: files.pem('localhost.crt'), key: files.pem('localhost.key') })
const LAYERS = {
  'no TLS': () => undefined,
  'our TLS': () => own(),
  'node:tls': () => nodeTlsServer(own()),
}
export type Layer = keyof typeof LAYERS
export const LAYER_NAMES = Object.keys(LAYERS) as Layer[]
export const PLACES = ['TCP', 'a Unix socket'] as const
export type Place = (typeof PLACES)[number]

export interface Road {
  readonly server: Server
  readonly failures: ConnectionFailure[]
  readonly secure: boolean
  /** A connection without TLS. */
  readonly plain: () => Promise<Socket>
  /** One with what the server has. */
  readonly dial: (alpn?: readonly string[]) => Promise<Duplex>
}

/**
 * For the test that asks for it.
 * @param more what its server takes besides: times that are to run out, above all
 */
export async function road(layer: Layer, place: Place, more: Partial<ServeOptions> = {}): Promise<Road> {
  const failures: ConnectionFailure[] = []
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-attacks-'))
  const path = join(directory, 'server.sock')
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const tls = LAYERS[layer]()
  const server = await serve({
    ...application,
    tunnels: true,
    transport: place === 'TCP' ? tcp.listen({ port: 0 }) : unix.listen({ path }),
    failed: failure => void failures.push(failure),
    ...(tls === undefined ? {} : { tls }),
    ...more,
  })
  onTestFinished(() => server.stop(0))
  const plain = async (): Promise<Socket> => {
    const where = place === 'TCP' ? { host: '127.0.0.1', port: server.address.port! } : { path }
    const socket = connect({ ...where, allowHalfOpen: true }).on('error', () => {})
    await new Promise(resolve => socket.once('connect', resolve))
    return socket
  }
  const dial = async (ALPNProtocols: readonly string[] = ['http/1.1']): Promise<Duplex> => {
    const socket = await plain()
    if (tls === undefined) return socket
    const secured = connectTls({
      socket,
      servername: 'localhost',
      ca: CA,
      ALPNProtocols: [...ALPNProtocols],
      allowHalfOpen: true,
    } as object).on('error', () => {})
    await new Promise(resolve => secured.once('secureConnect', resolve))
    return secured
  }
  return { server, failures, plain, dial, secure: tls !== undefined }
}

/** All that comes until the server ends it, as text. */
export async function heard(stream: Duplex): Promise<string> {
  let text = ''
  stream.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1')
  })
  await new Promise<void>(resolve => stream.once('end', resolve).once('close', resolve))
  stream.end()
  return text
}

/** Says it a byte at a time. @returns what the server said until it had enough */
export async function dripped(stream: Duplex, bytes: Uint8Array, pause = 30): Promise<string> {
  const answer = heard(stream)
  let over = false
  void answer.then(() => {
    over = true
  })
  for (const byte of bytes) {
    if (over || stream.destroyed) break
    stream.write(Uint8Array.of(byte))
    await sleep(pause)
  }
  stream.end()
  return answer
}

export const REQUEST = utf8('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
/** The answer to it. */
export const ANSWERED = /^HTTP\/1\.1 200 [\s\S]*hello$/

/** All its connections are over. */
export async function quiet({ server }: Road): Promise<void> {
  for (let tries = 0; server.connections > 0 && tries < 10_000; tries++) await sleep(10)
  expect(server.connections).toBe(0)
}
