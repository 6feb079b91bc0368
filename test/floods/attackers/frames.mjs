/* HTTP/2 frames and WebSocket frames by hand: no library sends what floods send. */

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
export const Type = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, WINDOW_UPDATE: 8 }

/** One HTTP/2 frame (RFC 9113 §4.1). */
export function frame(type, flags, streamId, payload) {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(streamId, 5)
  return Buffer.concat([head, payload])
}

/** How a client begins, with that window for each stream. */
export function beginning(window) {
  const settings = Buffer.alloc(6)
  settings.writeUInt16BE(4, 0)
  settings.writeUInt32BE(window, 2)
  return Buffer.concat([PREFACE, frame(Type.SETTINGS, 0, 0, settings)])
}

/** A request's head without Huffman codes and tables (RFC 7541 §6.2.2). */
export function headers(streamId, fields, endStream) {
  const block = Object.entries(fields).flatMap(([name, value]) => [
    Buffer.of(0, name.length),
    Buffer.from(name),
    Buffer.of(value.length),
    Buffer.from(value),
  ])
  return frame(Type.HEADERS, 4 | (endStream ? 1 : 0), streamId, Buffer.concat(block))
}

/** GET of a path on a host. */
export function get(streamId, host, path) {
  return headers(streamId, { ':method': 'GET', ':scheme': 'https', ':authority': host, ':path': path }, true)
}

/** Ends a stream (RFC 9113 §6.4): CANCEL. */
export function reset(streamId) {
  return frame(Type.RST_STREAM, 0, streamId, Buffer.of(0, 0, 0, 8))
}

/** One WebSocket frame of a client (RFC 6455 §5.2), of fewer than 126 bytes, under a mask of zeros. */
export function webSocketFrame(opcode, final, payload = Buffer.alloc(0)) {
  const head = Buffer.of((final ? 0x80 : 0) | opcode, 0x80 | payload.length, 0, 0, 0, 0)
  return Buffer.concat([head, payload])
}

/** The request for a WebSocket. */
export function upgrade(host) {
  const fields = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13']
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
  return Buffer.from(`GET / HTTP/1.1\r\nHost: ${host}\r\n${fields.join('\r\n')}\r\n${key}\r\n\r\n`)
}
