import { createServer } from 'node:net'
import { takeSeat } from '../platform/seat/seat.ts'
import type { Clock } from '../time/clock.ts'

/** Milliseconds between two looks whether the directory is free. */
const LOOK = 200
/** The socket of the one that calls. */
const SOCKET = 'owner.sock'

/**
 * Waits until no other process calls out of that directory. What is owned is a seat in it: no other user can
 * take it, and that of a process that was killed is in no process's way.
 */
export async function own(directory: string, clock: Clock): Promise<void> {
  for (;;) {
    const server = createServer(socket => socket.destroy())
    if ((await takeSeat(directory, SOCKET, server)) !== undefined) {
      server.unref()
      return
    }
    await new Promise<void>(resolve => clock.after(LOOK, resolve))
  }
}
