import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Platform } from '../rig/platform.ts'
import { announcePort, argumentsOf, EngineRefusal, refuse, SERVER_NAME } from './engine.ts'

const OWNERS = ['a', 'b'] as const

/**
 * This project's platform as an engine: what it is beside others, and what other benches can start. With the
 * word `warm` its two functions trust each other.
 */
async function main(): Promise<void> {
  const { certificate, key, suite } = argumentsOf(process.argv)
  if (suite !== 'TLS_AES_128_GCM_SHA256')
    throw new EngineRefusal('clients choose the suite: the platform takes what they offer')
  const pem = readFileSync(certificate, 'utf8')
  const handler = fileURLToPath(new URL('../rig/functions/twice-raw.js', import.meta.url))
  const warm = process.argv[2] === 'warm'
  const platform = await Platform.start({
    // No client of ours asks it who has signed the certificate.
    certificate: { certificate: pem, key: readFileSync(key, 'utf8'), authority: pem },
    functions: Object.fromEntries(
      OWNERS.map((name, index) => [name, { handler, ...(index === 0 ? { hosts: [SERVER_NAME] } : {}) }]),
    ),
    settings: warm ? { trust: [{ functions: OWNERS, warm }] } : {},
  })
  const owners = OWNERS.map(name => ({ path: `/${name}`, name: `${name}-1` }))
  announcePort(platform.ports.https, { engine: warm ? 'warm' : 'platform', owners }, () => platform.stop())
}

main().catch(refuse)
