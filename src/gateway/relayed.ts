import type { Account, Holder, MemoryBudget } from '../http/memory-budget.ts'
import type { Clock, Timer } from '../time/clock.ts'
import { type ByteStream, CLOSE_TIME } from '../transfer/byte-stream.ts'
import { type LegEnd, Relay } from '../transfer/relay.ts'
import type { RelayedState } from '../transfer/relay-state.ts'
import { type Descriptor, openStream, prepend } from '../transfer/stream.ts'
import { Guard } from '../transport/guard.ts'
import { EMPTY } from '../wire/index.ts'
import { reasonOf } from '../wire/thrown.ts'
import type { Unclean } from './unclean.ts'

/**
 * Bytes that may go on waiting for its client when a connection has given up what it could; with more it
 * ends.
 */
const RESIDUE = 65_536
/** So many {@link CLOSE_TIME}s in a row a client may take nothing of what waits for it. */
const MOST_STALLS = 15

/**
 * What another gateway needs to go on: the client's socket and the end of the leg, and what is known besides.
 */
export interface Given {
  readonly descriptors: readonly [client: Descriptor, leg: Descriptor]
  readonly state: Omit<RelayedState, 'functionName'>
}

/** What another gateway has known of a connection. */
export interface Adopted {
  readonly relay: Relay | undefined
  readonly clientEnded: boolean
}

/** What a relayed connection needs of the gateway. */
export interface RelayedOwner {
  readonly clock: Clock
  /** What connections hold in this gateway together. */
  readonly memory: MemoryBudget
  /**
   * A container is needed again: to begin anew, or to go on from a checkpoint. {@link Relayed.newLeg} comes
   * before its answer.
   */
  successor(connection: Relayed, end: Extract<LegEnd, { kind: 'anew' | 'takeOver' }>): void
  /** It is over. @param unclean the client was left without an orderly end */
  ended(connection: Relayed, unclean: Unclean | undefined): void
}

/**
 * One connection that the gateway relays: bytes from the client go to the leg as they are, and what comes
 * from the leg goes to the client record by record, or as it is where there is no TLS. A side that cannot
 * take more stops the other side's reading.
 */
export class Relayed implements Holder {
  /** Everything that comes from outside comes through it: what is thrown ends this connection alone. */
  readonly guard = new Guard(error => this.close({ kind: 'failed', reason: reasonOf(error) }))
  readonly #owner: RelayedOwner
  readonly #client: ByteStream
  /** Undefined without TLS: there are no records then, and no container can take over. */
  readonly #relay: Relay | undefined
  #leg: ByteStream | undefined
  #clientEnded = false
  readonly #account: Account
  #moved = 0
  #closing = false
  #closed = false
  #linger: Timer | undefined

  /**
   * @param inbound what the client has sent so far, which the first container is given with the parcel
   * @param adopted instead: where another gateway has stopped
   */
  constructor(owner: RelayedOwner, client: ByteStream, inbound: Uint8Array, tls: boolean, adopted?: Adopted) {
    this.#owner = owner
    this.#client = client
    this.#relay = adopted === undefined && tls ? new Relay(inbound) : adopted?.relay
    this.#clientEnded = adopted?.clientEnded ?? false
    this.#account = owner.memory.open(this)
    this.#weigh()
  }

  get progress(): number {
    return this.#moved - this.#client.unsent
  }

