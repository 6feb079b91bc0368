/** The fields with which a client of HTTP/1.1 asks for a WebSocket (RFC 6455 §4.1). */
export const UPGRADE =
  'Upgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n'
