import type { Socket } from 'node:net'

/** Ways to harm the next bytes that go out: what an attacker on the way could do (RFC 8446 §5.2). */
export const BREAKAGES = ['flip', 'drop', 'replay'] as const

type Breakage = (typeof BREAKAGES)[number]

/**
 * Harms what is written next, once: flips a bit of its last byte, drops it, or sends it twice. The server
 * notices by the tag of a record, whose nonce has its number.
 */
export function breakNext(socket: Socket, how: Breakage): void {
  const write = socket.write
  const harmed = (bytes: Uint8Array): Uint8Array[] => {
    if (how === 'drop') return []
    if (how === 'replay') return [bytes, bytes]
    const flipped = bytes.slice()
    flipped[flipped.length - 1]! ^= 1
    return [flipped]
  }
  socket.write = ((bytes: Uint8Array, ...more: unknown[]): boolean => {
    socket.write = write
    const done = more.find(one => typeof one === 'function') as (() => void) | undefined
    const pieces = harmed(new Uint8Array(bytes))
    if (pieces.length === 0 && done !== undefined) queueMicrotask(done)
    return pieces.every((piece, index) =>
      index === pieces.length - 1 && done !== undefined
        ? write.call(socket, piece, done as never)
        : write.call(socket, piece),
    )
  }) as typeof socket.write
}
