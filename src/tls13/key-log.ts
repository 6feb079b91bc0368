import { hex } from '../wire/index.ts'
import type { ExposedSecret } from './key-schedule.ts'

/**
 * One line of an NSS key log (the SSLKEYLOGFILE format), without a line end; undefined for secrets that the
 * format does not list.
 * @param clientRandom the 32 bytes by which readers find the connection
 */
export function keyLogLine(exposed: ExposedSecret, clientRandom: Uint8Array): string | undefined {
  if (exposed.keyLog === undefined) return undefined
  return `${exposed.keyLog} ${hex(clientRandom)} ${hex(exposed.secret)}`
}
