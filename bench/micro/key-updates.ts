import { NamedGroup, nameOf } from '../../src/tls13/codepoints.ts'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import { withHybridGroups } from '../../src/tls13/crypto/hybrid.ts'
import { type CryptoProvider, Session } from '../../src/tls13/index.ts'
import { concat, equal, utf8 } from '../../src/wire/index.ts'
import { insist, type MicroCase, micro } from '../harness/micro.ts'
import { PROVIDERS } from './providers.ts'

/**
 * What do new keys for a session cost, both sides together: by KeyUpdates, and by an extended key update with
 * a new key exchange, beside the handshake that both spare? None of it crosses a network.
 */
const GROUPS = [NamedGroup.x25519, NamedGroup.secp256r1, NamedGroup.X25519MLKEM768]
/** Both are known by a key that they share: no certificate has its part in the figures. */
const psks = [{ identity: utf8('bench'), key: new Uint8Array(32).fill(7) }]
/** No limit is reached, however often keys are changed. */
const tinyRecords = { burst: Number.MAX_SAFE_INTEGER, perSecond: 0 }
const emptyLimit = Number.MAX_SAFE_INTEGER

interface Ends {
  readonly client: Session
  readonly server: Session
}

function connected(provider: CryptoProvider, group: number, extendedKeyUpdate: boolean): Ends {
  const common = { provider, psks, tinyRecords, emptyLimit, extendedKeyUpdate }
  const verify = (): never => {
    throw new Error('a certificate is shown')
  }
  const client = Session.client({ ...common, verify, keyShares: [group] })
  const server = Session.server({ ...common, certificates: [] })
  settle({ client, server })
  return { client, server }
}

/** Carries bytes across until both are quiet. */
function settle({ client, server }: Ends): void {
  for (;;) {
    const up = concat(...client.takeOutput())
    server.receive(up)
    const down = concat(...server.takeOutput())
    client.receive(down)
    if (up.length + down.length === 0) return
  }
}

/** Both sides have new keys. */
function update(ends: Ends): Ends {
  ends.server.updateKeys(true)
  settle(ends)
  return ends
}

/** Whether each side reads what the other one writes, and under other keys than before. */
function renews(ends: Ends): boolean {
  const secret = (session: Session, way: 'read' | 'write') => session.trafficKeys()[way]!.trafficSecret
  const before = secret(ends.server, 'write')
  update(ends)
  const [read, write] = [secret(ends.client, 'read'), secret(ends.server, 'write')]
  return equal(read, write) && !equal(write, before)
}

const evp = probeEvp()
const cases = [...PROVIDERS, ...(evp.available ? [evp.provider] : [])].flatMap(given => {
  const provider = withHybridGroups(given)
  const updating = (name: string, ends: Ends): MicroCase => ({
    name: `${provider.name}: ${name}`,
    check: () => insist(renews(ends), 'the keys are not new'),
    run: () => update(ends),
  })
  return [
    updating('KeyUpdate of both sides', connected(provider, NamedGroup.x25519, false)),
    ...GROUPS.flatMap((group): MicroCase[] => {
      const name = nameOf(NamedGroup, group)
      return [
        updating(`extended key update, ${name}`, connected(provider, group, true)),
        {
          name: `${provider.name}: handshake with a PSK, ${name}`,
          check: () => insist(connected(provider, group, true).client.connected, 'no connection'),
          run: () => connected(provider, group, true),
        },
      ]
    }),
  ]
})

await micro('key-updates', cases)
