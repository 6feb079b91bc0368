import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstatSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConnectError } from '../../src/transport/connector.ts'
import { targetOf } from '../../src/transport/context.ts'
import type { Kind } from '../../src/transport/kinds/kind.ts'
import { MemoryHub, memory, pair } from '../../src/transport/kinds/memory.ts'
import { tcp } from '../../src/transport/kinds/tcp.ts'
import { tls } from '../../src/transport/kinds/tls.ts'
import { unix } from '../../src/transport/kinds/unix.ts'
import { webSocket } from '../../src/transport/kinds/web-socket.ts'
import { context } from '../../src/transport/network.ts'
import { http, serve } from '../../src/transport/services.ts'
import { text } from '../support/h1-messages.ts'

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hotpotato-context-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

const failure = (work: Promise<unknown>): Promise<ConnectError> =>
  work.then(
    () => expect.fail('a connection'),
    (error: ConnectError) => error,
  )

describe('a context', () => {
  const named = (name: string): Kind => ({ name, connect: () => Promise.reject(new Error(name)) })

  it('asks the most particular kind that leads there', () => {
    const net = context()
      .over('http', named('all'))
      .over('http://App.local/', named('one'))
      .over('http://app.local:81', named('port'))
      .over('http://[::1]', named('six'))
    const urls = ['http://a/', 'http://app.local/x', 'http://app.local:81', 'http://[::1]:7/', 'http://b:81']
    expect(urls.map(url => net.kindFor(targetOf(url)))).toEqual(['all', 'one', 'port', 'six', 'all'])
    expect(() => net.kindFor(targetOf('https://a'))).toThrow(ConnectError)
  })

  it('names what a kind needs: the compiler says what is missing', () => {
    const hub = new MemoryHub()
    context().over('a', memory, { hub }).over('b', tcp).over('c', tls(memory), { hub }).over('d', tls(tcp))
    // @ts-expect-error hub is missing
    context().over('a', memory)
    // @ts-expect-error hub is missing
    context().over('a', tls(memory), { tls: {} })
    // @ts-expect-error a hub is no path
    context().over('a', unix, { path: hub })
  })

  it('knows where URLs lead', () => {
    expect(targetOf('https://a.example')).toEqual({ scheme: 'https', host: 'a.example', port: 443 })
    expect(targetOf('http+unix://%2Frun%2Fa.sock/x')).toMatchObject({ host: '%2Frun%2Fa.sock', port: 80 })
    expect(targetOf('ws://[::1]:8080')).toEqual({ scheme: 'ws', host: '::1', port: 8080 })
  })
})

