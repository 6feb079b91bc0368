import type { CipherSuite } from '../../src/tls13/index.ts'
import {
  earlySecret,
  handshakeSecret,
  hkdfExpandLabel,
  masterSecret,
  trafficKeys,
  walk,
} from '../../src/tls13/key-schedule.ts'
import { EMPTY, fromHex, hex } from '../../src/wire/index.ts'
import { insist, type MicroCase, micro } from '../harness/micro.ts'
import { PROVIDERS, suiteNamed } from './providers.ts'

/**
 * What does the key schedule of RFC 8446 §7.1, cost: one HKDF-Expand-Label, one direction's keys, a
 * whole handshake?
 */

/**
 * RFC 8448 §3: the early secret without a PSK, and what is derived from it for the handshake secret.
 */
const EARLY = '33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a'
const DERIVED = '6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba'

function cases(): MicroCase[] {
  return PROVIDERS.flatMap(provider => {
    const suite = suiteNamed(provider, 'TLS_AES_128_GCM_SHA256')
    const { hash, aead } = suite
    const early = fromHex(EARLY)
    const empty = hash.digest(EMPTY)
    const keys = trafficKeys(hash, aead, early)
    return [
      {
        name: `${provider.name}: HKDF-Expand-Label, 32 B`,
        check: () =>
          insist(hex(hkdfExpandLabel(hash, early, 'derived', empty, 32)) === DERIVED, 'not RFC 8448'),
        run: () => hkdfExpandLabel(hash, early, 'derived', empty, 32),
      },
      {
        name: `${provider.name}: key and iv of one direction`,
        check: () => insist(keys.key.length === 16 && keys.iv.length === 12, 'wrong lengths'),
        run: () => trafficKeys(hash, aead, early),
      },
      {
        name: `${provider.name}: every secret of a handshake, with keys`,
        check: () => insist(hex(earlySecret(hash)) === EARLY && ladder(suite) === 10, 'not RFC 8448'),
        run: () => ladder(suite),
      },
    ]
  })
}

/** All that one side derives between ClientHello and CONNECTED. @returns how many secrets there were */
function ladder({ hash, aead }: CipherSuite): number {
  const transcript = hash.digest(EMPTY)
  const shared = new Uint8Array(32).fill(9)
  const early = earlySecret(hash)
  const handshake = handshakeSecret(hash, early, shared)
  const master = masterSecret(hash, handshake)
  const [clientHandshake, serverHandshake] = [
    walk(hash, 'client_handshake_traffic_secret', handshake, transcript),
    walk(hash, 'server_handshake_traffic_secret', handshake, transcript),
  ]
  const secrets = [
    early,
    handshake,
    master,
    clientHandshake,
    serverHandshake,
    walk(hash, 'client_application_traffic_secret_0', master, transcript),
    walk(hash, 'server_application_traffic_secret_0', master, transcript),
    walk(hash, 'exporter_master_secret', master, transcript),
    walk(hash, 'resumption_master_secret', master, transcript),
  ]
  const distinct = new Set(secrets.slice(3).map(secret => trafficKeys(hash, aead, secret))).size
  return distinct + new Set(secrets).size - 5
}

await micro('key-schedule', cases())
