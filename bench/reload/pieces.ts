/** Milliseconds between two pieces of a stream, and between two messages of a WebSocket. */
export const PERIOD = 500
/** Bytes of a piece of a download. */
export const PIECE = 4096

/** What the streams of this bench are. */
export type Kind = 'socket' | 'events' | 'download'
export const KINDS: readonly Kind[] = ['socket', 'events', 'download']

/** Piece of a download or event of a stream; every byte tells where it stands. @param n counted from 1 */
export function pieceOf(kind: Exclude<Kind, 'socket'>, n: number): Uint8Array {
  return kind === 'download'
    ? new Uint8Array(PIECE).fill(n % 251)
    : Buffer.from(`id: ${n}\ndata: token ${n}\n\n`)
}

/** What is asked for. @param last the last event that the client has; 0: none */
export function questionOf(kind: Exclude<Kind, 'socket'>, last: number) {
  return kind === 'download'
    ? { path: '/download', headers: {} }
    : { path: '/events', headers: last === 0 ? {} : { 'last-event-id': String(last) } }
}
