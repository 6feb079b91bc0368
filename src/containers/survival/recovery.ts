import type { Problem } from '../../http/problem.ts'
import type { Retries } from '../../platform/retries.ts'
import { type CheckpointContext, type CheckpointSealer, decodeCheckpoint } from '../../transfer/checkpoint.ts'
import type { Envelope } from '../../transfer/envelope.ts'
import { withExtension } from '../../transfer/extensions.ts'
import type { TakeOver } from '../../transfer/leg.ts'
import { concat, DecodeError } from '../../wire/index.ts'

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** What a container knows of the one that died, and whose connection it takes over. */
export class Recovery {
  /** A response was underway: its rest is lost. */
  readonly cut: boolean
  /** How often the request that comes next has been begun a second time already. */
  readonly attempts: number

  constructor(cut: boolean, attempts: number) {
    this.cut = cut
    this.attempts = attempts
  }

  /**
   * Whether a request that the dead one may have begun is begun again: once at most. @returns the answer, if
   * it is not
   */
  judge(method: string, functionName: string, retries: Retries): Problem | undefined {
    const again = retries === 'any' || (retries === 'idempotent' && IDEMPOTENT.has(method))
    if (again && this.attempts === 0) return undefined
    const why =
      this.attempts > 0
        ? 'it was started twice, and its container died both times'
        : `its container died, and functions.${functionName}.retries: ${retries} ` +
          `does not allow ${method} to start a second time`
    return {
      name: 'interrupted',
      status: 503,
      detail: `it is unknown whether this request has had effects: ${why}; the connection is intact`,
    }
  }
}

/** A connection as a successor has to go on with it. */
export interface Recovered {
  readonly envelope: Envelope
  readonly recovery: Recovery
}

/**
 * Makes of a checkpoint, and of what the gateway counted and kept since, the connection as it stands now.
 * @param generation of the successor
 * @returns undefined if no container that we know of has sealed it @throws DecodeError for what is no
 * checkpoint of this format
 */
export function recover(
  sealer: CheckpointSealer,
  { checkpoint, generation: sealedGeneration, received, records, retained }: TakeOver,
  { sessionId, generation }: Pick<CheckpointContext, 'sessionId' | 'generation'>,
): Recovered | undefined {
  const plaintext = sealer.open({ sessionId, generation: sealedGeneration, received }, checkpoint)
  if (plaintext === undefined) return undefined
  const { busy, attempts, envelope } = decodeCheckpoint(plaintext)
  plaintext.fill(0)
  const { tls } = envelope
  if (tls?.write === undefined) throw new DecodeError('a checkpoint of a session that has no write key', 0)
  // The checkpoint's number and the records since: a KeyUpdate, which begins anew, never lies between them.
  tls.write.sequenceNumber += records
  tls.inboundRecords = concat(tls.inboundRecords, retained)
  // Not so a slot, which counts what went through the socket: there is nothing that another process has read
  // or counted since.
  const leg = { received: received + retained.length }
  const extensions = withExtension(envelope.extensions, 'leg', leg)
  return {
    // It has come to another container, if by another way: a client that watches its hops sees that.
    envelope: { ...envelope, generation, hops: Math.min(envelope.hops + 1, 0xffff), extensions },
    recovery: new Recovery(busy || records > 0, attempts),
  }
}
