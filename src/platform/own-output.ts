/** Bytes of output that wait for the supervisor to read them. */
const LIMIT = 262_144

type Write = typeof process.stdout.write
type Callback = (error?: Error | null) => void

/**
 * Bounds what this process keeps of its own output while the supervisor does not read it: more is dropped,
 * and counted. Writing never waits, and never throws, also not for a function that prints.
 * @param onDropped called with how many pieces were dropped, once there is room again
 */
export function boundOutput(onDropped: (count: number) => void): void {
  for (const stream of [process.stdout, process.stderr]) bound(stream, onDropped)
}

function bound(stream: NodeJS.WriteStream, onDropped: (count: number) => void): void {
  const write = stream.write.bind(stream) as Write
  let dropped = 0
  // The supervisor may be gone; then this process ends soon, too.
  stream.on('error', () => {})
  stream.on('drain', () => {
    if (dropped === 0) return
    const count = dropped
    dropped = 0
    onDropped(count)
  })
  const bounded = (chunk: string | Uint8Array, encoding?: unknown, callback?: Callback): boolean => {
    if (stream.writableLength < LIMIT) return write(chunk, encoding as BufferEncoding, callback)
    dropped++
    const done = typeof encoding === 'function' ? (encoding as Callback) : callback
    if (done !== undefined) process.nextTick(done)
    return false
  }
  stream.write = bounded as Write
}
