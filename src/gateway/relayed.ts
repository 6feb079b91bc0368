import { type LegEnd, Relay } from '../transfer/relay.ts'
import { type ByteStream, type Descriptor, openStream, prepend } from '../transfer/stream.ts'

/** Milliseconds that a client has to close when it has taken everything. */
const LINGER = 2000
/** Times as long that it may take nothing of what waits for it. */
const PATIENCE = 15

/** What a relayed connection needs of the gateway. */
export interface RelayedOwner {
  /** A container is needed again: to begin anew, or to go on from a checkpoint. {@link Relayed.newLeg} comes before its answer. */
  successor(connection: Relayed, end: Extract<LegEnd, { kind: 'anew' | 'takeOver' }>): void
  /** It is over. @param unclean the client was left without an orderly end */
  ended(connection: Relayed, unclean: string | undefined): void
}

/**
 * One connection that the gateway relays: bytes from the client go to the leg as they are, and what comes from the leg goes to the client record by
 * record, or as it is where there is no TLS. Whoever cannot take more stops the other side's reading.
 */
export class Relayed {
  readonly #owner: RelayedOwner
  readonly #client: ByteStream
  /** Undefined without TLS: there are no records then, and nobody can take over. */
  readonly #relay: Relay | undefined
  #leg: ByteStream | undefined
  #clientEnded = false
  #closing = false
  #closed = false
  #linger: NodeJS.Timeout | undefined

  /** @param inbound what the client has sent so far, which the first container is given with the parcel */
  constructor(owner: RelayedOwner, client: ByteStream, inbound: Uint8Array, tls: boolean) {
    this.#owner = owner
    this.#client = client
    this.#relay = tls ? new Relay(inbound) : undefined
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

  /** Starts to relay over our end of a new leg, whose other end is on its way to a container. */
  newLeg(end: Descriptor): void {
    const leg = openStream(end, { kind: 'raw', readsOn: true })
    this.#leg = leg
    leg.onDrain = () => this.#client.resume()
    this.#client.onDrain = () => (this.#closing ? this.#lastMoment() : this.#leg?.resume())
    this.#client.read({
      bytes: view => this.#fromClient(view),
      end: () => this.#onClientEnd(),
      error: () => this.#onClientError(),
    })
    leg.read({
      bytes: view => this.#fromLeg(view),
      end: () => this.#onLegEnd(),
      // The container went while bytes for it were on their way. What it had sent has been read by now.
      error: () => this.#onLegEnd(),
    })
    if (this.#clientEnded) leg.end()
  }

  /** Lets it finish: its container is told that the client sends no more. */
  drain(): void {
    this.#clientEnded = true
    this.#client.pause()
    if (this.#leg?.state === 'open') this.#leg.end()
  }

  /** Stops relaying. @returns the client, to be answered otherwise; undefined if it is gone */
  release(): ByteStream | undefined {
    if (this.#closed) return undefined
    this.#closed = true
    this.#leg?.destroy()
    return this.#client.state === 'open' ? this.#client : undefined
  }

  /** Ends it for both sides. @param unclean why, if the client gets no orderly end */
  close(unclean: string | undefined): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#linger)
    this.#leg?.destroy()
    if (unclean === undefined) this.#client.destroy()
    else this.#client.shutdown()
    this.#owner.ended(this, unclean)
  }

  #fromClient(view: Uint8Array): void {
    if (this.#closing) return
    this.#relay?.fromClient(view)
    if (this.#leg?.forward([view]) === 'queued') this.#client.pause()
  }

  #fromLeg(view: Uint8Array): void {
    const pieces = this.#relay === undefined ? [view] : this.#relay.fromLeg(view, prepend)
    if (this.#relay?.failure !== undefined) {
      this.close(this.#relay.failure)
      return
    }
    if (pieces.length === 0) return
    if (this.#client.forward(pieces) === 'queued') this.#leg?.pause()
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
        this.close(end.reason)
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

  /** @param patience so many moments may pass in which the client takes nothing of what waits for it */
  #lastMoment(patience = PATIENCE): void {
    clearTimeout(this.#linger)
    const { queued, unsent } = this.#client
    if (this.#clientEnded && !queued) {
      this.close(undefined)
      return
    }
    this.#linger = setTimeout(() => {
      if (!queued || patience === 0) this.close(undefined)
      else this.#lastMoment(this.#client.unsent < unsent ? PATIENCE : patience - 1)
    }, LINGER)
  }
}
