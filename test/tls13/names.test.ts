import { describe, expect, it } from 'vitest'
import { readExtensions } from '../../src/tls13/extensions.ts'
import type { ResumptionTicket } from '../../src/tls13/state.ts'
import { utf8 } from '../../src/wire/index.ts'
import { NO_HOST_NAMES, shown } from '../support/names.ts'
import { connectedPair, createPair, type Pair, ticketSealer } from '../support/pair.ts'
import { reshape, withValue } from '../support/reshape.ts'

function ticketOf(events: Pair['clientEvents']): ResumptionTicket {
  return events.flatMap(event => (event.type === 'new_session_ticket' ? [event.ticket] : []))[0]!
}

describe('a client', () => {
  it('asks without the dot at the end of a name, and holds the certificate against that', () => {
    const held: (string | undefined)[] = []
    const { client, server } = connectedPair({
      serverName: 'echo.local.',
      verify: ([publicKey], { serverName }) => {
        held.push(serverName)
        return { publicKey: publicKey! }
      },
    })
    expect([client.serverName, server.serverName, ...held]).toEqual(Array(3).fill('echo.local'))
  })

  it('resumes by either spelling of a name', () => {
    const tickets = { tickets: { sealer: ticketSealer() } }
    const { clientEvents } = connectedPair({ serverName: 'echo.local.' }, tickets)
    const resume = ticketOf(clientEvents)
    for (const serverName of ['echo.local', 'echo.local.']) {
      const again = connectedPair({ serverName, resume }, tickets)
      expect(again.clientEvents[0]).toMatchObject({ type: 'handshake_complete', resumed: true })
    }
  })

  it.each(['', 'écho.local', 'echo.local:443', 'echo local', 'echo..local'])(
    'does not begin with %j, which is no host name in ASCII',
    serverName => {
      expect(() => createPair({ serverName })).toThrow(TypeError)
    },
  )
})

describe('a server goes on with a client that asks for what is no host name, as if it asked for none', () => {
  it.each(NO_HOST_NAMES.map(one => [shown(one), one] as const))('%s', (_, name) => {
    const asks = reshape('client_hello', m =>
      withValue(m, 'CH', 'server_name', [{ nameType: 0, hostName: utf8(name) }]),
    )
    let answered: unknown
    const watch = reshape('encrypted_extensions', m => {
      answered = readExtensions('EE', m.extensions).server_name
      return {}
    })
    const tickets = { tickets: { sealer: ticketSealer() } }
    const { server, clientEvents } = connectedPair({ shape: asks() }, { shape: watch(), ...tickets })
    expect([server.serverName, answered]).toEqual([undefined, undefined])

    const resume = ticketOf(clientEvents)
    const again = connectedPair({ resume, shape: asks() }, tickets)
    expect(again.serverEvents[0]).toMatchObject({ type: 'handshake_complete', resumed: true })
  })
})
