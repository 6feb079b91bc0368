import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { portError } from '../../src/platform/port-error.ts'
import { bindPort } from '../../src/supervisor/ports.ts'
import { probe } from '../../src/transfer/native/libc.ts'

const native = probe()
const note = native.available ? '' : ` (SKIPPED: ${native.reason})`

describe('a bound port', () => {
  it.skipIf(!native.available)(`stays open when the one who listens stops${note}`, async () => {
    const bound = await bindPort('127.0.0.1', 0)
    expect(bound.port).toBeGreaterThan(0)
    const refused = connect(bound.port, '127.0.0.1')
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNREFUSED')
    // A server in another process has a copy of the descriptor; here it would close ours with its own.
    const fd = native.available ? native.libc.duplicate(bound.fd) : -1
    const server = createServer(socket => socket.end('x')).listen({ fd })
    await once(server, 'listening')
    const client = connect(bound.port, '127.0.0.1')
    expect(String((await once(client, 'data'))[0])).toBe('x')
    client.destroy()
    server.close()
    const waiting = connect(bound.port, '127.0.0.1')
    await once(waiting, 'connect')
    waiting.destroy()
    bound.close()
  })

  it('that another process listens on is refused by its error', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const error = await bindPort('127.0.0.1', port).catch((one: unknown) => one)
    expect(error).toMatchObject({ code: 'EADDRINUSE' })
    expect(portError(error, port, 'VARIABLE', 'some.key').message).toBe(
      `port ${port} is in use: choose another one with VARIABLE=PORT, or some.key in hotpotato.yml`,
    )
    server.close()
  })

  it('takes the name of a host, and refuses an address that is not ours', async () => {
    const bound = await bindPort('localhost', 0)
    bound.close()
    const error = await bindPort('192.0.2.1', 0).catch((one: unknown) => one)
    expect(error).toMatchObject({ code: 'EADDRNOTAVAIL' })
    expect(portError(error, 0, 'VARIABLE', 'some.key').message).toMatch(
      /^gateway\.host is not an address .* HOTPOTATO_HOST=ADDRESS$/,
    )
  })
})
