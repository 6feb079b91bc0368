import { connect, type TLSSocket } from 'node:tls'
import { Opcode, writeFrame } from '../../src/http/websocket/index.ts'
import { obey, report, roleOf } from '../rig/child.ts'
import { HOST, type Order, type Report, type Role } from './orders.ts'

const MASK = Uint8Array.of(1, 2, 3, 4)
const REQUEST =
  `GET / HTTP/1.1\r\nHost: ${HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
/** Connections that open at once. */
const AT_ONCE = 16

/** A crowd of clients, each with one WebSocket over TLS, of which a few speak now and then. */
async function main(): Promise<void> {
  const { port, authority } = roleOf<Role>()
  const sockets: TLSSocket[] = []
  /** What each has been answered so far. */
  const counts: number[] = []

  const open = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', servername: HOST, ca: authority })
      socket.on('error', reject).on('close', () => reject(new Error('a connection was closed')))
      socket.once('data', bytes => {
        if (!bytes.toString('latin1').startsWith('HTTP/1.1 101')) reject(new Error('no WebSocket was opened'))
        sockets.push(socket)
        counts.push(0)
        resolve()
      })
      socket.write(REQUEST)
    })

  const ask = (index: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const socket = sockets[index]!
      const expected = String(++counts[index]!)
      const begun = performance.now()
      socket.once('data', bytes => {
        const time = performance.now() - begun
        // Two bytes of a frame's head, and the count that the function has frozen and thawed.
        if (bytes.toString('latin1', 2) === expected) resolve(time)
        else reject(new Error(`a wrong answer: ${JSON.stringify(bytes.toString('latin1'))}, not ${expected}`))
      })
      socket.write(writeFrame(Opcode.TEXT, Uint8Array.of(0x61), { mask: MASK }))
    })

  obey<Order, Report>(async order => {
    if (order.do === 'open') {
      let left = order.count
      const worker = async (): Promise<void> => {
        while (left-- > 0) await open()
      }
      await Promise.all(Array.from({ length: AT_ONCE }, worker))
      return { say: 'opened' }
    }
    const times: number[] = []
    for (const index of order.sockets) times.push(await ask(index))
    return { say: 'answered', times }
  })
  report({ say: 'listening', port: 0 })
}

await main()
