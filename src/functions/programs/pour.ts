import type { Writable } from 'node:stream'

/** What content is poured into: a pipe, or a request of `node:http`. */
export type Vessel = Pick<Writable, 'write' | 'end' | 'destroyed' | 'once' | 'off'>

/** The moment when it takes more, or has gone. */
export function room(vessel: Vessel): Promise<void> {
  return new Promise(settle => {
    const done = (): void => {
      vessel.off('drain', done)
      vessel.off('close', done)
      settle()
    }
    vessel.once('drain', done)
    vessel.once('close', done)
  })
}

/**
 * Gives all of some content, as fast as it is taken, and the end of it. What goes away before that gets none
 * of the rest, and the content is cancelled.
 * @throws what the content breaks with
 */
export async function pour(content: ReadableStream<Uint8Array>, vessel: Vessel): Promise<void> {
  const reader = content.getReader()
  vessel.once('close', () => void reader.cancel().catch(() => {}))
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    if (vessel.destroyed) return
    if (!vessel.write(piece.value)) await room(vessel)
  }
  if (!vessel.destroyed) vessel.end()
}
