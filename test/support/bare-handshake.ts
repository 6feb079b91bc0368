import { noble } from '../../src/tls13/crypto/noble.ts'
import { certificateWithKey, Session } from '../../src/tls13/index.ts'
import { concat, fromHex, hex } from '../../src/wire/index.ts'

/*
 * What an embedder without Node would write: the public face and one provider. The architecture test runs it
 * in a context that has nothing but the language, TextEncoder, TextDecoder and crypto.
 */

const PRIVATE_KEY = fromHex(`302e020100300506032b657004220420${'07'.repeat(32)}`)
const PUBLIC_KEY = fromHex(
  '302a300506032b6570032100ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c',
)

/**
 * A whole connection between two sessions. @returns what the server heard, and what the exporters of both
 * sides say
 */
export function bareHandshake(): { readonly heard: string; readonly exported: readonly [string, string] } {
  const server = Session.server({
    provider: noble,
    certificates: [certificateWithKey(noble, [PUBLIC_KEY], PRIVATE_KEY)],
  })
  const client = Session.client({
    provider: noble,
    serverName: 'echo.local',
    verify: ([leaf]) => ({ publicKey: leaf! }),
  })
  server.receive(concat(...client.takeOutput()))
  client.receive(concat(...server.takeOutput()))
  client.send(fromHex('c0ffee'))
  const events = server.receive(concat(...client.takeOutput()))
  const data = events.flatMap(event => (event.type === 'application_data' ? [hex(event.data)] : []))
  const exported = (session: Session): string => hex(session.exportKeyingMaterial('bare', fromHex(''), 16))
  return { heard: data.join(), exported: [exported(client), exported(server)] }
}
