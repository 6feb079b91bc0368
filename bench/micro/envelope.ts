import { insist, type MicroCase, micro } from '../harness/micro.ts'
import type { Mover } from '../rig/mover.ts'
import { makeMovers } from '../rig/movers.ts'
import { PROVIDERS } from './providers.ts'

/**
 * What do the parts of a move cost, each alone: encode, decode, seal, open, and a session out of and into its
 * objects?
 */
async function main(): Promise<void> {
  const mover = await makeMovers()
  await micro(
    'envelope',
    PROVIDERS.flatMap(provider => casesOf(provider.name, mover(provider))),
  )
}

function casesOf(name: string, mover: Mover): MicroCase[] {
  const check = (): void => {
    mover.move()
    mover.talk()
    const { encoded, envelope } = mover.sample()
    insist(mover.encode(envelope).join() === encoded.join(), 'decoding and encoding changes the bytes')
  }
  const { encoded, envelope } = mover.sample()
  return [
    { name: `${name}: encode`, check, run: () => mover.encode(envelope) },
    { name: `${name}: decode`, check, run: () => mover.decode(encoded) },
    { name: `${name}: seal and open`, check, run: () => mover.open(mover.seal(encoded)) },
    { name: `${name}: export and import`, check, run: () => mover.import(mover.export()) },
    { name: `${name}: export, seal, open, import`, check, run: () => mover.move() },
  ]
}

await main()
