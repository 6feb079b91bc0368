import { KeyRing } from '../../src/containers/process/key-ring.ts'
import { loadProvider } from '../../src/platform/membership.ts'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import type { CryptoProvider } from '../../src/tls13/index.ts'
import { withCheckpoint } from '../../src/transfer/checkpoint.ts'
import { checkpointRecords } from '../../src/transfer/leg.ts'
import { equal } from '../../src/wire/index.ts'
import { insist, type MicroCase, micro } from '../harness/micro.ts'
import type { Mover } from '../rig/mover.ts'
import { makeMovers } from '../rig/movers.ts'

const SPANS = { rotationSeconds: 3600, lifetimeSeconds: 7200, now: Date.now }
const CONTEXT = { sessionId: new Uint8Array(16), generation: 1, received: 1000 }

/**
 * What do the parts of a checkpoint cost that a relayed connection leaves with every response, before it is
 * written?
 */
async function main(): Promise<void> {
  const mover = await makeMovers()
  const names = probeEvp().available ? (['evp', 'node'] as const) : (['node'] as const)
  const providers = await Promise.all(names.map(name => loadProvider(name)))
  await micro(
    'leg',
    providers.flatMap(one => casesOf(one, mover(one))),
  )
}

function casesOf(provider: CryptoProvider, mover: Mover): MicroCase[] {
  const { checkpoints } = new KeyRing(provider, SPANS)
  const encoded = (): Uint8Array =>
    withCheckpoint({ busy: false, attempts: 0, envelope: mover.snapshot() }, bytes => bytes.slice())
  const framed = (sealed: Uint8Array): Uint8Array[] => {
    const { generation, received } = CONTEXT
    return checkpointRecords({ functionName: 'raw-a', generation, received, sealed })
  }
  const plaintext = encoded()
  const sealed = checkpoints.seal(CONTEXT, plaintext)
  const check = (): void => {
    const opened = checkpoints.open(CONTEXT, sealed)
    insist(opened !== undefined && equal(opened, plaintext), 'what was sealed cannot be opened')
  }
  const { name } = provider
  return [
    { name: `${name}: snapshot, encode`, check, run: encoded },
    { name: `${name}: seal`, check, run: () => checkpoints.seal(CONTEXT, plaintext) },
    { name: `${name}: frame for the leg`, check, run: () => framed(sealed) },
    { name: `${name}: all of it`, check, run: () => framed(checkpoints.seal(CONTEXT, encoded())) },
  ]
}

await main()
