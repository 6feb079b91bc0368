import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A port that nothing had a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Waits until something takes connections there. @throws Error after a minute */
export async function answering(port: number): Promise<void> {
  for (let tries = 0; tries < 3000; tries++) {
    const socket = connect({ port, host: '127.0.0.1' })
    const up = await new Promise<boolean>(resolve => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    socket.destroy()
    if (up) return
    await sleep(20)
  }
  throw new Error(`nothing listens on ${port}`)
}