  weigh(): number {
    return (this.#relay?.kept ?? 0) + this.#client.unsent + (this.#leg?.unsent ?? 0)
  }

  /**
   * First it loses its cover, as with more than can be retained; if its client does not take what waits for
   * it, it ends.
   */
  shed(): boolean {
    if (this.#closed || this.#client.state !== 'open') return false
    this.guard.run(() => {
      this.#relay?.forget()
      // What waits for the container is one read at most, and no fault of the client.
      if (this.#client.unsent > RESIDUE)
        this.close({
          kind: 'broken',
          reason:
            'gateway.limits.memoryBytes is used up, and this connection has held the most for the longest',
        })
    })
    return true
  }

  #weigh(): void {
    if (this.#account.held === 0 && this.weigh() === 0) return
    this.#account.weigh(this.#owner.clock.steady())
  }

  /** Whether it outlives its container now. */
  get survivable(): boolean {
    return this.#relay?.survivable ?? false
  }

  /** Bytes kept for a successor. */
  get retained(): number {
    return this.#relay?.retained ?? 0
  }

  /** The highest generation that is known. */
  get generation(): number {
    return this.#relay?.generation ?? 0
  }

  /**
   * Starts to relay over our end of a leg, whose other end is with a container or on its way to one.
   * @param unread what another gateway had read from it
   */
  newLeg(end: Descriptor, unread: Uint8Array = EMPTY): void {
    const leg = openStream(end, { kind: 'raw', readsOn: true, unread })
    this.#leg = leg
    const { guard } = this
    leg.onDrain = guard.entrance(() => {
      this.#client.resume()
      this.#weigh()
    })
    this.#client.onDrain = guard.entrance(() => {
      if (this.#closing) this.#lastMoment()
      else this.#leg?.resume()
      this.#weigh()
    })
    this.#client.read({
      bytes: guard.entrance((view: Uint8Array) => this.#fromClient(view)),
      end: guard.entrance(() => this.#onClientEnd()),
      error: guard.entrance(() => this.#onClientError()),
    })
    leg.read({
      bytes: guard.entrance((view: Uint8Array) => this.#fromLeg(view)),
      end: guard.entrance(() => this.#onLegEnd()),
      // The container went while bytes for it were on their way. What it had sent has been read by now.
      error: guard.entrance(() => this.#onLegEnd()),
    })
    if (this.#clientEnded) leg.end()
  }

  /** Lets it finish: its container is told that the client sends no more. */
  drain(): void {
    this.guard.run(() => {
      this.#clientEnded = true
      this.#client.pause()
      if (this.#leg?.state === 'open') this.#leg.end()
    })
  }

  /**
   * Stops at this byte, for another gateway to go on with the same two sockets.
   * @returns undefined if it cannot be given away now: it ends, or waits for a container; rejects if it
   * breaks meanwhile. Afterwards either {@link given} or {@link keep} has to be called.
   */
  async give(): Promise<Given | undefined> {
    const [client, leg] = [this.#client, this.#leg]
    if (this.#closing || this.#closed || client.state !== 'open' || leg?.state !== 'open') return undefined
    // Both at once: neither may bring anything any more that the state has to know of.
    const [fromClient, fromLeg] = await Promise.all([client.lift(), leg.lift()])
    return {
      descriptors: [fromClient.descriptor, fromLeg.descriptor],
      state: {
        clientEnded: this.#clientEnded,
        fromClient: fromClient.unread,
        fromLeg: fromLeg.unread,
        relay: this.#relay?.export(),
      },
    }
  }

  /** Another gateway has it. */
  given(): void {
    this.#closed = true
    this.#account.close()
    this.#leg?.destroy()
    this.#client.destroy()
    this.#owner.ended(this, undefined)
  }

  /** No other gateway has it: goes on, unless its client is gone meanwhile. */
  keep(): void {
    if (this.#closed) return
    if (this.#client.state === 'closed') {
      this.close(undefined)
      return
    }
    for (const stream of [this.#client, this.#leg])
      if (stream?.state === 'lifting' || stream?.state === 'lifted') stream.unlift()
  }

  /** The client's IP address; undefined if it is gone. */
  get remoteAddress(): string | undefined {
    return this.#client.remoteAddress
  }

  /** Stops relaying. @returns the client, to be answered otherwise; undefined if it is gone */
  release(): ByteStream | undefined {
    if (this.#closed) return undefined
    this.#closed = true
    this.#account.close()
    this.#leg?.destroy()
    return this.#client.state === 'open' ? this.#client : undefined
  }

  /** Ends it for both sides. @param unclean why, if the client gets no orderly end */
  close(unclean: Unclean | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.#account.close()
    this.#linger?.stop()
    try {
      this.#leg?.destroy()
      if (unclean === undefined) this.#client.destroy()
      else this.#client.shutdown()
    } finally {
      this.#owner.ended(this, unclean)
    }
  }

  #fromClient(view: Uint8Array): void {
    if (this.#closing) return
    this.#relay?.fromClient(view)
    this.#moved += view.length
    if (this.#leg?.forward([view]) === 'queued') this.#client.pause()
    this.#weigh()
  }

  #fromLeg(view: Uint8Array): void {
    const pieces = this.#relay === undefined ? [view] : this.#relay.fromLeg(view, prepend)
    if (this.#relay?.failure !== undefined) {
      this.close({ kind: 'broken', reason: this.#relay.failure })
      return
    }
    if (pieces.length > 0) {
      for (const { length } of pieces) this.#moved += length
      if (this.#client.forward(pieces) === 'queued') this.#leg?.pause()
    }
    this.#weigh()
  }

  #onClientEnd(): void {
    this.#clientEnded = true
    if (this.#closing && !this.#client.queued) this.close(undefined)
    else if (this.#leg?.state === 'open') this.#leg.end()
  }

  /** The client is gone: the container finds the end of its leg. */
  #onClientError(): void {
    this.close(undefined)
  }

  #onLegEnd(): void {
    if (this.#closing || this.#closed) return
    this.#leg?.destroy()
    this.#leg = undefined
    const end: LegEnd = this.#relay?.legEnded() ?? { kind: 'goodbye' }
    switch (end.kind) {
      case 'goodbye':
        this.#sayGoodbye()
        return
      case 'broken':
      case 'lost':
        this.close({ kind: end.kind, reason: end.reason })
        return
      default:
        this.#client.pause()
        this.#owner.successor(this, end)
    }
  }

  /** FIN after what is still on its way, and a moment for the client to take it. */
  #sayGoodbye(): void {
    this.#closing = true
    if (this.#client.state !== 'open') {
      this.close(undefined)
      return
    }
    this.#client.end()
    this.#client.resume()
    this.#lastMoment()
  }

  /**
   * @param stalls so many {@link CLOSE_TIME}s may pass in which the client takes nothing of what waits for it
   */
  #lastMoment(stalls = MOST_STALLS): void {
    this.#linger?.stop()
    const { queued, unsent } = this.#client
    if (this.#clientEnded && !queued) {
      this.close(undefined)
      return
    }
    const later = this.guard.entrance(() => {
      if (!queued || stalls === 0) this.close(undefined)
      else this.#lastMoment(this.#client.unsent < unsent ? MOST_STALLS : stalls - 1)
    })
    this.#linger = this.#owner.clock.after(CLOSE_TIME, later)
  }
}
