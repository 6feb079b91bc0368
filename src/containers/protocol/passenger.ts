import type { Http2Passenger } from '../../transfer/consignments/application.ts'
import type { FrozenCall } from '../../transfer/envelope.ts'

/** A call that leaves, as its envelope has it. */
export type LeavingCall = Extract<Http2Passenger['frozen'], { kind: 'response' | 'upload' }>

/** Bytes of what goes along with its connection, or has come with it. */
export function bytesOf(frozen: Http2Passenger['frozen']): number {
  if (frozen.kind === 'websocket') {
    const { socket, state } = frozen
    const { inbound, outbound, partial } = socket
    return inbound.length + outbound.length + (partial?.data.length ?? 0) + (state?.length ?? 0)
  }
  return weightOf(frozen.call) + (frozen.kind === 'upload' ? frozen.unread.length : 0)
}

/** Of its response alone. */
export function weightOf({ content, state }: FrozenCall): number {
  return content.length + (state?.length ?? 0)
}
