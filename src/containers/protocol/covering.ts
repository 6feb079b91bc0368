import type { H2Server } from '../../http/h2/index.ts'
import type { Http2Passenger } from '../../transfer/consignments/application.ts'
import type { ApplicationState } from '../../transfer/envelope.ts'
import { EMPTY } from '../../wire/index.ts'
import type { Calls } from './calls.ts'
import type { ProtocolOwner } from './protocol.ts'

/** Bytes that go into a checkpoint behind each output of one connection, at most, beside its tables. */
const COVERED = 98_304

/** What is covered: HTTP/2 on one connection. */
export interface CoveredHttp2 {
  readonly http: H2Server
  readonly calls: Calls
  /** All that it is, with what is served on its streams. */
  exported(passengers: readonly Http2Passenger[]): ApplicationState
  /** Gives the way out a part of the output, with more behind it. */
  say(bytes: Uint8Array, more: boolean): void
}

/**
 * Output over a leg while responses are in their middle from which another container could go on. It leaves
 * in a turn of its own, when it is known of each stream what it has been given, and with a checkpoint that
 * knows all of that: the client gets both or neither.
 */
export class Covering {
  readonly #owner: ProtocolOwner
  readonly #http2: CoveredHttp2
  #immediate: NodeJS.Immediate | undefined
  /** What functions have given is being gathered: nothing else is to be done meanwhile. */
  gathering = false
  /** What is left behind the output that is being given out now. */
  standing: ApplicationState | undefined

  constructor(owner: ProtocolOwner, http2: CoveredHttp2) {
    this.#owner = owner
    this.#http2 = http2
  }

  /** Whether output has to wait for its turn, which is seen to then. */
  defers(): boolean {
    if (!this.#owner.onLeg || !this.#http2.calls.coverable) return false
    this.#immediate ??= setImmediate(this.#owner.guard.entrance(() => this.#onTurn()))
    return true
  }

  /** There is nothing to cover any more. */
  stop(): void {
    clearImmediate(this.#immediate)
    this.#immediate = undefined
  }

  /** Before anything else happens in this turn: every piece that was read has been given out. */
  #onTurn(): void {
    this.#immediate = undefined
    const { out } = this.#owner
    if (!this.#owner.open || this.#owner.gone || out.blocked) return
    const { http } = this.#http2
    if (http.reporting) {
      this.#owner.pump()
      // With so much to say nothing more is read: then that has to leave first, covered or not.
      if (!http.reporting || !this.#owner.open || this.#owner.gone || out.blocked) return
    }
    const standing = http.reporting ? undefined : this.#stand()
    const bytes = http.takeOutput()
    if (bytes.length > 0) {
      this.#http2.say(bytes, true)
      this.standing = standing
      out.flush()
      this.standing = undefined
    }
    // Room for output may be room for content.
    this.#owner.pump()
  }

  /** Where all of it stands when the output that there is has left; undefined: it cannot be said. */
  #stand(): ApplicationState | undefined {
    const { http, calls } = this.#http2
    this.gathering = true
    try {
      calls.gather()
      const passengers = calls.standing(COVERED - http.unsent + http.untaken)
      if (passengers === undefined || http.reporting) return undefined
      const exported = this.#http2.exported(passengers)
      if (exported.protocol !== 'http2_responses') return undefined
      return { ...exported, http: { ...exported.http, outbound: EMPTY } }
    } finally {
      this.gathering = false
    }
  }
}
