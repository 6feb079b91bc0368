import { MAXIMUM_PLAINTEXT } from './record.ts'

/** Records that share one piece of memory. */
export const RECORDS_AT_ONCE = 4
/** Bytes of a piece: so many records, each with more than enough for what protects it. */
const PIECE = RECORDS_AT_ONCE * (MAXIMUM_PLAINTEXT + 256)
/** Pieces kept for later, 1 MiB. */
const KEPT = 16

/**
 * The memory that records leave in. What has been written to the stream may be given back and is used again, for any session:
 * fresh memory for each piece costs a quarter of what sealing into it does. Nothing but ciphertext is ever in it.
 */
const kept: ArrayBuffer[] = []
/** What has been handed out and may come back, once. */
const lent = new WeakSet<ArrayBufferLike>()

/** Memory for records, of exactly `length` bytes, which may hold anything. */
export function takeMemory(length: number): Uint8Array<ArrayBuffer> {
  // Small records are not worth a large piece of memory.
  if (length <= MAXIMUM_PLAINTEXT || length > PIECE) return new Uint8Array(length)
  const buffer = kept.pop() ?? new ArrayBuffer(PIECE)
  lent.add(buffer)
  return new Uint8Array(buffer, 0, length)
}

/** Takes memory back that nobody reads any more. What did not come from {@link takeMemory}, or came back already, is left alone. */
export function giveMemory({ buffer }: Uint8Array): void {
  if (lent.delete(buffer) && kept.length < KEPT) kept.push(buffer as ArrayBuffer)
}

/**
 * Gives memory of `Session.takeOutput` back for later records: allowed, and worth it, once the stream has taken every byte of it.
 * @param output must not be looked at afterwards
 */
export function recycle(output: readonly Uint8Array[]): void {
  for (const bytes of output) giveMemory(bytes)
}
