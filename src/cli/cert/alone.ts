import { createServer } from 'node:net'
import { takeSeat } from '../../platform/seat/seat.ts'

const SEAT = 'order.sock'

/**
 * Lets at most one process of the machine work in a directory at a time; one that was killed is not in the
 * way. @returns false if another one works there
 */
export async function alone(directory: string, work: () => Promise<void>): Promise<boolean> {
  const seat = await takeSeat(
    directory,
    SEAT,
    createServer(socket => socket.destroy()),
  )
  if (seat === undefined) return false
  try {
    await work()
    return true
  } finally {
    seat.leave()
  }
}
