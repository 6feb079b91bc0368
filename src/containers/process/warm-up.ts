import { H1Client, type H1Limits, H1Server } from '../../http/h1/index.ts'
import type { Clock } from '../../time/clock.ts'
import { type ServerConfig, Session } from '../../tls13/index.ts'
import { decodeEnvelope, encodeEnvelope, freshEnvelope } from '../../transfer/envelope.ts'
import { containerTls } from './shapes.ts'
import { pretended } from './signing.ts'

/** How often at most; enough for the engine to have compiled what it is going to compile early. */
const ROUNDS = 20

/**
 * Runs the path of a connection in memory, from the handshake to a move and an answer, so that the first
 * client does not pay for lazy loading (2–28 ms where that was measured). Tickets and key log are left out:
 * nothing of it is real.
 * @param rehearsals how many moves may be practised at most; 0: nothing is
 */
export function warmUp(config: ServerConfig, limits: H1Limits, clock: Clock, rehearsals = ROUNDS): void {
  if (rehearsals === 0) return
  const { provider, certificates } = config
  const own = containerTls({ provider, certificates: pretended(certificates), alpn: ['http/1.1'] })
  const { client, server } = practisedSessions(own)
  const http = new H1Client()
  let owner = server
  for (let round = 0; round < Math.min(ROUNDS, rehearsals); round++) {
    client.send(
      http.request(
        { method: 'POST', target: '/warm', headers: [['host', 'warm.invalid']] },
        new Uint8Array(100),
      ),
    )
    const plaintext = takeOnce(client, owner)
    const connection = new H1Server(limits)
    for (const data of plaintext) connection.receive(data)
    connection.next()
    const envelope = {
      ...freshEnvelope(new Uint8Array(16), 1000, owner.release()),
      application: { protocol: 'http1' as const, ...connection.export() },
    }
    const { tls, application } = decodeEnvelope(encodeEnvelope(envelope))
    owner = Session.restore(tls!, own)
    if (application.protocol !== 'http1') throw new Error(`${application.protocol} came back`)
    const restored = new H1Server(limits, application)
    restored.next()
    restored.accept()
    for (let event = restored.next(); event !== undefined; event = restored.next());
    owner.send(restored.reply({ status: 200, body: new Uint8Array(200) }, clock.wall()))
    for (const record of owner.takeOutput()) {
      for (const event of client.receive(record))
        if (event.type === 'application_data') http.receive(event.data)
    }
  }
}

/** Both ends of a session after its handshake. */
export function practisedSessions(own: ServerConfig): { readonly client: Session; readonly server: Session } {
  const server = Session.server(own)
  // The server is this process itself: the certificate is not looked at, its signature is not checked.
  const { provider } = own
  const trusting = {
    ...provider,
    signatureAlgorithms: provider.signatureAlgorithms.map(one => ({ ...one, verify: () => true })),
  }
  const verify = () => ({ publicKey: Uint8Array.of(0) })
  const client = Session.client({
    provider: trusting,
    alpn: ['http/1.1'],
    serverName: 'warm.invalid',
    verify,
  })
  shakeHands(client, server)
  return { client, server }
}

function shakeHands(client: Session, server: Session): void {
  for (let flight = 0; flight < 3; flight++) {
    for (const record of client.takeOutput()) server.receive(record)
    for (const record of server.takeOutput()) client.receive(record)
  }
}

function takeOnce(client: Session, server: Session): Uint8Array[] {
  const plaintext: Uint8Array[] = []
  for (const record of client.takeOutput()) {
    for (const event of server.receive(record))
      if (event.type === 'application_data') plaintext.push(event.data)
  }
  return plaintext
}
