import type { H2Server } from '../../http/h2/index.ts'
import type { Announced } from '../../http/h2/owner.ts'
import type { RequestHead } from '../../http/message.ts'
import type { ProtocolOwner } from './protocol.ts'

/**
 * A request that has not been accepted: for another function, or held back because the connection is about to
 * leave.
 */
export interface Waiting {
  readonly request: Announced
  readonly head: RequestHead
  readonly functionName: string
  /** Milliseconds of the container's clock. */
  readonly since: number
}

/** The requests of one connection that have not been accepted, by stream. */
export class WaitingRequests extends Map<number, Waiting> {
  /** Bytes that a move to that function carries to no purpose there, and the next move once more. */
  ballast(http: Pick<H2Server, 'unsent' | 'withheld'>, functionName: string): number {
    let bytes = http.unsent
    for (const [streamId, one] of this)
      if (one.functionName !== functionName) bytes += http.withheld(streamId)
    return bytes
  }

  /**
   * Takes some of them out, one by one, each to be dealt with before the next. An answer that is there at
   * once brings us here again from within: that may have dealt with others of them, or moved the connection
   * with all that wait.
   */
  *take(some: readonly Waiting[], owner: Pick<ProtocolOwner, 'open'>): Generator<Waiting> {
    for (const one of some) if (owner.open && this.delete(one.request.streamId)) yield one
  }

  /** Those that are not for a function without a container: such wait for one, if not for ever. */
  reachable({ host, timers }: ProtocolOwner): Waiting[] {
    if (this.size === 0) {
      timers.stop('container')
      return []
    }
    const reachable = [...this.values()].filter(
      ({ functionName }) => functionName === host.functionName || host.reaches(functionName),
    )
    if (reachable.length < this.size) timers.wait('container')
    else timers.stop('container')
    return reachable
  }
}
