import { type AddressInfo, createServer, type Socket as Stream } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { ProgramSocket } from '../../../src/functions/programs/web-socket.ts'
import { acceptOf, Opcode, readFrame, writeFrame } from '../../../src/http/websocket/index.ts'
import { SYSTEM_CLOCK } from '../../../src/time/system-clock.ts'
import { utf8 } from '../../../src/wire/index.ts'
import { eventually } from '../../support/platform.ts'

const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

interface Scene {
  /** What the client is told: messages, and how it ended. */
  readonly told: unknown[]
  readonly socket: ProgramSocket
  /** The program's end. */
  readonly stream: () => Promise<Stream>
  /** What the program hears, but for the handshake. */
  readonly heard: Buffer[]
  readonly head: () => string
}

/** A program that answers the handshake with these lines. @param answer of the key that it was sent */
async function scene(
  answer: (key: string) => string,
  send?: (data: unknown) => Promise<void> | undefined,
): Promise<Scene> {
  const told: unknown[] = []
  const heard: Buffer[] = []
  let head = ''
  let stream: Stream | undefined
  const server = createServer(one => {
    open.push(() => one.destroy())
    one.on('error', () => {})
    one.on('data', bytes => {
      if (stream !== undefined) {
        heard.push(bytes)
        return
      }
      head += bytes.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      one.write(answer(/sec-websocket-key: (\S+)/i.exec(head)![1]!))
      stream = one
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  open.push(() => server.close())
  const { port } = server.address() as AddressInfo
  const client = {
    protocol: 'chat',
    send: (data: unknown) => {
      told.push(data)
      return send?.(data)
    },
    close: (code = 1000, reason = '') => void told.push([code, reason]),
  }
  const ignore = (): void => {}
  const context = {
    request: {
      headers: [
        ['Host', 'app.local'],
        ['Sec-WebSocket-Extensions', 'x'],
        ['Cookie', 'a=b'],
      ],
      host: 'app.local',
      query: 'c=d',
    },
    functionPath: '/room',
    connection: { tls: true },
    callId: 'c1',
    log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
  }
  const goodbyes = new Set<Promise<void>>()
  const options = { ready: () => ({ host: '127.0.0.1', port }), clock: SYSTEM_CLOCK, goodbyes }
  const admission = await ProgramSocket.open(context as never, ['chat', 'other'], options)
  if ('refused' in admission) {
    const { status, body = '' } = admission.refused
    throw new Error(`${status} ${typeof body === 'string' ? body : new TextDecoder().decode(body)}`)
  }
  const socket = admission.state as ProgramSocket
  socket.join(client)
  return {
    told,
    heard,
    socket,
    stream: () => eventually(() => stream, 'the program was not asked'),
    head: () => head,
  }
}

const granted = (key: string, more = ''): string =>
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  `Sec-WebSocket-Accept: ${acceptOf(key)}\r\n${more}\r\n`

const until = (there: () => boolean): Promise<true> =>
  eventually(() => there() || undefined, 'it does not come')

it('passes messages on, masked for the program', async () => {
  const { told, heard, head, socket, stream } = await scene(key => granted(key))
  void socket.message('said')
  const program = await stream()
  program.write(writeFrame(Opcode.TEXT, utf8('hello')))
  await until(() => told.length > 0 && heard.length > 0)
  expect(told).toEqual(['hello'])
  expect(new TextDecoder().decode(readFrame(Buffer.concat(heard), true, 100)!.payload)).toBe('said')
  expect(head()).toMatch(/^GET \/room\?c=d HTTP\/1\.1\r\n/)
  expect(head()).toMatch(/Sec-WebSocket-Protocol: chat, other\r\n/)
  expect(head()).toMatch(/Cookie: a=b\r\n/)
  expect(head()).not.toMatch(/extensions/i)
})

it.each<readonly [string, (key: string) => string, RegExp]>([
  ['refuses', () => 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno', /^403 no$/],
  ['does not know the key', () => granted('other'), /^502 .*program-failed/],
  ['wants an extension', key => granted(key, 'Sec-WebSocket-Extensions: permessage-deflate\r\n'), /^502 /],
  ['speaks another subprotocol', key => granted(key, 'Sec-WebSocket-Protocol: evil\r\n'), /^502 /],
  ['says rubbish', () => 'rubbish\r\n\r\n', /^502 /],
  ['has a status that is none', () => 'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n', /^502 /],
  ['refuses with too many words', () => `HTTP/1.1 403 No\r\n\r\n${'x'.repeat(100_000)}`, /^502 /],
])('is not granted if a program %s', async (_, answer, message) => {
  await expect(scene(answer)).rejects.toThrow(message)
})

it.each([
  [
    'a frame of close',
    (program: Stream) => program.write(writeFrame(Opcode.CLOSE, Buffer.from([0x0f, 0xa1, 0x68]))),
    4001,
  ],
  [
    'a code that is not for servers',
    (program: Stream) => program.write(writeFrame(Opcode.CLOSE, Buffer.from([3, 0xf2]))),
    1010,
  ],
  ['the end of the connection', (program: Stream) => program.end(), 1011],
  ['a reset', (program: Stream) => program.resetAndDestroy(), 1011],
  [
    'more than a message may have',
    (program: Stream) => program.write(Buffer.from([0x82, 127, 0, 0, 0, 0, 1, 0, 0, 1])),
    1009,
  ],
] as const)('is over with %s', async (_, end, code) => {
  const { told, stream } = await scene(key => granted(key))
  end(await stream())
  await until(() => told.length > 0)
  expect(told).toEqual([[code, expect.any(String)]])
})

it('holds the program back while the client takes its time', async () => {
  let release = (): void => {}
  const { told, stream } = await scene(
    key => granted(key),
    () =>
      new Promise<void>(resolve => {
        release = resolve
      }),
  )
  const program = await stream()
  let taken = 0
  const frame = writeFrame(Opcode.BINARY, new Uint8Array(65_536))
  const more = (): void => {
    while (taken < 1000 && program.write(frame)) taken++
  }
  program.on('drain', more)
  more()
  await until(() => told.length === 1)
  await new Promise(resolve => setTimeout(resolve, 100))
  expect(told).toHaveLength(1)
  expect(taken).toBeLessThan(1000)
  release()
  await until(() => told.length === 2)
})

it('tells the program how the client has left', async () => {
  const { heard, socket, stream } = await scene(key => granted(key))
  await stream()
  await until(() => {
    socket.closed(1006, '')
    return heard.length > 0
  })
  expect([...readFrame(Buffer.concat(heard), true, 100)!.payload]).toEqual([3, 0xe9])
})
