import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { removeStaged, unwritable } from '../../certificates/files.ts'
import { takeSeat } from '../../platform/seat/seat.ts'

const SEAT = 'order.sock'

/**
 * Lets at most one process of the machine work in a directory at a time; one that was killed is not in the
 * way, nor what it was just writing, there or one folder above, where the certificates are.
 * @returns false if another one works there @throws CertificateError it cannot be found out
 */
export async function alone(directory: string, work: () => Promise<void>): Promise<boolean> {
  const seat = await takeSeat(
    directory,
    SEAT,
    createServer(socket => socket.destroy()),
  ).catch(error => {
    throw unwritable(join(directory, SEAT), error)
  })
  if (seat === undefined) return false
  try {
    for (const one of [directory, dirname(directory)]) removeStaged(one)
    await work()
    return true
  } finally {
    seat.leave()
  }
}
