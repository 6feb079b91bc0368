import { getHeapStatistics } from 'node:v8'

let resident = 0

/** Memory of this process, in KiB, as counters of its status. */
export function memoryCounters(): { readonly heapKiB: number; readonly rssKiB: number } {
  try {
    resident = process.memoryUsage.rss()
  } catch {
    // It reads a file, and no descriptor is free: it stands as it was. A process that is asked for its status
    // must not die of it.
  }
  return { heapKiB: toKiB(getHeapStatistics().used_heap_size), rssKiB: toKiB(resident) }
}

function toKiB(bytes: number): number {
  return Math.round(bytes / 1024)
}
