import { describe, expect, it } from 'vitest'
import { H2Client } from '../../src/http/h2/client.ts'
import { utf8 } from '../../src/wire/index.ts'
import { limits, serve } from '../support/h1-messages.ts'
import { H1Server } from '../support/moving-h1-server.ts'
import { H2Server } from '../support/moving-h2-server.ts'
import { Session as MovingSession } from '../support/moving-session.ts'
import { clientConfig, dataOf, joined, serverConfig } from '../support/pair.ts'
import { THROUGH_MOVES } from '../support/through-moves.ts'

/*
 * `npm run test:moves` runs the ordinary suites with these three in the place of `Session`, `H1Server` and
 * `H2Server`. Here it is made certain that they move, and that they are in that place where they should be.
 */
describe('the suite through moves', () => {
  it('is what runs if it was asked for, and only then', () => {
    expect(THROUGH_MOVES).toBe(process.env.HOTPOTATO_THROUGH_MOVES === '1')
  })

  it('moves a session whatever is asked of it', () => {
    const before = MovingSession.moves
    const pair = joined(
      MovingSession.client(clientConfig()) as never,
      MovingSession.server(serverConfig()) as never,
    )
    pair.settle()
    expect(pair.server.connected).toBe(true)
    pair.client.send(utf8('still here'))
    pair.settle()
    expect(dataOf(pair.serverEvents)).toEqual(utf8('still here'))
    expect(MovingSession.moves - before).toBeGreaterThan(20)
  })

  it('moves an HTTP connection between messages, and with a request that has been announced', () => {
    const server = new H1Server(limits())
    const sent: Uint8Array[] = []
    const request = utf8('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    for (const byte of request) serve(server as never, Uint8Array.of(byte), [], sent)
    expect(server.requestsServed).toBe(1)
  })

  it('moves an HTTP/2 connection with whatever it holds', () => {
    const before = H2Server.moves
    const client = new H2Client()
    const id = client.request({ method: 'POST', scheme: 'http', authority: 'a', path: '/' }, false)
    client.write(id, utf8('content'))
    client.end(id)
    const server = new H2Server()
    server.receive(client.takeOutput())
    expect(server.next()).toMatchObject({ type: 'request', path: '/' })
    server.accept(id)
    expect(server.next()).toMatchObject({ type: 'data', data: utf8('content') })
    server.reply(id, { status: 200, body: 'whole' })
    client.receive(server.takeOutput())
    const events = []
    for (let event = client.next(); event !== undefined; event = client.next()) events.push(event.type)
    expect(events).toEqual(['response', 'data'])
    expect(H2Server.moves - before).toBeGreaterThan(5)
  })
})
