import { Session, type SessionState, TlsError } from '../../tls13/index.ts'
import { Likeness } from '../../tls13/likeness.ts'
import type { ByteStream } from '../../transfer/byte-stream.ts'
import { type Return, returnOf } from '../../transfer/consignments/return.ts'
import type { Envelope } from '../../transfer/envelope.ts'
import { extensionOf } from '../../transfer/extensions.ts'
import type { ConnectionHost } from '../connection/connection-host.ts'

/**
 * One connection's part in seats (`seats.ts`): the container that it came from may keep one for it, and ours
 * may keep one when it goes.
 */
export class Seating {
  /** The container that keeps one. */
  #home: number | undefined
  /** The session as it came from there; undefined without TLS. */
  readonly #likeness: Likeness | undefined
  /** Ours may keep one. */
  #keeps = false
  /** On its way; its keys are still here. */
  #lent: Session | undefined

  /** @param tls the session as it came from there */
  constructor(home: number | undefined, tls: SessionState | undefined) {
    this.#home = home
    this.#likeness = home === undefined ? undefined : tls && new Likeness(tls)
  }

  get home(): number | undefined {
    return this.#home
  }

  /** It leaves. @param keeps whether ours may keep a seat for it @returns the session's state */
  leave(session: Session | undefined, keeps: boolean): SessionState | undefined {
    this.#keeps = keeps && session?.connected !== false
    if (!this.#keeps || session === undefined) return session?.release()
    this.#lent = session
    return session.release(true)
  }

  /**
   * What is to be said to the container that came from, if the connection goes back there.
   * @param envelope as it would go elsewhere
   * @returns undefined if that keeps no seat, or the connection is not what it was
   */
  returnTo(target: number, envelope: Envelope): Return | undefined {
    const { tls } = envelope
    // Only what comes with all that it is can bring others along.
    if (envelope.upstreams.length > 0) return undefined
    if (target !== this.#home || (tls === undefined) !== (this.#likeness === undefined)) return undefined
    return tls === undefined || this.#likeness?.holds(tls) === true ? returnOf(envelope) : undefined
  }

  /** It stays after all, with another session of the same state. */
  stay(): void {
    this.#lent?.forget()
    this.#lent = undefined
  }

  /** It has moved. @returns whether the container keeps a seat for it: the stream, and what was frozen */
  moved(
    host: Pick<ConnectionHost, 'keep'>,
    target: number | undefined,
    envelope: Envelope | undefined,
    stream: ByteStream,
  ): boolean {
    // Back home, there is no seat any more.
    if (target === this.#home) this.#home = undefined
    if (!this.#keeps || target === undefined || envelope === undefined) return false
    // It failed here on its way.
    if (stream.state !== 'lifted') return false
    const { sessionId, generation, tls: state } = envelope
    host.keep({ sessionId, generation, holder: target, stream, session: this.#lent, state })
    this.#lent = undefined
    return true
  }

  /** It is over here: it does not go back. */
  end({
    host,
    sessionId,
  }: {
    readonly host: Pick<ConnectionHost, 'vacate'>
    readonly sessionId: Uint8Array
  }) {
    this.stay()
    if (this.#home !== undefined) host.vacate(this.#home, sessionId)
  }
}

/** The session of an envelope; undefined on a connection without TLS. @throws TlsError (configuration) */
export function restored(
  envelope: Envelope,
  { tls: config }: Pick<ConnectionHost, 'tls'>,
): Session | undefined {
  const { tls } = envelope
  if (tls === undefined) return undefined
  const trifles = extensionOf(envelope, 'trifles')
  if (config.extendedKeyUpdate !== true && tls.keyUpdate.kind !== 'extended')
    return Session.restore(tls, config, trifles)
  const survives = SURVIVALS.some(name => extensionOf(envelope, name) !== undefined)
  if (!survives) return Session.restore(tls, config, trifles)
  // Its checkpoints hold the session's secrets under a key that all replicas have; and a successor has to
  // change its key at once, which the peer would have to take part in.
  if (tls.keyUpdate.kind === 'negotiating' || tls.keyUpdate.kind === 'extended') {
    const what = 'extended key updates on a connection that outlives its container'
    throw new TlsError('internal_error', 'configuration', 'updates_not_survivable', what)
  }
  return Session.restore(tls, { ...config, extendedKeyUpdate: false }, trifles)
}

/** What an envelope has of a connection that outlives its container. */
const SURVIVALS = ['leg', 'slot'] as const
