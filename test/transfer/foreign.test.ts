import { describe, expect, it } from 'vitest'
import { CipherSuiteId } from '../../src/tls13/codepoints.ts'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { Session } from '../../src/tls13/index.ts'
import { FOREIGN_CODECS, ForeignError } from '../../src/transfer/foreign.ts'
import { fromHex, hex, utf8 } from '../../src/wire/index.ts'
import {
  clientConfig,
  connectedPair,
  createPair,
  dataOf,
  joined,
  serverConfig,
  ticketSealer,
} from '../support/pair.ts'

const picotls = FOREIGN_CODECS.get('picotls')!

/** A server's session as `ptls_export` lays it out, written by hand. */
const EXPORTED = [
  '008e', // the length of all that follows
  '01', // is_server
  '00', // is_psk_handshake
  '0304 1301', // protocol version, cipher suite
  '11'.repeat(32), // client random
  `000a ${hex(utf8('echo.local'))}`,
  `0006 ${hex(utf8('h1/two'))}`,
  '0050', // the block of TLS 1.3
  'a2'.repeat(32), // enc secret
  '0000000000000022',
  'a1'.repeat(32), // dec secret
  '000000000000000c',
  '0000', // reserved
].join(' ')

describe('the codec of picotls', () => {
  it('reads and writes the layout byte for byte', () => {
    const bytes = fromHex(EXPORTED)
    const state = picotls.decode(bytes)
    expect(state).toMatchObject({
      role: 'server',
      handshake: { state: 'CONNECTED' },
      cipherSuite: CipherSuiteId.TLS_AES_128_GCM_SHA256,
      serverName: 'echo.local',
      alpn: 'h1/two',
      resumed: false,
      read: { trafficSecret: new Uint8Array(32).fill(0xa1), sequenceNumber: 12 },
      write: { trafficSecret: new Uint8Array(32).fill(0xa2), sequenceNumber: 34 },
    })
    expect(hex(picotls.encode(state))).toBe(hex(bytes))
    expect(bytes.length).toBe(128 + 'echo.local'.length + 'h1/two'.length)
  })

  const suites = node.cipherSuites.map(suite => [suite.name, suite] as const)
  it.each(suites)('%s: a session goes on through it, on either side, KeyUpdates included', (_, suite) => {
    const provider = { ...node, cipherSuites: [suite] }
    const { client, server } = connectedPair({ provider, alpn: ['x'] }, { provider, alpn: ['x'] })
    server.updateKeys(true)
    server.send(utf8('before'))
    const first = joined(client, server)
    first.settle()
    expect(dataOf(first.clientEvents)).toEqual(utf8('before'))

    const elsewhere = { ...noble, cipherSuites: noble.cipherSuites.filter(({ id }) => id === suite.id) }
    const through = (session: Session) => picotls.decode(picotls.encode(session.release()))
    const second = joined(
      Session.restore(through(client), clientConfig({ provider: elsewhere })),
      Session.restore(through(server), serverConfig({ provider: elsewhere })),
    )
    second.client.updateKeys(true)
    second.client.send(utf8('up'))
    second.server.updateKeys(false)
    second.server.send(utf8('down'))
    second.settle()
    expect(dataOf(second.serverEvents)).toEqual(utf8('up'))
    expect(dataOf(second.clientEvents)).toEqual(utf8('down'))
    expect(second.server.alpn).toBe('x')
  })

  it('does without what the format has no place for', () => {
    const tickets = { sealer: ticketSealer() }
    const { server, client } = connectedPair({}, { tickets })
    const through = picotls.decode(picotls.encode(server.release()))
    const again = joined(client, Session.restore(through, serverConfig({ tickets })))
    expect(() => again.server.exportKeyingMaterial('EXPORTER-x', utf8(''), 32)).toThrow(/exporter secret/)
    again.server.sendTickets(1)
    again.settle()
    expect(again.clientEvents).toEqual([])
    again.server.send(utf8('all is well'))
    again.settle()
    expect(dataOf(again.clientEvents)).toEqual(utf8('all is well'))
  })

  it('lets an imported client pass over tickets that it cannot use', () => {
    const { server, client } = connectedPair({}, { tickets: { sealer: ticketSealer(), count: 0 } })
    const again = joined(
      Session.restore(picotls.decode(picotls.encode(client.release())), clientConfig()),
      server,
    )
    again.server.sendTickets(2)
    again.settle()
    expect(again.clientEvents).toEqual([])
    expect(again.client.connected).toBe(true)
  })

  it('refuses sessions that would lose bytes or duties', () => {
    expect(() => picotls.encode(createPair().client.release())).toThrow(
      new ForeignError('picotls exports sessions that are CONNECTED, not WAIT_SH'),
    )
    const refused = (prepare: (pair: ReturnType<typeof connectedPair>) => Session): string => {
      try {
        picotls.encode(prepare(connectedPair()).release())
      } catch (error) {
        if (error instanceof ForeignError) return error.message
        throw error
      }
      return 'not refused'
    }
    expect(
      refused(({ client }) => {
        client.send(utf8('x'))
        return client
      }),
    ).toBe('picotls has no field for records that have not been written')
    expect(
      refused(({ client, server }) => {
        client.send(utf8('x'))
        server.feed(client.takeOutput()[0]!.slice(0, 7))
        server.settle()
        return server
      }),
    ).toMatch(/a record, or a part of one/)
    expect(
      refused(({ client, server }) => {
        client.updateKeys(true)
        server.receive(client.takeOutput()[0]!)
        return server
      }),
    ).toMatch(/KeyUpdate/)
    expect(
      refused(({ client, server }) => {
        client.close()
        server.receive(client.takeOutput()[0]!)
        return server
      }),
    ).toMatch(/closed/)
  })

  it('refuses what is no such session', () => {
    const bytes = fromHex(EXPORTED)
    for (let length = 0; length < bytes.length; length++)
      expect(() => picotls.decode(bytes.slice(0, length))).toThrow(ForeignError)
    const changed = (offset: number, ...values: number[]) => {
      const copy = bytes.slice()
      copy.set(values, offset)
      return () => picotls.decode(copy)
    }
    expect(changed(2, 2)).toThrow(/2 is not a Boolean/)
    expect(changed(4, 3, 3)).toThrow('version 0x303; only TLS 1.3 (0x304) is supported')
    expect(changed(6, 0x13, 0x99)).toThrow('cipher suite 0x1399 is unknown')
    expect(changed(6, 0x13, 0x02)).toThrow(/not a session of picotls/) // secrets of another length
  })
})
