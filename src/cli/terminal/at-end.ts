/** Signals that end a command, and its status then, as a shell says it of one that has no word in it. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/**
 * Has a last piece of work done once, however the command ends: by itself, by Ctrl-C or another signal, with
 * its terminal, or because nothing reads standard output any more.
 * @param work goes on to its end at once: nothing is waited for
 * @returns does it now, and leaves signals to mean what they did
 */
export function atEnd(work: () => void): () => void {
  let done = false
  const once = (): void => {
    if (done) return
    done = true
    work()
  }
  const ends = Object.entries(SIGNALS).map(
    ([signal, status]) => [signal as NodeJS.Signals, () => process.exit(status)] as const,
  )
  process.on('exit', once)
  // They stay while the process exits: a terminal that is closed may send SIGHUP twice.
  for (const [signal, end] of ends) process.on(signal, end)
  return () => {
    process.off('exit', once)
    for (const [signal, end] of ends) process.off(signal, end)
    once()
  }
}
