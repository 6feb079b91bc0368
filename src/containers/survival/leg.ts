import type { Session } from '../../tls13/index.ts'
import type { ExtensionValues } from '../../transfer/extensions.ts'
import { checkpointRecords, markRecord } from '../../transfer/leg.ts'
import { type Survival, type SurvivalOwner, sealSnapshot } from './survival.ts'

/**
 * Bytes from the client beyond which a checkpoint is written although nothing was sent, so that the gateway
 * need not keep them.
 */
const COVER = 65_536

/**
 * The container's side of a relayed connection: it counts the client's bytes, and writes checkpoints between
 * the records, so that the gateway and another container of the function can go on when this one dies.
 */
export class Leg implements Survival {
  readonly #owner: SurvivalOwner
  received: number
  attempts = 0
  renewing: boolean
  cut = false
  /** The gateway holds the client's socket, but not our end of the leg. */
  readonly shared = false
  #covered = -1
  /** Something has been sent since the last checkpoint. */
  #uncovered = false
  #ended = false

  constructor(owner: SurvivalOwner, received: number, renewing: boolean) {
    this.#owner = owner
    this.received = received
    this.renewing = renewing
  }

  get extensions(): ExtensionValues {
    return { leg: { received: this.received } }
  }

  /**
   * What the session has sealed, with the marks and checkpoints that belong between: a KeyUpdate goes out
   * together with a checkpoint that knows of it, and whatever is safe to go on from is said.
   */
  take(session: Session): Uint8Array[] {
    const output = session.takeSealed()
    if (output.length > 0) this.#uncovered = true
    if (session.writable && (this.renewing || session.keyUpdateDue)) {
      output.push(HOLD)
      session.updateKeys(false)
      output.push(...session.takeSealed(), ...this.#checkpoint())
      this.renewing = false
    } else if (session.writable && this.#owner.quiet && this.#due()) {
      // The end of a response and the checkpoint behind it: the client gets both or neither, and what it has
      // not got may be tried again.
      // Of a piece in its middle no byte may go without it: it is not known where the client would be.
      if (output.length > 0) output.splice(this.#owner.covered === true ? 0 : -1, 0, HOLD)
      output.push(...this.#checkpoint())
    }
    return output
  }

  /** Nothing: what the gateway has to know is in the stream. */
  written(): void {}
  claim(): void {}
  offer(): void {}
  done(): void {}

  goodbye(): Uint8Array[] {
    return this.#end('goodbye')
  }

  broken(): Uint8Array[] {
    return this.#end('broken')
  }

  #end(mark: 'goodbye' | 'broken'): Uint8Array[] {
    if (this.#ended) return []
    this.#ended = true
    return [markRecord(mark)]
  }

  #due(): boolean {
    return this.#uncovered || this.#covered < 0 || this.received - this.#covered > COVER
  }

  #checkpoint(): Uint8Array[] {
    const { host, generation } = this.#owner
    const { received } = this
    const sealed = sealSnapshot(this.#owner, this)
    this.#covered = received
    this.#uncovered = false
    return checkpointRecords({ functionName: host.functionName, generation, received, sealed })
  }
}

const HOLD = markRecord('hold')
