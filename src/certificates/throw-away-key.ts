import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { readChain } from './load.ts'

/**
 * A key that no client knows, read as one from a file is, and held against a certificate as that is: so what
 * does that is loaded and compiled before the first real one.
 * @param directory with the certificate of an authority; it need not be there @returns PKCS#8 in DER
 */
export function throwAwayKey(directory: string): Uint8Array {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = createPrivateKey(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }))
  try {
    for (const one of readChain(join(directory, 'ca.crt'))) if (one.raw.length > 0) one.checkPrivateKey(key)
  } catch {
    // There is no authority of ours.
  }
  return new Uint8Array(key.export({ format: 'der', type: 'pkcs8' }))
}
