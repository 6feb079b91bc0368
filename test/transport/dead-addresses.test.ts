import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { targetOf } from '../../src/transport/context.ts'
import { tcp } from '../../src/transport/kinds/tcp.ts'
import { context } from '../../src/transport/network.ts'
import type { Server } from '../../src/transport/server.ts'
import { http } from '../../src/transport/services.ts'

const DEAD = '127.0.0.2'
const PROGRAM = `require('node:net').createServer()
  .listen({ port: +process.argv[1], host: '${DEAD}', backlog: 1 }, () => console.log('listens'))`

/**
 * An address from which nothing comes, neither an answer nor a refusal: a server that stands still, and whose
 * queue is full. It has the port of one that is alive, at another address.
 */
describe.skipIf(process.platform !== 'linux')('an address that is dead', () => {
  const sockets: Socket[] = []
  let [child, server]: [ChildProcess, Server] = [] as never
  let port = 0

  beforeAll(async () => {
    server = await http({ port: 0, request: (_, response) => response.reply({ status: 200 }) })
    port = server.address.port!
    child = spawn(process.execPath, ['-e', PROGRAM, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout!, 'data')
    child.kill('SIGSTOP')
    // The kernel takes connections for it until its queue is full, and answers no more then.
    for (let full = false; !full; ) {
      const socket = connect({ port, host: DEAD }).on('error', () => {})
      sockets.push(socket)
      const there = await Promise.race([once(socket, 'connect').then(() => true), sleep(300)])
      full = there !== true
    }
  })
  afterAll(async () => {
    for (const socket of sockets) socket.destroy()
    child.kill('SIGKILL')
    await server.stop(0)
  })

  const over = (six: readonly string[], four: readonly string[]) =>
    context().over('http', tcp, {
      dial: { resolver: async (_, family) => (family === 6 ? six : four), delays: { attempt: 20 } },
    })
  const target = () => targetOf(`http://any.example:${port}`)

  it.each([
    ['in front of one that is alive', [], [DEAD, '127.0.0.1']],
    ['behind one that refuses', ['::1'], [DEAD, '127.0.0.1']],
  ])('%s: the next one is tried meanwhile', async (_, six, four) => {
    const { transport, stream } = await over(six, four).connect(target())
    expect((stream as Socket).remoteAddress).toBe('127.0.0.1')
    transport.destroy()
  })

  it('alone is a timeout, and a caller may give up before', async () => {
    const alone = over([], [DEAD])
    await expect(alone.connect(target(), { timeoutMs: 50 })).rejects.toMatchObject({ kind: 'timeout' })
    const control = new AbortController()
    const given = alone.connect(target(), { signal: control.signal })
    control.abort()
    await expect(given).rejects.toMatchObject({ kind: 'aborted' })
  })
})
