import type { Session } from '../tls13/index.ts'
import { type CheckpointSealer, encodeCheckpoint } from '../transfer/checkpoint.ts'
import type { Envelope } from '../transfer/envelope.ts'
import { checkpointRecords, LEG_EXTENSION, LegExtension, markRecord } from '../transfer/leg.ts'
import { decode, encode } from '../wire/index.ts'

/** Bytes from the client beyond which a checkpoint is written although nothing was sent, so that the gateway need not keep them. */
const COVER = 65_536

/** What a leg asks of the connection that lives on it. */
export interface LegOwner {
  readonly host: { readonly functionName: string; readonly checkpoints: CheckpointSealer }
  readonly sessionId: Uint8Array
  readonly generation: number
  /** Whether nothing is underway. */
  readonly quiet: boolean
  /** The connection as it is now, to be encoded at once. */
  snapshot(): Envelope
}

/**
 * The container's side of a relayed connection: it counts the client's bytes, and writes checkpoints between the records, so that the
 * gateway and another container of the function can go on when this one dies.
 */
export class Leg {
  readonly #owner: LegOwner
  /** Bytes from the client since its connection began. */
  received: number
  /** How often the request that comes next has been begun by containers that died. */
  attempts = 0
  /** The owner before us died: our first record must be a KeyUpdate. */
  renewing: boolean
  /** A response was cut by the death of its container: whoever comes after us must know that, too. */
  cut = false
  #covered = -1
  /** Something has been sent since the last checkpoint. */
  #uncovered = false
  #ended = false

  constructor(owner: LegOwner, received: number, renewing: boolean) {
    this.#owner = owner
    this.received = received
    this.renewing = renewing
  }

  /** What an envelope says of the leg; undefined if the connection is not relayed. */
  static receivedOf({ extensions }: Envelope): number | undefined {
    const found = extensions.find(one => one.type === LEG_EXTENSION)
    return found && decode(LegExtension, found.data).received
  }

  /** The same, for an envelope. */
  static extension(received: number): Envelope['extensions'][number] {
    return { type: LEG_EXTENSION, data: encode(LegExtension, { received }) }
  }

  /**
   * What the session has sealed, with the marks and checkpoints that belong between: a KeyUpdate goes out together with a checkpoint that
   * knows of it, and whatever is safe to go on from is said.
   */
  take(session: Session): Uint8Array[] {
    const output = session.takeSealed()
    if (output.length > 0) this.#uncovered = true
    if (session.writable && (this.renewing || session.keyUpdateDue)) {
      output.push(HOLD)
      session.updateKeys(false)
      output.push(...session.takeSealed(), ...this.#checkpoint())
      this.renewing = false
    } else if (session.writable && this.#owner.quiet && this.#due) {
      // The end of a response and the checkpoint behind it: the client gets both or neither, and what it has not got may be tried again.
      if (output.length > 0) output.splice(-1, 0, HOLD)
      output.push(...this.#checkpoint())
    }
    return output
  }

  /** The end of the stream that follows is meant. */
  goodbye(): Uint8Array[] {
    return this.#end('goodbye')
  }

  /** The stream is broken off, and nobody shall go on. */
  broken(): Uint8Array[] {
    return this.#end('broken')
  }

  #end(mark: 'goodbye' | 'broken'): Uint8Array[] {
    if (this.#ended) return []
    this.#ended = true
    return [markRecord(mark)]
  }

  get #due(): boolean {
    return this.#uncovered || this.#covered < 0 || this.received - this.#covered > COVER
  }

  #checkpoint(): Uint8Array[] {
    const { host, sessionId, generation, quiet } = this.#owner
    const { received, attempts } = this
    const plaintext = encodeCheckpoint({
      busy: this.cut || !quiet,
      attempts,
      envelope: this.#owner.snapshot(),
    })
    const sealed = host.checkpoints.seal({ sessionId, generation, received }, plaintext)
    plaintext.fill(0)
    this.#covered = received
    this.#uncovered = false
    return checkpointRecords({ functionName: host.functionName, generation, received, sealed })
  }
}

const HOLD = markRecord('hold')
