import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { overTransport } from '../../src/transport/duplex.ts'
import { introduced } from '../../src/transport/kinds/introduced.ts'
import type { Kind } from '../../src/transport/kinds/kind.ts'
import { MemoryHub, memory } from '../../src/transport/kinds/memory.ts'
import { nodeTls, nodeTlsServer } from '../../src/transport/kinds/node-tls.ts'
import { tcp } from '../../src/transport/kinds/tcp.ts'
import { tls, tlsServer } from '../../src/transport/kinds/tls.ts'
import { unix } from '../../src/transport/kinds/unix.ts'
import { WebSocketListener, webSocket } from '../../src/transport/kinds/web-socket.ts'
import type { Listener } from '../../src/transport/listener.ts'
import { context } from '../../src/transport/network.ts'
import type { ConnectionFailure, Server } from '../../src/transport/server.ts'
import { http, serve } from '../../src/transport/services.ts'
import { type Credentials, credentials } from '../support/credentials.ts'
import { application, CASES } from './cases.ts'
import { askAll, OFFERED, type Version } from './foreign.ts'

/** One place of each kind, and the kind with all that it needs. */
interface Place {
  readonly listener: Promise<Listener>
  readonly kind: Kind
  readonly port?: number
  /** Whose PROXY protocol headers its server believes. */
  readonly proxyProtocol?: { readonly trusted: readonly string[] }
}

let files: Credentials
let directory = ''
const servers: Server[] = []
const failures: ConnectionFailure[] = []

beforeAll(async () => {
  files = await credentials()
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-transport-'))
})

afterAll(async () => {
  await Promise.all(servers.map(server => server.stop(0)))
  rmSync(directory, { recursive: true })
})

const pem = (name: string): string => readFileSync(files.file(name), 'utf8')

/** A kind that needs nothing any more. */
function given<Needs extends object>(kind: Kind<Needs>, needs: Needs): Kind {
  return { name: kind.name, connect: (target, attempt) => kind.connect(target, attempt, needs) }
}

const PLACES: Readonly<Record<string, () => Promise<Place>>> = {
  async TCP() {
    const listener = await tcp.listen({ port: 0 })
    return { listener: Promise.resolve(listener), kind: tcp, port: listener.address.port! }
  },
  async 'TCP with a PROXY protocol header'() {
    const listener = await tcp.listen({ port: 0 })
    const source = { address: '203.0.113.7', port: 4711 }
    const header = {
      version: 2,
      command: 'proxy',
      family: 'tcp4',
      source,
      destination: source,
      tlvs: [],
    } as const
    return {
      listener: Promise.resolve(listener),
      kind: given(introduced(tcp), { introduction: { header, checksum: true } }),
      port: listener.address.port!,
      proxyProtocol: { trusted: ['127.0.0.1'] },
    }
  },
  async 'a Unix socket'() {
    const path = join(directory, `${servers.length}.sock`)
    return { listener: unix.listen({ path }), kind: given(unix, { path }) }
  },
  async memory() {
    const hub = new MemoryHub()
    return { listener: memory.listen({ hub, name: 'localhost' }), kind: given(memory, { hub }) }
  },
  async 'a WebSocket'() {
    const listener = new WebSocketListener(() => SYSTEM_CLOCK.steady())
    const front = await http({
      port: 0,
      request: (request, response, connection) => listener.accept(request, response, connection),
    })
    servers.push(front)
    return { listener: Promise.resolve(listener), kind: webSocket(tcp), port: front.address.port! }
  },
}

const LAYERS = {
  'without TLS': () => ({ server: undefined, client: (kind: Kind): Kind => kind }),
  'our TLS': () => ({
    server: tlsServer({ cert: pem('localhost.crt'), key: pem('localhost.key') }),
    client: (kind: Kind): Kind => given(nodeTls(kind), { tls: { ca: pem('ca.crt') } }),
  }),
  'node:tls': () => ({
    server: nodeTlsServer({ cert: pem('localhost.crt'), key: pem('localhost.key') }),
    client: (kind: Kind): Kind => given(tls(kind), { tls: { ca: pem('ca.crt') } }),
  }),
}

/** Each has a connection of its own over HTTP/1.0: every other one, unless there is time. */
const FOR_ONE = process.env.HOTPOTATO_LONG === undefined ? CASES.filter((_, index) => index % 2 === 1) : CASES

describe.each(Object.keys(PLACES))('over %s', place => {
  describe.each(Object.keys(LAYERS) as (keyof typeof LAYERS)[])('%s', layerName => {
    let open: (version: Version) => Promise<Duplex>

    beforeAll(async () => {
      const layer = LAYERS[layerName]()
      const { listener, kind, port = 1, proxyProtocol } = await PLACES[place]!()
      const { server } = layer
      const failed = (failure: ConnectionFailure): void => void failures.push(failure)
      servers.push(
        await serve({
          ...application,
          transport: listener,
          failed,
          ...(proxyProtocol === undefined ? {} : { proxyProtocol }),
          ...(server === undefined ? {} : { tls: server }),
        }),
      )
      const way = context().over('x', layer.client(kind))
      const target = { scheme: 'x', host: 'localhost', port }
      open = async version => {
        const { transport, alpn } = await way.connect(target, { alpn: OFFERED[version] })
        expect(alpn).toBe(layerName === 'without TLS' ? undefined : OFFERED[version][0])
        return overTransport(transport)
      }
    })

    it.each(['1.0', '1.1', '2'] as const)('HTTP/%s', async version => {
      const secure = layerName !== 'without TLS'
      const cases = version === '1.0' ? FOR_ONE : CASES
      const answers = await askAll(version, () => open(version), cases, secure ? 'https' : 'http')
      for (const [index, { name, status = 200, content }] of cases.entries()) {
        const answer = answers[index]!
        expect([name, answer.status]).toEqual([name, status])
        if (typeof content === 'number') expect([name, answer.content.length]).toEqual([name, content])
        else expect(answer.content).toMatch(content)
      }
      expect(answers.at(-1)?.content).toBe(`${secure} ${secure ? OFFERED[version][0] : undefined}`)
    })
  })

  it('no connection has failed', () => {
    expect(failures).toEqual([])
  })
})
