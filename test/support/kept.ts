import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Frees what nothing holds any more. */
export function collect(): void {
  setFlagsFromString('--expose-gc')
  const once: () => void = runInNewContext('gc')
  // A buffer's memory goes with the collection after the one that finds it free.
  once()
  once()
}

/** The heap and the array buffers of this process, in bytes, without what nothing holds any more. */
export function kept(): number {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
