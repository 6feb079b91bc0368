import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ClientHelloRecogniser } from '../../src/gateway/client-hello-recogniser.ts'
import { Gateway } from '../../src/gateway/gateway.ts'
import { HostRecogniser } from '../../src/gateway/host-recogniser.ts'
import { Relayed } from '../../src/gateway/relayed.ts'
import { Relays } from '../../src/gateway/relays.ts'
import { DEFAULT_LIMITS } from '../../src/http/h1/limits.ts'
import { type BoundPort, bindPort } from '../../src/supervisor/ports.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { Session } from '../../src/tls13/index.ts'
import type { Peer } from '../../src/transfer/control.ts'
import type { Courier } from '../../src/transfer/courier.ts'
import type { Release } from '../../src/transfer/custody.ts'
import type { Envelope } from '../../src/transfer/envelope.ts'
import { Relay } from '../../src/transfer/relay.ts'
import { chooseStream, type Descriptor, openStream } from '../../src/transfer/stream.ts'
import { concat, EMPTY, utf8 } from '../../src/wire/index.ts'
import { Escapes, Faults } from '../support/faults.ts'
import { clientConfig } from '../support/pair.ts'

const faults = new Faults()
const escapes = new Escapes()
let bound: BoundPort[]
let gateway: Gateway
let ports: { http: number; https: number }
const logged: unknown[] = []

let throws = false

/** A container that gives back what comes, and closes after its client. */
const courier = {
  share: () => true,
  tell: () => true,
  send(_: number, envelope: Envelope, descriptor: Descriptor, settle: (release: Release) => void) {
    if (throws) throw new Error('no channel')
    const stream = openStream(descriptor)
    stream.read({ bytes: view => void stream.write([view.slice()]), end: () => stream.end(), error() {} })
    const { application, tls } = envelope
    const inbound = tls?.inboundRecords ?? (application.protocol === 'http1' ? application.inbound : EMPTY)
    stream.write([inbound.slice()])
    setImmediate(() => settle({ state: 'gone' }))
  },
} as unknown as Courier

beforeEach(async () => {
  bound = [await bindPort('127.0.0.1', 0), await bindPort('127.0.0.1', 0)]
  throws = false
  logged.length = 0
  escapes.errors.length = 0
  const log = { debug() {}, info() {}, warn() {}, error: (...all: unknown[]) => void logged.push(all) }
  const limits = {
    openingLimit: 10,
    helloBytes: 16_384,
    helloMilliseconds: 5000,
    holdMilliseconds: 50,
    wakeMilliseconds: 1000,
    hibernateMilliseconds: 0,
    memoryBytes: 0,
  }
  gateway = new Gateway(
    {
      ...limits,
      ...{ host: '127.0.0.1', http: 0, https: 0, idleMilliseconds: 30_000, http1: DEFAULT_LIMITS },
      routes: [{ host: 'localhost', function: 'echo' }],
      defaultFunction: 'echo',
      functionNames: new Set(['echo', 'away']),
      carriers: new Map([['echo', 'relay']]),
    },
    { http: bound[0]!.fd, https: bound[1]!.fd },
    courier,
    log,
    SYSTEM_CLOCK,
    new Map([['relay', (...needs) => new Relays(...needs)]]),
  )
  ports = await gateway.listen()
  gateway.introduced({ id: 2, role: 'container', name: 'echo-1', functionName: 'echo' } as Peer)
  escapes.start()
})
afterEach(() => {
  faults.stop()
  gateway.close()
  for (const port of bound) port.close()
  escapes.stop()
})

/** What a client hears that says this, and no more. */
async function ask(port: number, bytes: Uint8Array): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  const heard: Uint8Array[] = []
  socket.on('error', () => {})
  socket.on('end', () => socket.end())
  socket.on('data', data => {
    heard.push(new Uint8Array(data))
    socket.end()
  })
  socket.write(bytes.subarray(0, 20))
  setImmediate(() => socket.write(bytes.subarray(20)))
  await once(socket, 'close')
  return new TextDecoder('latin1').decode(concat(...heard))
}

const GET = utf8('GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n')
const PLACES: Readonly<Record<string, () => [number, Uint8Array]>> = {
  'a request': () => [ports.http, GET],
  'a request for no function': () => [ports.http, utf8('GET /away HTTP/1.1\r\nHost: localhost\r\n\r\n')],
  'no request': () => [ports.http, utf8('GET /echo\u0000 HTTP/9.1\r\nHost: localhost\r\n\r\n')],
  'a ClientHello': () => {
    const session = Session.client(clientConfig({ serverName: 'localhost' }))
    return [ports.https, concat(...session.takeOutput())]
  },
}

describe.skipIf(chooseStream().kind !== 'raw')('whatever throws in the gateway', () => {
  it.each(Object.entries(PLACES))('ends its connection alone: %s', async (_, place) => {
    for (const Watched of [HostRecogniser, ClientHelloRecogniser, Relayed, Relay]) faults.watch(Watched)
    faults.arm(0)
    await ask(...place())
    const { calls } = faults
    expect(calls).toBeGreaterThan(0)
    for (let at = 1; at <= calls; at++) {
      faults.arm(at)
      await ask(...place())
      const where = `call ${at} of ${calls}, ${faults.thrown}`
      faults.arm(0)
      expect(escapes.errors, where).toEqual([])
      expect(await ask(ports.http, GET), where).toBe(new TextDecoder().decode(GET))
    }
    while (gateway.carried.relayed > 0) await new Promise(resolve => setTimeout(resolve, 5))
  })

  it('ends it when it cannot be sent, and counts that', async () => {
    throws = true
    await ask(ports.http, GET)
    expect(gateway.counters).toMatchObject({ unclean: 1, uncleanFailed: 1 })
    throws = false
    await ask(ports.http, GET)
    expect(gateway.counters).toMatchObject({ unclean: 1, delivered: 1 })
    expect(escapes.errors).toEqual([])
  })
})
