import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Rehearsal } from '../../src/containers/process/rehearsal.ts'
import type { RehearsalOptions } from '../../src/containers/process/rehearsal-host.ts'
import { compileEarly } from '../../src/platform/engine.ts'

/** Milliseconds that the connection may be idle: a bench may let it wait for its other rows. */
const IDLE = 3_600_000

/**
 * Two hosts and a client in this process, with a connection that moves between them, as a container has them
 * to rehearse. Nothing is loaded before this is called, so that a bench can count what is bound and made.
 * @param warm whether they keep seats for it
 */
export async function openRehearsal(warm = false): Promise<Rehearsal> {
  const options = await rehearsalOptions()
  const { Rehearsal } = await import('../../src/containers/process/rehearsal.ts')
  return new Rehearsal({ ...options, warm })
}

/** What such hosts are made with. */
export async function rehearsalOptions(): Promise<RehearsalOptions> {
  compileEarly()
  const [{ SYSTEM_CLOCK }, limits, tls] = await Promise.all([
    import('../../src/time/system-clock.ts'),
    limitsOf(),
    tlsOf(),
  ])
  return { tls, limits, kind: 'raw', clock: SYSTEM_CLOCK }
}

async function limitsOf() {
  const [h1, h2, timers] = await Promise.all([
    import('../../src/http/h1/limits.ts'),
    import('../../src/http/h2/index.ts'),
    import('../../src/http/timers.ts'),
  ])
  return {
    timers: { ...timers.DEFAULT_TIMERS, 'keep-alive': IDLE },
    quietMilliseconds: 50,
    http: h1.DEFAULT_LIMITS,
    http2: h2.DEFAULT_H2_LIMITS,
  }
}

/** A certificate of its own, and the provider that the platform takes by default. */
async function tlsOf() {
  const [{ makeCertificates }, { loadCertificate }, { certificateWithKey }, { loadProvider }, evp] =
    await Promise.all([
      import('../../src/certificates/authority.ts'),
      import('../../src/certificates/load.ts'),
      import('../../src/tls13/authentication.ts'),
      import('../../src/platform/membership.ts'),
      import('../../src/tls13/crypto/evp.ts'),
    ])
  const provider = await loadProvider(evp.probeEvp().available ? 'evp' : 'node')
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-bench-'))
  try {
    await makeCertificates({
      directory,
      certificates: [{ name: 'bench', hosts: ['one.local'] }],
      now: Date.now(),
    })
    const { chain, privateKey } = loadCertificate(directory, 'bench')
    return { provider, certificates: [certificateWithKey(provider, chain, privateKey)] }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
