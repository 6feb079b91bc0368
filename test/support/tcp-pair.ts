import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** Two ends of a TCP connection to ourselves; `accepted` is not read before it is resumed. */
export interface TcpPair {
  readonly client: Socket
  readonly accepted: Socket
  /** Of `accepted`. */
  readonly fd: number
  close(): void
}

export async function tcpPair(): Promise<TcpPair> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect({
    port: (server.address() as { port: number }).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  })
  client.on('error', () => {})
  const [accepted] = (await once(server, 'connection')) as [Socket]
  accepted.on('error', () => {})
  server.close()
  const { fd } = (accepted as unknown as { _handle: { fd: number } })._handle
  return {
    client,
    accepted,
    fd,
    close() {
      client.destroy()
      accepted.destroy()
    },
  }
}
