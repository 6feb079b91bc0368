import { execFileSync } from 'node:child_process'
import { afterEach, expect, it, vi } from 'vitest'

const { platform } = process
/** In a process of its own: whatever another test has loaded is loaded here, too. */
const LOADS = `
  import { createRequire } from 'node:module'
  const { cache } = createRequire(process.cwd() + '/')
  const loaded = () => Object.keys(cache).some(file => file.includes('/koffi/'))
  const { probeEvp } = await import('@hotpotato-tls/hotpotato/crypto/evp')
  const before = loaded()
  const probed = probeEvp()
  console.log(JSON.stringify([before, loaded(), probeEvp() === probed]))
`

afterEach(() => {
  Object.defineProperty(process, 'platform', { value: platform })
  vi.resetModules()
})

it('importing evp loads no foreign code; the probe does, once', () => {
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', LOADS], { encoding: 'utf8' })
  expect(JSON.parse(said)).toEqual([false, process.platform === 'linux', true])
})

it('where foreign calls have never been tried they are not tried, and the reason says so', async () => {
  Object.defineProperty(process, 'platform', { value: 'plan9' })
  const { probeEvp } = await import('../../src/tls13/crypto/evp.ts')
  expect(probeEvp()).toEqual({ available: false, reason: expect.stringContaining('plan9') })
})

it('a Node that gives other bytes is a reason to do without', async () => {
  vi.doMock('../../src/tls13/crypto/node.ts', async original => {
    const { node } = await original<typeof import('../../src/tls13/crypto/node.ts')>()
    const [first, ...others] = node.cipherSuites
    const hash = { ...first!.hash, hmac: () => new Uint8Array(32) }
    return { node: { ...node, cipherSuites: [{ ...first!, hash }, ...others] } }
  })
  const { probeEvp } = await import('../../src/tls13/crypto/evp.ts')
  const probed = probeEvp()
  vi.doUnmock('../../src/tls13/crypto/node.ts')
  expect(probed).toEqual({ available: false, reason: expect.any(String) })
  if (process.platform === 'linux' && !probed.available) expect(probed.reason).toContain('HMAC')
})
