import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Client } from './client.ts'
import { duplicate } from './foreign.ts'
import { Host } from './host.ts'
import { mailboxes } from './post.ts'

const NAMES = ['a', 'b'] as const

/** Two hosts and a client in this process, and one connection that moves with every request. */
export class Together {
  readonly #client: Client
  #moves = 0

  private constructor(client: Client) {
    this.#client = client
  }

  static async open(): Promise<Together> {
    const [out, back, up, down] = [0, 1, 2, 3].map(() => randomBytes(32)) as [Buffer, Buffer, Buffer, Buffer]
    const [one, other] = mailboxes()
    const host = new Host(1, NAMES[0], one, Buffer.concat([out, back]))
    new Host(2, NAMES[1], other, Buffer.concat([back, out]))
    const [mine, theirs] = await tcpPair()
    const connection = host.connection()
    connection.read.begin(up, 0, 0)
    connection.write.begin(down, 0, 0)
    connection.adopt(theirs)
    return new Together(new Client(mine, Buffer.concat([up, down])))
  }

  /** Has the connection move so often. @throws Error a wrong answer */
  move(count: number): Promise<void> {
    return new Promise(resolve => {
      const end = this.#moves + count
      const next = (): void => {
        if (this.#moves === end) resolve()
        // The first host has it at first: the first request is the second one's.
        else this.#client.ask(NAMES[++this.#moves % 2]!, next)
      }
      next()
    })
  }
}

/** Descriptors of both ends of a TCP connection on this machine. */
async function tcpPair(): Promise<readonly [number, number]> {
  const server = createServer({ pauseOnConnect: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const one = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true })
  const [[other]] = (await Promise.all([once(server, 'connection'), once(one, 'connect')])) as [[Socket], []]
  other.setNoDelay(true)
  server.close()
  return [descriptorOf(one), descriptorOf(other)]
}

/** A duplicate of a socket's descriptor; the socket itself is closed, which ends nothing. */
export function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle: { fd: number; close(): void } }
  const descriptor = duplicate(handle.fd)
  handle.close()
  return descriptor
}