describe('kinds', () => {
  const request: Parameters<typeof http>[0]['request'] = (_, response) => response.reply({ status: 200 })

  it('memory: a server has its name until it stops', async () => {
    const hub = new MemoryHub()
    const net = context().over('memory', memory, { hub })
    const target = targetOf('memory://inside')
    expect((await failure(net.connect(target))).kind).toBe('connect')
    const server = await serve({ transport: memory.listen({ hub, name: 'inside' }), request })
    await expect(memory.listen({ hub, name: 'inside' })).rejects.toThrow('there already')
    const one = await net.connect(target)
    expect(server.connections).toBe(1)
    one.transport.destroy()
    await server.stop()
    expect((await failure(net.connect(target))).kind).toBe('connect')
  })

  it('memory: a reader that is busy holds the writer back, and nothing comes twice or late', async () => {
    const [one, other] = pair()
    let heard = 0
    const over = new Promise<string>(resolve => {
      const bytes = (view: Uint8Array): void => {
        heard += view.length
      }
      other.read({ bytes, end: () => resolve('end'), error() {} })
    })
    other.pause()
    const piece = new Uint8Array(40_000)
    expect([one.write([piece]), one.write([piece]), one.queued]).toEqual(['flushed', 'queued', true])
    const drained = new Promise<void>(resolve => {
      one.onDrain = resolve
    })
    other.resume()
    await drained
    one.end()
    expect([await over, heard]).toEqual(['end', 80_000])
    const gone = new Promise<Error>(resolve => one.read({ bytes() {}, end() {}, error: resolve }))
    other.destroy()
    expect((await gone).message).toBe('the peer has closed the connection')
    expect(one.write([piece])).toBe('flushed')
  })

  it('unix: the socket is for this user alone, and takes the place of one that is left over', async () => {
    const path = join(directory, 'a.sock')
    // A server that dies leaves its socket: a closing one would remove it, but not under another name.
    const dead = createServer().listen(join(directory, 'dead.sock'))
    await new Promise(resolve => dead.once('listening', resolve))
    const first = await serve({ transport: unix.listen({ path: join(directory, 'b.sock') }), request })
    renameSync(join(directory, 'dead.sock'), path)
    await expect(unix.listen({ path })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await new Promise(resolve => dead.close(resolve))
    expect(lstatSync(path).isSocket()).toBe(true)
    const server = await serve({ transport: unix.listen({ path }), request })
    expect(lstatSync(path).mode & 0o777).toBe(0o600)
    const net = context().over('http+unix', unix)
    const one = await net.connect(targetOf(`http+unix://${encodeURIComponent(path)}/`))
    one.transport.destroy()
    expect((await failure(net.connect(targetOf('http+unix://a/')))).kind).toBe('unsupported')
    const none = await failure(net.connect({ scheme: 'http+unix', host: '', port: 0, path: `${path}-none` }))
    expect([none.kind, none.code]).toEqual(['connect', 'ENOENT'])
    writeFileSync(join(directory, 'file'), 'precious')
    await expect(unix.listen({ path: join(directory, 'file') })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await Promise.all([server.stop(0), first.stop(0)])
  })

  it('unix: a server that is too busy to answer keeps its place', async () => {
    const path = join(directory, 'busy.sock')
    const program = `require('node:net').createServer().listen(
      { path: ${JSON.stringify(path)}, backlog: 1 }, () => console.log('listens'))`
    const child = spawn(process.execPath, ['-e', program])
    await once(child.stdout, 'data')
    child.kill('SIGSTOP')
    const callers = Array.from({ length: 8 }, () => connect({ path }).on('error', () => {}))
    await new Promise(resolve => setTimeout(resolve, 50))
    await expect(unix.listen({ path })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(lstatSync(path).isSocket()).toBe(true)
    for (const caller of callers) caller.destroy()
    child.kill('SIGKILL')
    await once(child, 'exit')
    const server = await serve({ transport: unix.listen({ path }), request })
    await server.stop(0)
  })

  it('WebSocket: says that a server has none', async () => {
    const server = await http({ port: 0, request })
    const net = context().over('ws', webSocket(tcp))
    const error = await failure(net.connect(targetOf(`ws://localhost:${server.address.port}`)))
    expect([error.kind, error.message]).toEqual(['connect', expect.stringContaining('200')])
    await server.stop(0)
  })

  it('tcp: tries the addresses that a resolver gives, and says what each has said', async () => {
    const server = await http({ port: 0, request })
    const { port } = server.address
    const asked: number[] = []
    const resolver = async (_: string, family: number) => {
      asked.push(family)
      return family === 6 ? ['::1'] : ['127.0.0.2', '127.0.0.1']
    }
    const net = context().over('http', tcp, { dial: { resolver, delays: { attempt: 20 } } })
    const { transport, stream } = await net.connect(targetOf(`http://any.example:${port}`))
    expect([asked, (stream as { remoteAddress?: string }).remoteAddress]).toEqual([[6, 4], '127.0.0.1'])
    transport.destroy()
    await server.stop(0)
    const error = await failure(net.connect(targetOf(`http://any.example:${port}`)))
    expect([error.kind, error.code, error.message]).toEqual([
      'connect',
      'ECONNREFUSED',
      expect.stringContaining('any of 3 addresses'),
    ])
    const lost = context().over('http', tcp, { dial: { resolver: async () => [] } })
    expect((await failure(lost.connect(targetOf('http://any.example')))).kind).toBe('resolve')
  })

  it('of a program’s own may be slow to notice that it is too late', async () => {
    const [one, other] = pair()
    let late = (): void => {}
    const slow: Kind = {
      name: 'slow',
      connect: () =>
        new Promise(resolve => {
          late = () => resolve({ transport: one, alpn: undefined, secure: false })
        }),
    }
    const error = await failure(context().over('slow', slow).connect(targetOf('slow://a'), { timeoutMs: 5 }))
    expect(error.kind).toBe('timeout')
    const gone = new Promise<Error>(resolve =>
      other.read({ bytes: view => expect.fail(text(view)), end() {}, error: resolve }),
    )
    late()
    await gone
  })
})
