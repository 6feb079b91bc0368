import { readFileSync } from 'node:fs'
import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, it } from 'vitest'
import { discard } from '../../src/client/answer.ts'
import { Exchange } from '../../src/client/exchange.ts'
import { Opener } from '../../src/client/opener.ts'
import { DEFAULT_TIMEOUTS } from '../../src/client/options.ts'
import { Pools } from '../../src/client/pools.ts'
import { outgoingOf } from '../../src/client/request.ts'
import { SYSTEM_CLOCK as clock } from '../../src/time/system-clock.ts'
import type { Connector } from '../../src/transport/connector.ts'
import { network } from '../../src/transport/network.ts'
import { Certificates } from '../support/tls-programs.ts'

const files = await Certificates.make()
const pem = (name: string): string => readFileSync(files.file(name), 'utf8')
const server = createSecureServer(
  { cert: pem('localhost.crt'), key: pem('localhost.key') },
  (request, response) => response.end(request.authority),
)
const sessions = new Set<{ close(): void }>()
server.on('session', session => sessions.add(session))
await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
afterAll(() => {
  server.close()
  files.remove()
})

it('a pool is forgotten when nothing is left of it, one that borrows a connection too', async () => {
  const { port } = server.address() as AddressInfo
  const net = network({ tls: { ca: pem('ca.crt') } })
  // Every name is here, and has the certificate of localhost.
  const connector: Connector = {
    connect: async (target, options) => {
      const connected = await net.connect({ ...target, host: '127.0.0.1', serverName: 'localhost' }, options)
      return Object.create(connected, { certificateNames: { value: ['one.test', 'two.test'] } })
    },
    routeOf: () => 'here',
  }
  const opener = new Opener({ connector }, clock, DEFAULT_TIMEOUTS)
  const lookup = async (): Promise<readonly string[]> => ['127.0.0.1']
  const pools = new Pools({ opener, lookup, limit: 10, patience: 1000, waitMs: 0, clock })
  const ask = async (host: string): Promise<Exchange> => {
    const outgoing = outgoingOf(`https://${host}:${port}/`, {}, [])
    const exchange = new Exchange(outgoing, {})
    const answered = exchange.answered()
    pools.get(outgoing.url).dispatch(exchange)
    discard(await answered)
    return exchange
  }
  await ask('one.test')
  expect((await ask('two.test')).coalesced).toBe(true)
  expect([pools.size, sessions.size]).toEqual([2, 1])
  for (const session of sessions) session.close()
  while (pools.size > 0) await new Promise(resolve => setTimeout(resolve, 5))
})
