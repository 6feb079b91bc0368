import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { noteOf, Program, versionOf } from './interop/program.ts'

/** The version of the browser; undefined if there is none. */
export const CHROMIUM: string | undefined = versionOf('chromium')

/** For the name of a suite. */
export const CHROMIUM_NOTE: string = noteOf(CHROMIUM, 'chromium', 'chromium')

/**
 * What a headless Chromium makes of a page, as HTML. Every name that ends in `.local` is 127.0.0.1.
 * @param certificates PEM: those that it trusts by their keys
 */
export async function dump(url: string, certificates: readonly string[]): Promise<string> {
  const profile = mkdtempSync(join(tmpdir(), 'hotpotato-chromium-'))
  const browser = new Program('chromium', [
    ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
    ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ...[`--user-data-dir=${profile}`, ...localSwitches(certificates)],
    ...['--virtual-time-budget=20000', '--timeout=20000', '--dump-dom', url],
  ])
  try {
    const deadline = setTimeout(() => browser.kill(), 40_000)
    await browser.exit()
    clearTimeout(deadline)
    return browser.output
  } finally {
    await browser.kill()
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

/**
 * With these every name that ends in `.local` is 127.0.0.1.
 * @param certificates PEM: those that are trusted by their keys
 */
export function localSwitches(certificates: readonly string[]): string[] {
  const pins = certificates.map(pem => createHash('sha256').update(keyOf(pem)).digest('base64'))
  return [
    '--host-resolver-rules=MAP *.local 127.0.0.1',
    `--ignore-certificate-errors-spki-list=${pins.join(',')}`,
  ]
}

function keyOf(pem: string): Buffer {
  return new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' })
}
