import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
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

async function connectedPair(): Promise<Pair> {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-leg-'))
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true })
  try {
    const path = join(directory, 'leg')
    server.listen(path)
    await once(server, 'listening')
    const one = connect({ path, allowHalfOpen: true })
    one.pause()
    const [[other]] = await Promise.all([once(server, 'connection'), once(one, 'connect')])
    return [descriptorOf(one), descriptorOf(other as Socket)]
  } finally {
    server.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

function descriptorOf(socket: Socket): Descriptor {
  return Descriptor.fromHandle(takeHandle(socket).handle)
}
