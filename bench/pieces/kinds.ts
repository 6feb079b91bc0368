import { FrameType, writeFrameHeader } from '../../src/http/h2/frame.ts'
import { H2Client } from '../../src/http/h2/index.ts'
import { Opcode, writeFrame } from '../../src/http/websocket/index.ts'
import { concat, utf8 } from '../../src/wire/index.ts'

/** What is sent in tiny pieces. */
export const KINDS = ['chunks', 'records', 'pings', 'continuations', 'data frames'] as const
export type Kind = (typeof KINDS)[number]

/** What a client sends once its handshake is over. */
export interface Load {
  readonly alpn: string
  readonly head: Uint8Array
  /** One piece: sent as often as it takes. */
  readonly piece: Uint8Array
  /** Bytes of it on the wire. */
  readonly onWire: number
  /** Each piece is a record of its own. */
  readonly alone: boolean
  /** So that the server closes behind it. */
  readonly tail: (pieces: number) => Uint8Array
}

const POST = 'POST / HTTP/1.1\r\nHost: potato.local\r\nConnection: close\r\n'
const UPGRADE =
  'GET / HTTP/1.1\r\nHost: potato.local\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
const MASK = new Uint8Array(4)
const EMPTY = new Uint8Array(0)
/** Bytes of a record of one byte: header, content, its type, and the tag (RFC 8446 §5.2). */
const TINY_RECORD = 5 + 1 + 1 + 16

/** @param pieces how many will be sent */
export function loadOf(kind: Kind, pieces: number): Load {
  const bye = (): Uint8Array => writeFrame(Opcode.CLOSE, Uint8Array.of(3, 232), { mask: MASK })
  const socket = (head: Uint8Array, piece: Uint8Array): Load => ({
    alpn: 'http/1.1',
    head,
    piece,
    onWire: piece.length,
    alone: false,
    tail: bye,
  })
  switch (kind) {
    case 'chunks': {
      const head = utf8(`${POST}Transfer-Encoding: chunked\r\n\r\n`)
      const piece = utf8('1\r\na\r\n')
      return { alpn: 'http/1.1', head, piece, onWire: 6, alone: false, tail: () => utf8('0\r\n\r\n') }
    }
    case 'records': {
      const head = utf8(`${POST}Content-Length: ${pieces}\r\n\r\n`)
      return { alpn: 'http/1.1', head, piece: utf8('a'), onWire: TINY_RECORD, alone: true, tail: () => EMPTY }
    }
    case 'pings':
      return socket(utf8(UPGRADE), writeFrame(Opcode.PING, EMPTY, { mask: MASK }))
    case 'continuations':
      return socket(
        concat(utf8(UPGRADE), writeFrame(Opcode.BINARY, EMPTY, { final: false, mask: MASK })),
        writeFrame(Opcode.CONTINUATION, EMPTY, { final: false, mask: MASK }),
      )
    case 'data frames': {
      const client = new H2Client()
      client.request({ method: 'POST', scheme: 'https', authority: 'potato.local', path: '/' }, false)
      const piece = new Uint8Array(10)
      writeFrameHeader(piece, 0, 1, FrameType.DATA, 0, 1)
      return { alpn: 'h2', head: client.takeOutput(), piece, onWire: 10, alone: false, tail: () => EMPTY }
    }
  }
}

/** Pieces in so many bytes on the wire. */
export function countOf(kind: Kind, bytes: number): number {
  return Math.ceil(bytes / loadOf(kind, 1).onWire)
}
