import { afterAll, describe, expect, it } from 'vitest'
import { targetOf } from '../../../src/transport/context.ts'
import { MemoryHub, memory } from '../../../src/transport/kinds/memory.ts'
import { context } from '../../../src/transport/network.ts'
import { type ProxyHeader, writeV1, writeV2 } from '../../../src/transport/proxy-protocol/index.ts'
import type { ConnectionFailure, Server } from '../../../src/transport/server.ts'
import { serve } from '../../../src/transport/services.ts'
import { concat, utf8 } from '../../../src/wire/index.ts'

const FAR = {
  source: { address: '203.0.113.7', port: 4711 },
  destination: { address: '198.51.100.1', port: 443 },
}
const ONE: ProxyHeader = { version: 1, command: 'proxy', family: 'tcp4', ...FAR, tlvs: [] }
const TWO: ProxyHeader = { ...ONE, version: 2, tlvs: [{ type: 0xe0, value: new Uint8Array(40) }] }
const ASK = utf8('GET / HTTP/1.0\r\n\r\n')
const HEADERS: Readonly<Record<string, Uint8Array>> = {
  'version 1': utf8(writeV1(ONE)),
  'version 2': writeV2(TWO, true),
}

const servers: Server[] = []
afterAll(() => Promise.all(servers.map(server => server.stop(0))))

/** A server in memory, and what is asked of it in pieces: the answer, or how the connection has failed. */
async function scene() {
  const hub = new MemoryHub()
  const failures: ConnectionFailure[] = []
  const server = await serve({
    transport: memory.listen({ hub, name: 'a' }),
    proxyProtocol: { trusted: ['local'], patienceMs: 20_000 },
    request: (_, response, { peer, proxied }) =>
      response.reply({ status: 200, body: `${proxied?.version} ${peer.address}` }),
    failed: failure => void failures.push(failure),
  })
  servers.push(server)
  const net = context().over('memory', memory, { hub })
  return async (pieces: readonly Uint8Array[]): Promise<string> => {
    failures.length = 0
    const { transport } = await net.connect(targetOf('memory://a'))
    let text = ''
    const over = new Promise<void>(resolve =>
      transport.read({
        bytes: view => {
          text += Buffer.from(view).toString()
        },
        end: resolve,
        error: () => resolve(),
      }),
    )
    for (const piece of pieces) {
      transport.write([piece])
      await new Promise(resolve => setImmediate(resolve))
    }
    transport.end()
    await over
    transport.destroy()
    return failures.length === 0 ? text : failures.map(({ stage, error }) => `${stage}: ${error.name}`).join()
  }
}

describe.each(Object.entries(HEADERS))('a header of %s', (name, header) => {
  it('is read in two pieces, wherever it is cut, and with the request in either', async () => {
    const said = await scene()
    const all = concat(header, ASK)
    for (let at = 1; at < all.length; at++) {
      const answer = await said([all.subarray(0, at), all.subarray(at)])
      expect([at, answer]).toEqual([at, expect.stringMatching(`200 [\\s\\S]*${name.slice(-1)} 203.0.113.7$`)])
    }
  })

  it('is read byte by byte', async () => {
    const answer = await (await scene())(Array.from(concat(header, ASK), byte => Uint8Array.of(byte)))
    expect(answer).toMatch(/203\.0\.113\.7$/)
  })

  it('that ends anywhere, or has a wrong byte in its frame, is told with its stage', async () => {
    const said = await scene()
    for (let at = 1; at < header.length; at += name === 'version 1' ? 1 : 3)
      expect([at, await said([header.subarray(0, at)])]).toEqual([
        at,
        expect.stringMatching(/^proxy-protocol: /),
      ])
    // What a checksum, or the grammar of the line, covers.
    const checksum = name === 'version 1' ? -1 : 28 // with another type there is none to be held against
    for (let at = 0; at < header.length; at += 2) {
      if (at === checksum) continue
      const wrong = header.slice()
      wrong[at]! ^= 0x80
      const answer = await said([concat(wrong, ASK)])
      expect([at, answer]).toEqual([at, expect.stringMatching(/^proxy-protocol: /)])
    }
  })
})
