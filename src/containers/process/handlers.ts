import type { ControlMessage } from '../../transfer/control.ts'
import type { CourierHandlers } from '../../transfer/courier.ts'
import type { Host } from './host.ts'

/** What is not for the host. */
export interface OtherHandlers {
  control(message: ControlMessage, from: number): void
  nonsense(from: number, reason: string): void
}

const NOT_READY = { reason: 'draining', detail: 'the container is not ready yet' } as const

/**
 * What a container does with what its peers say. The same code is rehearsed: then the engine has compiled it
 * when it counts.
 * @param hostOf undefined as long as there is none
 */
export function handlersOf(hostOf: () => Host | undefined, others: OtherHandlers): CourierHandlers {
  return {
    parcel: (parcel, from) => {
      const host = hostOf()
      return host === undefined ? NOT_READY : host.take(parcel, from)
    },
    takeOver: (takeOver, session, descriptor) => {
      const host = hostOf()
      return host === undefined ? NOT_READY : host.takeOver(takeOver, session, descriptor)
    },
    introduced: peer => hostOf()?.introduced(peer),
    gone: id => hostOf()?.gone(id),
    lost: id => hostOf()?.unreachable(id),
    keys: (bytes, from) => hostOf()?.keys(bytes, from),
    slots: (file, count, from) => {
      const host = hostOf()
      if (host === undefined) file.close()
      else host.slotFile(from, file, count)
    },
    loan: (request, _from, settle) => {
      const host = hostOf()
      if (host === undefined) settle({ outcome: 'refused', reason: 'busy', detail: NOT_READY.detail })
      else host.borrow(request, settle)
    },
    control: (message, from) => others.control(message, from),
    nonsense: (from, reason) => others.nonsense(from, reason),
  }
}
