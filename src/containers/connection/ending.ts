import type { Timer } from '../../time/clock.ts'
import { type ByteStream, CLOSE_TIME, type StreamError } from '../../transfer/byte-stream.ts'
import type { Guard } from '../../transport/guard.ts'
import type { Protocol } from '../protocol/protocol.ts'
import type { Survival } from '../survival/survival.ts'
import type { ConnectionEnd, ConnectionHost } from './connection-host.ts'
import type { Inlet } from './inlet.ts'
import type { Outlet } from './outlet.ts'
import type { ConnectionTimers } from './timers.ts'

/** `frozen`: on its way to another container. `closing`: the client has its last bytes, or will have. */
export type Phase = 'open' | 'frozen' | 'closing' | 'closed'

/** What an ending asks of the connection that ends. */
export interface Ends {
  readonly host: Pick<ConnectionHost, 'clock' | 'log'>
  readonly id: string
  readonly guard: Guard
  readonly out: Outlet
  readonly timers: ConnectionTimers
  readonly protocol: Protocol
  phase: Phase
  /** It is over: everything that belongs to it is let go. */
  close(why: ConnectionEnd): void
}

/**
 * How one connection ends: with a moment for the client to take everything, at once, or because something was
 * thrown over it.
 */
export class Ending {
  readonly #owner: Ends
  readonly #stream: ByteStream
  readonly #in: Inlet
  #linger: Timer | undefined
  /** Something was thrown. */
  #failed = false

  constructor(owner: Ends, stream: ByteStream, inlet: Inlet) {
    this.#owner = owner
    this.#stream = stream
    this.#in = inlet
  }

  /**
   * Sends what there is, then FIN. What the client still sends is read and dropped, so that no reset
   * overtakes our bytes.
   */
  hangUp(): void {
    const owner = this.#owner
    if (owner.phase !== 'open') return
    owner.out.flush()
    owner.out.mark('goodbye')
    owner.phase = 'closing'
    this.#stream.end()
    this.#in.drop()
    if (this.#stream.queued) owner.timers.touch()
    else this.lastMoment()
  }

  /** The client has everything, and closes, or does not. */
  lastMoment(): void {
    this.#owner.timers.forgetIdle()
    if (this.#in.ended) this.now()
    else
      this.#linger = this.#owner.host.clock.after(
        CLOSE_TIME,
        this.#owner.guard.entrance(() => this.now()),
      )
  }

  /** At once, whatever is missing. */
  now(): void {
    this.#owner.out.mark('broken')
    this.#owner.out.close()
    this.#owner.close(this.#failed ? 'failed' : 'ended')
  }

  /** With close_notify, and the last words of what is spoken. */
  goodbye(): void {
    const owner = this.#owner
    if (owner.phase !== 'open') return
    owner.protocol.farewell()
    owner.out.session?.close()
    this.hangUp()
  }

  /** With close_notify, but without waiting for anything that is underway. */
  stop(reason: Error): void {
    const owner = this.#owner
    if (owner.phase === 'open') {
      owner.protocol.cancel(reason)
      this.goodbye()
    }
    if (owner.phase === 'closing') this.now()
  }

  /** So that the client sees that something is missing: no close_notify, no last chunk. */
  destroy(reason: Error): void {
    if (this.#owner.phase === 'closed') return
    this.#owner.protocol.cancel(reason)
    this.now()
  }

  /**
   * The rest of a response that was underway is lost: the client is told, in a way that it can trust.
   */
  breakOff(survival: Pick<Survival, 'cut'> | undefined): void {
    if (survival !== undefined) survival.cut = true
    this.#owner.out.abort()
    this.hangUp()
  }

  /** The stream has failed. */
  broken(error: StreamError): void {
    if (this.#owner.phase === 'closed') return
    this.#owner.protocol.cancel(error)
    if (this.#owner.phase !== 'frozen') this.now()
  }

  /** Nothing has come for so long that it ends, unless something is underway. */
  idle(): void {
    const owner = this.#owner
    const deserted = !owner.out.gave() && this.#in.ended && owner.protocol.pending !== true
    const { watched } = owner.protocol
    // What waits for the client is taken, or it is idle. Where nothing waits, a function may take its time,
    // but for one whose client may have gone: that shows only when something is sent.
    if (this.#stream.queued ? owner.out.progressed() : watched && !deserted) {
      owner.timers.touch()
      owner.timers.start()
      return
    }
    // A promise of the lift that never comes is taken back by this, too.
    if (this.#stream.queued) owner.out.close()
    if (owner.phase === 'frozen') return
    if (deserted && watched) {
      this.#desert()
      return
    }
    owner.protocol.cancel(new Error('the client was idle for too long'))
    if (this.#stream.state === 'open') this.goodbye()
    else this.now()
  }

  /** The client has closed its side, and nothing came of its responses: it sees that they broke off. */
  #desert(): void {
    const owner = this.#owner
    owner.protocol.cancel(
      new Error('the client has closed its side, and nothing was sent to it for too long'),
    )
    // It may go on with nothing elsewhere.
    owner.out.mark('goodbye')
    owner.out.close()
    owner.close('ended')
  }

  /** Nothing is waited for any more. */
  over(): void {
    this.#linger?.stop()
  }

  /**
   * Something was thrown that must not be: the client is told if there is TLS, and no other connection
   * notices.
   */
  fault(error: unknown): void {
    const owner = this.#owner
    if (owner.phase === 'closed') return
    const again = this.#failed
    this.#failed = true
    if (!again)
      owner.host.log.error({ err: error, session: owner.id }, 'a connection failed and is being closed')
    try {
      owner.protocol.cancel(new Error('the connection failed'))
      // Without TLS a FIN in order could pass for the end of a response.
      if (!again && owner.phase === 'open' && owner.out.session !== undefined) {
        owner.out.abort()
        this.hangUp()
        return
      }
    } catch {
      // Then without a word.
    }
    try {
      // While it is on its way, another container may have it: then it is not ours to shut down.
      if (owner.phase === 'frozen') this.#stream.destroy()
      else owner.out.close()
    } finally {
      owner.close('failed')
    }
  }
}
