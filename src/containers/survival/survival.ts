import type { Session } from '../../tls13/index.ts'
import { type CheckpointSealer, withCheckpoint } from '../../transfer/checkpoint.ts'
import type { Envelope } from '../../transfer/envelope.ts'
import type { ExtensionValues } from '../../transfer/extensions.ts'
import type { SlotFiles } from './slot-files.ts'

/** What a connection gives, so that it can outlive its container. */
export interface SurvivalOwner {
  readonly host: {
    readonly functionName: string
    readonly checkpoints: CheckpointSealer
    readonly slots: SlotFiles
  }
  readonly sessionId: Uint8Array
  readonly generation: number
  /** Whether nothing is underway but what {@link snapshot} has. */
  readonly quiet: boolean
  /** Whether something is. */
  readonly covered?: boolean
  /** The connection as it is now, to be encoded at once. */
  snapshot(): Envelope
}

/** The container's side of what makes a connection outlive it: a {@link Leg}, or a {@link Slot}. */
export interface Survival {
  /** Bytes from the client since its connection began. */
  received: number
  /** How often the request that comes next has been begun by containers that died. */
  attempts: number
  /** The owner before us died: our first record must be a KeyUpdate. */
  renewing: boolean
  /** A response was cut by the death of its container: the next owner must know that, too. */
  cut: boolean
  /** Whether the gateway holds the client's socket, too: then closing our descriptor ends nothing. */
  readonly shared: boolean
  /** What an envelope says of it. */
  readonly extensions: ExtensionValues
  /** What the session has sealed, with what belongs between. All of it is to be written to the stream. */
  take(session: Session): Uint8Array[]
  /** What was taken has been written. @param queued some of it waits for the kernel */
  written(session: Session, queued: boolean): void
  /** The end of the stream that follows is meant. @returns what is to be written first */
  goodbye(): Uint8Array[]
  /** The stream is broken off, and no container shall go on. @returns as {@link goodbye} */
  broken(): Uint8Array[]
  /** It is ours again, after it had been offered. */
  claim(): void
  /** It is about to be offered to that container, at that generation. */
  offer(target: number, generation: number): void
  /** It is over, here and everywhere. */
  done(): void
}

/**
 * Seals a connection as it is now, for the successor that goes on when this container dies.
 * @returns borrowed until the next one is sealed
 */
export function sealSnapshot(
  owner: SurvivalOwner,
  { received, attempts, cut }: Pick<Survival, 'received' | 'attempts' | 'cut'>,
): Uint8Array {
  const { host, sessionId, generation, quiet } = owner
  const checkpoint = { busy: cut || !quiet, attempts, envelope: owner.snapshot() }
  const context = { sessionId, generation, received }
  return withCheckpoint(checkpoint, plaintext => host.checkpoints.seal(context, plaintext))
}
