import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type Carrier, NOTHING_CARRIED } from '../../src/gateway/carrier.ts'
import { prepareCarriers } from '../../src/gateway/carriers.ts'
import { Gateway } from '../../src/gateway/gateway.ts'
import { DEFAULT_LIMITS } from '../../src/http/h1/limits.ts'
import type { CarrierName } from '../../src/platform/carrier.ts'
import type { GatewaySettings } from '../../src/platform/gateway-settings.ts'
import { type BoundPort, bindPort } from '../../src/supervisor/ports.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import type { Peer } from '../../src/transfer/control.ts'
import type { Courier } from '../../src/transfer/courier.ts'

const undo: (() => void)[] = []
afterEach(() => {
  for (const one of undo.splice(0).reverse()) one()
})

/** A carrier that only writes down what it is told. */
class Noting implements Carrier {
  readonly told: unknown[] = []
  readonly counters
  size = 1
  constructor(counters: Carrier['counters']) {
    this.counters = counters
  }
  arrive({ stream, to, inbound }: Parameters<Carrier['arrive']>[0], tls: boolean): void {
    this.told.push(['arrive', to, tls, new TextDecoder().decode(inbound).split('\r\n')[0]])
    stream.destroy()
  }
  introduced = ({ id }: Peer) => void this.told.push(['introduced', id])
  gone = (id: number) => void this.told.push(['gone', id])
  handOver = (successor: () => number | undefined) => void this.told.push(['handOver', successor()])
  adopt = () => ({ reason: 'here', detail: 'noted' }) as const
  close = () => void this.told.push(['close'])
}

/** A gateway with two carriers, `fd` for the function `plain` and `relay` for `kept`. */
async function opened() {
  const bound: BoundPort[] = [await bindPort('127.0.0.1', 0), await bindPort('127.0.0.1', 0)]
  const fd = new Noting({ duplicated: 3 })
  const relay = new Noting({ relayed: 2 })
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const gateway = new Gateway(
    {
      ...{ host: '127.0.0.1', http: 0, https: 0, idleMilliseconds: 1000, http1: DEFAULT_LIMITS },
      ...{ openingLimit: 10, helloBytes: 16_384, helloMilliseconds: 5000, holdMilliseconds: 50 },
      ...{ wakeMilliseconds: 50, hibernateMilliseconds: 0 },
      ...{ memoryBytes: 0, routes: [], defaultFunction: undefined },
      functionNames: new Set(['plain', 'kept']),
      carriers: new Map([['kept', 'relay']]),
    },
    { http: bound[0]!.fd, https: bound[1]!.fd },
    {} as Courier,
    log,
    SYSTEM_CLOCK,
    new Map<CarrierName, () => Carrier>([
      ['fd', () => fd],
      ['relay', () => relay],
    ]),
  )
  undo.push(() => {
    gateway.close()
    for (const port of bound) port.close()
  })
  return { gateway, fd, relay, port: (await gateway.listen()).http }
}

const ask = (port: number, path: string): Promise<void> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`))
    socket.on('error', () => {})
    socket.on('close', () => resolve())
  })

describe('a gateway', () => {
  it('gives each connection to the carrier of its function', async () => {
    const { fd, relay, port } = await opened()
    await ask(port, '/kept/1')
    await ask(port, '/plain/2')
    await ask(port, '/kept/3')
    expect(fd.told).toEqual([['arrive', 'plain', false, 'GET /plain/2 HTTP/1.1']])
    expect(relay.told).toEqual([
      ['arrive', 'kept', false, 'GET /kept/1 HTTP/1.1'],
      ['arrive', 'kept', false, 'GET /kept/3 HTTP/1.1'],
    ])
  })

  it('tells every carrier who comes and goes, and waits for all of them', async () => {
    const { gateway, fd, relay } = await opened()
    const successor = { id: 9, role: 'gateway', name: 'gateway', functionName: '' } as Peer
    gateway.introduced({ id: 4, role: 'container', name: 'plain-1', functionName: 'plain' } as Peer)
    gateway.introduced(successor)
    gateway.gone(4)
    gateway.makeWay(false)
    gateway.makeWay(true)
    gateway.close()
    const told = [['introduced', 4], ['introduced', 9], ['gone', 4], ['handOver', 9], ['close']]
    expect([fd.told, relay.told]).toEqual([told, told])
    fd.size = 0
    expect(gateway.finished).toBe(false)
    relay.size = 0
    expect(gateway.finished).toBe(true)
  })

  it('shows the counters of all of them', async () => {
    const { gateway } = await opened()
    expect(gateway.carried).toEqual({ ...NOTHING_CARRIED, duplicated: 3, relayed: 2 })
  })

  it('takes relayed connections from gateways alone', async () => {
    const { gateway } = await opened()
    const relayed = (from: number) => gateway.relay({} as never, {} as never, {} as never, from)
    expect(relayed(9)).toMatchObject({ reason: 'role' })
    gateway.introduced({ id: 9, role: 'gateway', name: 'gateway', functionName: '' } as Peer)
    expect(relayed(9)).toEqual({ reason: 'here', detail: 'noted' })
  })
})

describe('carriers', () => {
  const prepared = (carriers: Record<string, CarrierName>, channel: GatewaySettings['channel'] = 'ipc') =>
    prepareCarriers({ id: 1, channel, gateway: { carriers } } as unknown as GatewaySettings)

  it('are made where a function has them, and relays for what another gateway brings', async () => {
    expect([...(await prepared({ a: 'fd' })).keys()]).toEqual(['fd', 'relay'])
  })

  it('are refused in one line where they cannot work', async () => {
    await expect(prepared({ a: 'fd', b: 'duplicate' })).rejects.toThrow(
      /^duplicate: true does not work on this machine: .+$/,
    )
  })
})
