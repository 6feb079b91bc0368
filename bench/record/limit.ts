import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

/** `openssl`'s name of each cipher suite's AEAD. */
const CIPHERS: Readonly<Record<string, string>> = {
  TLS_AES_128_GCM_SHA256: 'aes-128-gcm',
  TLS_AES_256_GCM_SHA384: 'aes-256-gcm',
  TLS_CHACHA20_POLY1305_SHA256: 'chacha20-poly1305',
}

/** What the `openssl` program is; undefined if there is none. */
export function opensslVersion(): string | undefined {
  try {
    return execFileSync('openssl', ['version'], { encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
}

/**
 * One second of `openssl speed -evp`, which enciphers into the same memory again and again with one nonce:
 * the limit.
 * @returns µs for each `size` bytes
 */
export async function opensslSpeed(suite: string, size: number, cpu: number): Promise<number> {
  const words = ['-c', String(cpu), 'openssl', 'speed', '-mr', '-seconds', '1', '-bytes', String(size)]
  const openssl = spawn('taskset', [...words, '-evp', CIPHERS[suite]!], {
    stdio: ['ignore', 'pipe', 'ignore'],
    // Ctrl-C in a terminal would end it, too.
    detached: true,
  })
  const [output] = await Promise.all([text(openssl.stdout), once(openssl, 'close')])
  const [, rate] = /^\+F:\d+:[^:]+:([\d.]+)$/m.exec(output) ?? []
  if (rate === undefined) throw new Error('the output of openssl speed has changed')
  return size / (Number(rate) / 1e6)
}
