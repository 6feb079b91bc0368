import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { loadCertificate } from '../../src/certificates/load.ts'
import type { CryptoProvider } from '../../src/tls13/index.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { insist, type MicroCase, micro } from '../harness/micro.ts'
import { Mover } from '../rig/mover.ts'
import { PROVIDERS } from './providers.ts'

/**
 * What do the parts of a move cost, each alone: encode, decode, seal, open, and a session out of and into its
 * objects?
 */
async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-bench-'))
  try {
    await makeCertificates({
      directory,
      certificates: [{ name: 'bench', hosts: ['raw-a.local'] }],
      now: Date.now(),
    })
    const certificate = loadCertificate(directory, 'bench')
    const verify = verifier({ ca: readFileSync(join(directory, 'ca.crt'), 'utf8') })
    const mover = (provider: CryptoProvider): Mover => new Mover(provider, certificate, 'raw-a.local', verify)
    await micro(
      'envelope',
      PROVIDERS.flatMap(provider => casesOf(provider.name, mover(provider))),
    )
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
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
