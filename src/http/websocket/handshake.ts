import { utf8 } from '../../wire/index.ts'
import { type Field, header, type RequestHead } from '../message.ts'
import type { Problem } from '../problem.ts'
import { sha1 } from './sha1.ts'

/** RFC 6455 §1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** What to answer a request for a WebSocket: the fields of the handshake, or why not. */
export type Handshake =
  | { readonly fields: readonly Field[]; readonly protocol: string | undefined; readonly problem?: undefined }
  | { readonly problem: Problem }

/**
 * Judges the opening handshake (RFC 6455 §4.2; over HTTP/2 RFC 8441 §5).
 * @param protocols the subprotocols that the function speaks, in order of preference
 */
export function judgeHandshake(
  { method, version, headers }: RequestHead,
  protocols: readonly string[],
): Handshake {
  const refuse = (status: number, detail: string, more: readonly Field[] = []): Handshake => ({
    problem: { name: 'bad-request', status, detail, headers: more },
  })
  if (header(headers, 'sec-websocket-version') !== '13')
    return refuse(426, 'only version 13 of WebSockets is spoken here', [
      ['sec-websocket-version', '13'],
      ['upgrade', 'websocket'],
    ])
  const asked = askedProtocols(headers)
  const protocol = protocols.find(one => asked.includes(one))
  const agreed: Field[] = protocol === undefined ? [] : [['sec-websocket-protocol', protocol]]
  if (version === '2') return { fields: agreed, protocol }
  if (method !== 'GET') return refuse(400, 'a WebSocket is asked for by GET')
  const key = header(headers, 'sec-websocket-key') ?? ''
  // 16 bytes in base64.
  if (!/^[A-Za-z0-9+/]{21}[AQgw]==$/.test(key))
    return refuse(400, 'Sec-WebSocket-Key is not 16 bytes in base64')
  const accept = acceptOf(key)
  return { fields: [['upgrade', 'websocket'], ['sec-websocket-accept', accept], ...agreed], protocol }
}

/** The subprotocols that a client asks for, in its order. */
export function askedProtocols(headers: readonly Field[]): readonly string[] {
  return headers
    .filter(([name]) => name.toLowerCase() === 'sec-websocket-protocol')
    .flatMap(([, value]) => value.split(',').map(one => one.trim()))
}

/** The key of a client's handshake over HTTP/1.1: 16 bytes that are not foretold, in base64 (§4.1). */
export function handshakeKey(): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))))
}

/** What asks for a WebSocket over HTTP/1.1 (§4.1). @param key of {@link handshakeKey} */
export function askingFields(key: string): readonly Field[] {
  return [
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Key', key],
  ]
}

/** Whether a server has read that key, and speaks WebSocket from here on (§4.1). */
export function isAccepted(fields: readonly Field[], key: string): boolean {
  return (
    asksForWebSocket(header(fields, 'upgrade')) && header(fields, 'sec-websocket-accept') === acceptOf(key)
  )
}

/** The mask of one frame: unpredictable, and new for each (§5.3). */
export function frameMask(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(4))
}

/** What proves that a server has read the key of a handshake (RFC 6455 §4.2.2). */
export function acceptOf(key: string): string {
  return btoa(String.fromCharCode(...sha1(utf8(key + GUID))))
}

/** Whether WebSocket is among what a client would rather speak. */
export function asksForWebSocket(upgrade: string | undefined): boolean {
  return upgrade?.split(',').some(one => one.trim().toLowerCase() === 'websocket') ?? false
}
