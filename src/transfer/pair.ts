import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { takeHandle } from './lift.ts'
import { probe } from './native/libc.ts'
import { Descriptor } from './stream.ts'

/**
 * Two ends of a new stream between processes: one to keep, one to give away. By a foreign call, and where
 * there are none by connecting to ourselves in a directory that no other user may enter. @throws Error the
 * system gives no more sockets
 */
export function openPair(): Pair | Promise<Pair> {
  const native = probe()
  if (!native.available) return connectedPair()
  const [one, other] = native.libc.socketPair('stream')
  return [Descriptor.fromFd(one), Descriptor.fromFd(other)]
}

export type Pair = readonly [Descriptor, Descriptor]

/**
 * The same by TCP, over the loopback: what a client's connection is. @throws Error there is no loopback, or
 * another program was quicker to connect
 */
export async function openTcpPair(): Promise<Pair> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true })
  try {
    server.listen(0, '127.0.0.1', 1)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const one = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    const other = await accepted(server, one)
    if (other.remotePort !== one.localPort) {
      for (const socket of [one, other]) socket.destroy()
      throw new Error('another program has connected in our place')
    }
    return [descriptorOf(one), descriptorOf(other)]
  } finally {
    server.close()
  }
}

async function connectedPair(): Promise<Pair> {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-leg-'))
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true })
  try {
    const path = join(directory, 'leg')
    server.listen(path)
    await once(server, 'listening')
    const one = connect({ path, allowHalfOpen: true })
    const other = await accepted(server, one)
    return [descriptorOf(one), descriptorOf(other)]
  } finally {
    server.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The server's end of a connection to itself, when both have it. */
async function accepted(server: Server, one: Socket): Promise<Socket> {
  one.pause()
  const [[other]] = await Promise.all([once(server, 'connection'), once(one, 'connect')])
  return other as Socket
}

function descriptorOf(socket: Socket): Descriptor {
  return Descriptor.fromHandle(takeHandle(socket).handle)
}
