import type { ClientConfig, ServerConfig } from '../../src/tls13/config.ts'
import { encodeHandshake, type HandshakeMessage } from '../../src/tls13/messages.ts'
import type { Session } from '../../src/tls13/session.ts'
import { connectedPair, type Pair } from './pair.ts'

/** What both sides say of extended key updates. */
export const EXTENDING = { extendedKeyUpdate: true } as const

/** A client and a server that have agreed on extended key updates. */
export function extendingPair(client: Partial<ClientConfig> = {}, server: Partial<ServerConfig> = {}): Pair {
  return connectedPair({ ...EXTENDING, ...client }, { ...EXTENDING, ...server })
}

/** Takes down, as `shape`, what a side says: each message as it goes out. */
export function listening(): { readonly said: Uint8Array[]; readonly shape: ClientConfig['shape'] & {} } {
  const said: Uint8Array[] = []
  const shape = (message: HandshakeMessage): HandshakeMessage => {
    said.push(encodeHandshake(message))
    return message
  }
  return { said, shape }
}

/** An ExtendedKeyUpdate with its header. @param updateType 0 request, 1 response, 2 finish */
export function updateMessage(updateType: number, content: Uint8Array): Uint8Array {
  return encodeHandshake({ type: 'extended_key_update', updateType, content })
}

/** How often both sides have made new keys; -1: they have not agreed on it. */
export function generationOf(session: Session): number {
  return session.extendedKeyUpdates?.generation ?? -1
}

/** What an owner of the session has at this moment: the traffic secrets of both directions. */
export function secretsOf(session: Session): readonly Uint8Array[] {
  const { read, write } = session.inspect('with secrets')
  return [read!.trafficSecret, write!.trafficSecret]
}
