import type { ControlMessage, Peer } from '../../transfer/control.ts'
import type { CourierHandlers } from '../../transfer/courier.ts'
import type { Host } from './host.ts'

/** What is not for the host. */
export interface OtherHandlers {
  control(message: ControlMessage, from: number): void
  nonsense(from: number, reason: string): void
}

/** Where the host is to be found, as soon as there is one. */
export class Place {
  host: Host | undefined
  /** What signers have said before there was one. */
  readonly #early: ((host: Host) => void)[] = []
  /** Is called when the ring of the function has come. */
  #onRing: (() => void) | undefined
  #hasRing = false

  /** @returns when a signer has told the ring of the function */
  ring(): Promise<void> {
    return new Promise(resolve => {
      if (this.#hasRing) resolve()
      else this.#onRing = resolve
    })
  }

  introduced(peer: Peer): void {
    this.#soon(host => host.introduced(peer))
  }

  keys(bytes: Uint8Array, from: number): void {
    this.#soon(host => {
      if (!host.keys(bytes, from)) return
      this.#hasRing = true
      this.#onRing?.()
    })
  }

  /** The host is there, and can speak. */
  open(host: Host): void {
    this.host = host
    for (const say of this.#early.splice(0)) say(host)
  }

  #soon(say: (host: Host) => void): void {
    if (this.host === undefined) this.#early.push(say)
    else say(this.host)
  }
}

const NOT_READY = { reason: 'draining', detail: 'the container is not ready yet' } as const

/**
 * What a container does with what its peers say. The same code is rehearsed: then the engine has compiled it
 * when it counts.
 */
export function handlersOf(place: Place, others: OtherHandlers): CourierHandlers {
  return {
    parcel: (parcel, from) => {
      const host = place.host
      return host === undefined ? NOT_READY : host.take(parcel, from)
    },
    takeOver: (takeOver, session, descriptor) => {
      const host = place.host
      return host === undefined ? NOT_READY : host.takeOver(takeOver, session, descriptor)
    },
    returned: (state, session, from) => {
      const host = place.host
      return host === undefined ? NOT_READY : host.returned(state, session, from)
    },
    thawed: (state, session, descriptor) => {
      const host = place.host
      return host === undefined ? NOT_READY : host.thawed(state, session, descriptor)
    },
    introduced: peer => place.introduced(peer),
    gone: id => place.host?.gone(id),
    lost: id => place.host?.unreachable(id),
    keys: (bytes, from) => place.keys(bytes, from),
    slots: (file, count, from) => {
      const host = place.host
      if (host === undefined) file.close()
      else host.slotFile(from, file, count)
    },
    loan: (request, _from, settle) => {
      const host = place.host
      if (host === undefined) settle({ outcome: 'refused', reason: 'busy', detail: NOT_READY.detail })
      else host.borrow(request, settle)
    },
    control: (message, from) => others.control(message, from),
    nonsense: (from, reason) => others.nonsense(from, reason),
  }
}
