import { setTimeout } from 'node:timers/promises'
import { obey, report, roleOf } from '../rig/child.ts'
import type { Order, Report, Role } from './orders.ts'
import { PERIOD } from './pieces.ts'
import { Pieces, Sight, Socket, type Stream } from './streams.ts'

/** Streams that open at once. */
const AT_ONCE = 16

/** A process of clients, each with a stream over a TLS connection of its own. */
function main(): void {
  const role = roleOf<Role>()
  const sight = new Sight()
  const sockets: Socket[] = []

  obey<Order, Report>(async order => {
    switch (order.do) {
      case 'open': {
        const streams = Array.from({ length: order.count }, (_, index): Stream => {
          const kind = order.kinds[index % order.kinds.length]!
          if (kind !== 'socket') return new Pieces(kind, role, sight)
          const socket = new Socket(role, sight)
          sockets.push(socket)
          return socket
        })
        const worker = async (): Promise<void> => {
          for (let next = streams.pop(); next !== undefined; next = streams.pop()) await next.open()
        }
        await Promise.all(Array.from({ length: AT_ONCE }, worker))
        return { say: 'done' }
      }
      case 'hush':
        for (const socket of sockets) socket.hush()
        // What is underway is answered, and what was to be said next is not.
        await setTimeout(2 * PERIOD)
        return { say: 'done' }
      case 'speak':
        await Promise.all(sockets.map(socket => socket.speak()))
        return { say: 'done' }
      case 'collect':
        return { say: 'seen', ...sight.collect() }
    }
  })
  report({ say: 'listening', port: 0 })
}

main()
