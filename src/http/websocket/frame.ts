import { concat } from '../../wire/index.ts'

/** The opcodes of RFC 6455 §5.2. */
export const Opcode = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const

/** The status codes of §7.4.1 that are sent here. */
export const CloseCode = {
  NORMAL: 1000,
  GOING_AWAY: 1001,
  PROTOCOL_ERROR: 1002,
  UNSUPPORTED_DATA: 1003,
  INVALID_DATA: 1007,
  POLICY_VIOLATION: 1008,
  TOO_BIG: 1009,
  INTERNAL_ERROR: 1011,
} as const

/**
 * A rule of RFC 6455 that the peer broke, or a limit that it exceeded; the connection ends with this code.
 */
export class WebSocketError extends Error {
  override readonly name = 'WebSocketError'
  readonly code: number

  constructor(code: number, reason: string) {
    super(reason)
    this.code = code
  }
}

/** One frame, unmasked. */
export interface Frame {
  readonly final: boolean
  readonly opcode: number
  /** In memory of its own. */
  readonly payload: Uint8Array
  /** Bytes of the frame as it came. */
  readonly length: number
}

/**
 * Reads the frame at the beginning of some bytes.
 * @param masked whether its sender is a client, which has to mask
 * @param most bytes of payload
 * @returns undefined if it takes more bytes
 * @throws WebSocketError for a frame that must not be
 */
export function readFrame(bytes: Uint8Array, masked: boolean, most: number): Frame | undefined {
  if (bytes.length < 2) return undefined
  const [first, second] = bytes as unknown as readonly [number, number]
  const opcode = first & 0x0f
  const final = (first & 0x80) !== 0
  const control = (opcode & 8) !== 0
  if (first & 0x70) throw new WebSocketError(CloseCode.PROTOCOL_ERROR, 'a reserved bit')
  if (opcode > (control ? Opcode.PONG : Opcode.BINARY))
    throw new WebSocketError(CloseCode.PROTOCOL_ERROR, `opcode ${opcode}`)
  if (((second & 0x80) !== 0) !== masked)
    throw new WebSocketError(CloseCode.PROTOCOL_ERROR, masked ? 'a frame without mask' : 'a masked frame')
  const short = second & 0x7f
  if (control && (short > 125 || !final))
    throw new WebSocketError(CloseCode.PROTOCOL_ERROR, 'a control frame that is long or in parts')
  const size = short === 127 ? 8 : short === 126 ? 2 : 0
  if (bytes.length < 2 + size) return undefined
  let length = size === 0 ? short : 0
  for (let i = 0; i < size; i++) length = length * 256 + bytes[2 + i]!
  if (size > 0 && length < (size === 2 ? 126 : 65_536))
    throw new WebSocketError(CloseCode.PROTOCOL_ERROR, 'a length that is not written the shortest way')
  if (length > most) throw new WebSocketError(CloseCode.TOO_BIG, `more than ${most} bytes in one message`)
  const start = 2 + size + (masked ? 4 : 0)
  if (bytes.length < start + length) return undefined
  const payload = bytes.slice(start, start + length)
  if (masked) applyMask(payload, bytes.subarray(start - 4, start))
  return { final, opcode, payload, length: start + length }
}

/**
 * A frame as bytes.
 * @param mask 4 unpredictable bytes, from a client; none from a server
 */
export function writeFrame(
  opcode: number,
  payload: Uint8Array,
  { final = true, mask }: { final?: boolean; mask?: Uint8Array } = {},
): Uint8Array {
  const { length } = payload
  const size = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const head = new Uint8Array(2 + size)
  head[0] = (final ? 0x80 : 0) | opcode
  head[1] = (mask === undefined ? 0 : 0x80) | (size === 0 ? length : size === 2 ? 126 : 127)
  for (let i = 0, rest = length; i < size; i++, rest = Math.floor(rest / 256)) head[1 + size - i] = rest % 256
  if (mask === undefined) return concat(head, payload)
  const masked = payload.slice()
  applyMask(masked, mask)
  return concat(head, mask, masked)
}

function applyMask(bytes: Uint8Array, mask: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) bytes[i]! ^= mask[i & 3]!
}

/** The payload of a close frame. @param reason at most 123 bytes of it are sent */
export function closePayload(code: number, reason: string): Uint8Array {
  let text = new TextEncoder().encode(reason)
  // A character is not cut in two.
  while (text.length > 123)
    text = new TextEncoder().encode(new TextDecoder().decode(text.subarray(0, 120)).slice(0, -1))
  return concat(Uint8Array.of(code >> 8, code & 0xff), text)
}

/**
 * Reads one. @throws WebSocketError for a code that must not be sent (§7.4), or text that is not UTF-8
 */
export function readClose(payload: Uint8Array): { readonly code: number; readonly reason: string } {
  // 1005 stands for no code at all.
  if (payload.length === 0) return { code: 1005, reason: '' }
  const code = payload.length === 1 ? 0 : payload[0]! * 256 + payload[1]!
  const known =
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code < 5000)
  if (!known) throw new WebSocketError(CloseCode.PROTOCOL_ERROR, `the close code ${code}`)
  return { code, reason: readText(payload.subarray(2)) }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @throws WebSocketError for bytes that are not UTF-8 */
export function readText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new WebSocketError(CloseCode.INVALID_DATA, 'text that is not UTF-8')
  }
}
