import { CLIENT_PREFACE } from '../../http/h2/index.ts'
import type { ApplicationState } from '../../transfer/envelope.ts'
import { EMPTY, equal, utf8 } from '../../wire/index.ts'
import { WebSocket } from '../socket/web-socket.ts'
import { Http1 } from './http1.ts'
import { Http2 } from './http2.ts'
import type { Protocol, ProtocolOwner, Refusal } from './protocol.ts'

/** In place of a state that no container can go on with: the protocol is in the middle of something. */
export const NO_APPLICATION: ApplicationState = { protocol: 'http1', requestsServed: 0, inbound: EMPTY }

/**
 * The protocol as an envelope brought it. What has not spoken yet is HTTP/1.1 until ALPN has chosen, see
 * {@link chosen}; without TLS the client's first bytes choose.
 * @param secured whether there is TLS below
 * @param refusal the request that waits is answered with it
 */
export function speak(
  owner: ProtocolOwner,
  application: ApplicationState,
  secured: boolean,
  refusal?: Refusal,
): Protocol {
  if (application.protocol === 'http2') return new Http2(owner, application, refusal)
  if (application.protocol === 'http2_streams')
    return new Http2(owner, application, refusal, application.passengers)
  if (application.protocol === 'http2_responses') {
    const passengers = application.calls.map(({ call, ...rest }) => ({
      ...rest,
      frozen: { kind: 'response', call } as const,
    }))
    return new Http2(owner, application, refusal, passengers)
  }
  if (application.protocol === 'websocket') return new WebSocket(owner, application)
  if (application.protocol === 'http1_response')
    return new Http1(owner, application, refusal, { kind: 'response', call: application.call })
  if (application.protocol === 'http1_upload') {
    const { call, unread } = application
    return new Http1(owner, application, refusal, { kind: 'upload', call, unread })
  }
  const { inbound } = application
  if (secured || !isPreface(inbound)) return new Http1(owner, application, refusal)
  const begun = new Http2(owner, undefined)
  begun.receive(inbound)
  return begun
}

/** The protocol that goes on when the handshake is over. @param alpn what it has chosen */
export function chosen(owner: ProtocolOwner, current: Protocol, alpn: string | undefined): Protocol {
  return alpn === 'h2' && current instanceof Http1 ? new Http2(owner, undefined) : current
}

const PREFACE = utf8(CLIENT_PREFACE)

/**
 * Whether a connection without TLS begins as only HTTP/2 with prior knowledge does (RFC 9113 §3.3).
 */
function isPreface(bytes: Uint8Array): boolean {
  return bytes.length >= PREFACE.length && equal(bytes.subarray(0, PREFACE.length), PREFACE)
}
