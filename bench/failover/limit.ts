import { spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * What no platform can be faster than: a Node process that does nothing is killed, and its client sees the
 * end of the connection. Before that the kernel takes its memory down. @returns ms from the kill to the end
 */
export async function limit(): Promise<number> {
  const idle = "process.stdout.write('.'); setInterval(() => {}, 1e6)"
  const child = spawn(process.execPath, ['-e', idle], {
    stdio: ['ignore', 'pipe', 'ignore'],
    // Ctrl-C in a terminal would end it, too.
    detached: true,
  })
  await once(child.stdout, 'data')
  const ended = once(child.stdout, 'end')
  const began = performance.now()
  child.kill('SIGKILL')
  await ended
  return performance.now() - began
}
