/** Milliseconds between two looks at the clock. */
const TICK = 500

const ticking = new Set<() => void>()
let timer: NodeJS.Timeout | undefined

/**
 * Calls `tick` about twice a second until the returned function is called. One timer serves all: a connection
 * that starts and stops a timer of its own with each request spends more on that than on the request. It
 * keeps no process alive.
 */
export function everyTick(tick: () => void): () => void {
  ticking.add(tick)
  timer ??= setInterval(() => {
    for (const one of [...ticking]) one()
  }, TICK).unref()
  return () => {
    ticking.delete(tick)
    if (ticking.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}
