import type { Certificate } from '../../src/tls13/authentication.ts'
import { NamedGroup } from '../../src/tls13/codepoints.ts'
import type { ClientConfig, ServerConfig, SessionEvent } from '../../src/tls13/config.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import { Session } from '../../src/tls13/session.ts'
import { createTicketSealer, type TicketSealer } from '../../src/tls13/ticket.ts'
import { concat } from '../../src/wire/index.ts'
import { certificateOf, ed25519Identity, trusting } from './identity.ts'
import { seeded } from './random.ts'

/** The identity of every server in these tests that needs no other. */
export const identity = ed25519Identity(7)

/** Milliseconds since 1970 at which these tests take place. */
export const NOW = 1_700_000_000_000

const certificates = new Map<CryptoProvider, Certificate>()

/** A server's configuration that gives the same bytes in every run. */
export function serverConfig(more: Partial<ServerConfig> = {}): ServerConfig {
  const provider = more.provider ?? node
  const certificate = certificates.get(provider) ?? certificateOf(identity, provider)
  certificates.set(provider, certificate)
  return { provider, certificates: [certificate], random: seeded(1), now: () => NOW, ...more }
}

/** A client's configuration that gives the same bytes in every run. */
export function clientConfig(more: Partial<ClientConfig> = {}): ClientConfig {
  return {
    provider: node,
    serverName: 'echo.local',
    verify: trusting(identity),
    keyShares: [NamedGroup.x25519],
    grease: false,
    random: seeded(2),
    now: () => NOW,
    ...more,
  }
}

/** A ticket sealer with a key that is the same in every run. */
export function ticketSealer(provider: CryptoProvider = node, seed = 3): TicketSealer {
  const random = seeded(seed)
  const { keyLength } = provider.cipherSuites[0]!.aead
  return createTicketSealer(provider, [{ name: random(16), key: random(keyLength) }])
}

/** Two sessions with nothing between them. */
export interface Pair {
  readonly client: Session
  readonly server: Session
  readonly clientEvents: SessionEvent[]
  readonly serverEvents: SessionEvent[]
  /** Carries output across until both are quiet. */
  settle(): void
}

/** A client and a server that have not exchanged a byte yet. */
export function createPair(client: Partial<ClientConfig> = {}, server: Partial<ServerConfig> = {}): Pair {
  return joined(Session.client(clientConfig(client)), Session.server(serverConfig(server)))
}

/** A client and a server whose handshake is over. @throws Error if it is not */
export function connectedPair(client: Partial<ClientConfig> = {}, server: Partial<ServerConfig> = {}): Pair {
  const pair = createPair(client, server)
  pair.settle()
  if (!pair.client.connected || !pair.server.connected) {
    throw new Error(`no connection: ${JSON.stringify([pair.clientEvents, pair.serverEvents])}`)
  }
  return pair
}

/** Two sessions, put back to back. */
export function joined(client: Session, server: Session): Pair {
  const clientEvents: SessionEvent[] = []
  const serverEvents: SessionEvent[] = []
  const settle = (): void => {
    for (;;) {
      const up = concat(...client.takeOutput())
      // also without bytes: a side that has got an answer reads on
      const heardUp = server.receive(up)
      const down = concat(...server.takeOutput())
      const heardDown = client.receive(down)
      serverEvents.push(...heardUp)
      clientEvents.push(...heardDown)
      if (up.length + down.length + heardUp.length + heardDown.length === 0) return
    }
  }
  return { client, server, clientEvents, serverEvents, settle }
}

/** Everything that a session has to say, as one byte string. */
export function outputOf(session: Session): Uint8Array {
  return concat(...session.takeOutput())
}

/** The application data among the events, as one byte string. */
export function dataOf(events: readonly SessionEvent[]): Uint8Array {
  return concat(...events.flatMap(event => (event.type === 'application_data' ? [event.data] : [])))
}

/** Splits a byte stream into its records, headers included. */
export function recordsOf(bytes: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 5 + (bytes[at + 3]! << 8) + bytes[at + 4]!
    if (end > bytes.length) throw new Error('a record that is not whole')
    records.push(bytes.slice(at, end))
    at = end
  }
  return records
}
