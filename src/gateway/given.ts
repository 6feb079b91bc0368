import type { Peer } from '../transfer/control.ts'
import type { Courier } from '../transfer/courier.ts'
import { writeExtensions } from '../transfer/extensions.ts'
import { freshHttp, freshTls } from '../transfer/parcel.ts'
import { concat } from '../wire/index.ts'
import type { Carrier, CarrierCounters, CarrierOwner } from './carrier.ts'
import type { Dispatch } from './dispatch.ts'
import type { Duplicates } from './duplicates.ts'
import type { Opening } from './listener.ts'

/**
 * The carrier that gives the client's socket itself away. With duplicates, the gateway keeps one of each
 * socket with TLS; without, it knows nothing of the connection after that.
 */
export class Given implements Carrier {
  readonly #courier: Courier
  readonly #dispatch: Dispatch
  readonly #owner: CarrierOwner
  readonly #duplicates: Duplicates | undefined

  constructor(courier: Courier, dispatch: Dispatch, owner: CarrierOwner, duplicates?: Duplicates) {
    this.#courier = courier
    this.#dispatch = dispatch
    this.#owner = owner
    this.#duplicates = duplicates
  }

  get counters(): Partial<CarrierCounters> {
    return this.#duplicates?.counters ?? {}
  }

  /** None: containers have them. */
  get size(): number {
    return 0
  }

  introduced(peer: Peer): void {
    this.#duplicates?.introduced(peer)
  }

  gone(id: number): void {
    this.#duplicates?.gone(id)
  }

  moved(slot: number, sessionId: Uint8Array, to: number | undefined, generation: number): void {
    this.#duplicates?.moved(slot, sessionId, to, generation)
  }

  close(): void {
    this.#duplicates?.close()
  }

  arrive({ stream, inbound, to: functionName }: Opening<string>, tls: boolean, sessionId: Uint8Array): void {
    const lifted = stream.lift()
    // Nothing has been written, so there is nothing to wait for; a promise here would be a bug in the stream.
    if (lifted instanceof Promise) throw new Error('a stream without output waits for the kernel')
    const { descriptor, unread } = lifted
    const owner = this.#owner
    const fresh = {
      sessionId,
      idleLeft: owner.idleMilliseconds,
      inbound: unread.length === 0 ? inbound : concat(inbound, unread),
    }
    const duplicate = tls ? this.#duplicates?.open(descriptor.fd, sessionId, fresh.inbound.length) : undefined
    const extensions = writeExtensions(duplicate?.extensions ?? {})
    const envelope = { ...(tls ? freshTls(fresh) : freshHttp(fresh)), extensions }
    this.#dispatch.deliver({
      functionName,
      // Of what is known of the socket itself another host has nothing.
      near: duplicate !== undefined,
      bytes: fresh.inbound.length,
      send: ({ id }, settle) => {
        duplicate?.offer(id)
        this.#courier.send(id, envelope, descriptor, settle)
      },
      accepted: () => {
        owner.counters.delivered++
        duplicate?.delivered()
        stream.destroy()
      },
      lost: (target, reason) => {
        // It may have spoken to the client already.
        owner.unclean(target.name, { kind: 'undecided', reason })
        stream.shutdown()
        duplicate?.drop()
      },
      refused: (target, { verdict }) => owner.refused(target.name, verdict),
      unwanted: reason => {
        duplicate?.drop()
        stream.unlift()
        owner.giveUp(stream, tls, functionName, reason, fresh.inbound)
      },
      failed: error => {
        stream.shutdown()
        duplicate?.drop()
        owner.fault(error)
      },
    })
  }
}
