import { verifier } from '../../src/tls13/io/verify.ts'
import { Client } from '../migration/client.ts'
import { call } from '../migration/wanderer.ts'
import { obey, report, roleOf } from '../rig/child.ts'
import { FIRST } from '../rig/pool.ts'
import type { AskerOrder, AskerReport, Role } from './rows.ts'

/** Asks one request after the other on one connection, as bench:migration does. A process of its own. */
const { port, serverName, authority } = roleOf<Role>().destination
const options = {
  port,
  serverName,
  verify: verifier({ ca: authority }),
  suite: 'TLS_AES_128_GCM_SHA256',
} as const
let number = 0
const next = () => call('/', number++, FIRST, 0)
const { client } = await Client.open(options, next())

obey<AskerOrder, AskerReport>(async ({ count }) => ({
  say: 'asked',
  times: await client.measure(Array.from({ length: count }, next)),
}))
report({ say: 'listening', port: 0 })
