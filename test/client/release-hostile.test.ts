import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterAll, describe, expect, it } from 'vitest'
import { Client, type ClientError, type Released } from '../../src/client/index.ts'
import type { TlsDuplex } from '../../src/tls13/io/duplex.ts'
import { createServer as createTls } from '../../src/tls13/io/net.ts'
import type { Connector } from '../../src/transport/connector.ts'
import { network } from '../../src/transport/network.ts'
import { concat, utf8 } from '../../src/wire/index.ts'
import {
  data,
  FrameType,
  frame,
  headers,
  SETTINGS,
  SETTINGS_ACK,
  setting,
  split,
  uint32,
} from '../support/h2-frames.ts'
import { LONG } from '../support/long.ts'
import { Certificates } from '../support/tls-programs.ts'

/** A server does its worst while the connection to it is on its way to another client. */
const files = await Certificates.make()
const pem = (name: string): string => readFileSync(files.file(name), 'utf8')
const identity = { cert: pem('localhost.crt'), key: pem('localhost.key') }
const closing: (() => unknown)[] = [() => files.remove()]
afterAll(() => {
  for (const close of closing) close()
})

const turn = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 2))
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn()
}

type Protocol = 'http/1.1' | 'h2'
const PREFACE = 24

/** One connection, as the server has it: all that it says is the test's to say. */
class Side {
  readonly stream: Duplex
  readonly socket: Socket
  readonly #protocol: Protocol
  #heard = Buffer.alloc(0)
  #greeted = false
  /** Requests whose heads have come: the number of each, or its stream. */
  readonly requests: number[] = []

  constructor(stream: Duplex, socket: Socket, protocol: Protocol, onRequest: (side: Side) => void) {
    this.stream = stream
    this.socket = socket
    this.#protocol = protocol
    stream.on('error', () => {})
    stream.on('data', (bytes: Uint8Array) => {
      this.#heard = Buffer.concat([this.#heard, bytes])
      for (let id = this.#next(); id !== undefined; id = this.#next()) {
        if (id === 0) continue
        this.requests.push(id)
        onRequest(this)
      }
    })
    if (protocol === 'h2') this.say(concat(SETTINGS, SETTINGS_ACK))
  }

  say(bytes: Uint8Array | string): void {
    if (!this.stream.destroyed) this.stream.write(typeof bytes === 'string' ? utf8(bytes) : bytes)
  }

  /** A request, by its number or its stream; 0: something else; undefined: not whole yet. */
  #next(): number | undefined {
    if (this.#protocol === 'http/1.1') {
      const at = this.#heard.indexOf('\r\n\r\n')
      if (at < 0) {
        // Content is not looked at.
        this.#heard = this.#heard.subarray(-1000)
        return undefined
      }
      this.#heard = this.#heard.subarray(at + 4)
      return this.requests.length + 1
    }
    if (!this.#greeted) {
      if (this.#heard.length < PREFACE) return undefined
      this.#greeted = true
      this.#heard = this.#heard.subarray(PREFACE)
    }
    if (this.#heard.length < 9) return undefined
    const length = 9 + this.#heard.readUIntBE(0, 3)
    if (this.#heard.length < length) return undefined
    const [one] = split(new Uint8Array(this.#heard.subarray(0, length)))
    this.#heard = this.#heard.subarray(length)
    return one!.type === FrameType.HEADERS ? one!.streamId : 0
  }
}

interface Scene {
  readonly url: string
  readonly sides: Side[]
  /** Connections that are open. */
  readonly open: () => number
  readonly connector: Connector
}

const ok = (id: number): Uint8Array => headers(id, [[':status', '200']], false)
const begun = (protocol: Protocol, id: number): Uint8Array =>
  protocol === 'h2'
    ? concat(ok(id), data(id, 'hello'))
    : utf8('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
const rest = (protocol: Protocol, id = 1): Uint8Array =>
  protocol === 'h2' ? data(id, 'world', true) : utf8('5\r\nworld\r\n0\r\n\r\n')

/** A server that begins its first answer, and leaves the rest to the test; all others are whole. */
async function scene(protocol: Protocol, secure: boolean): Promise<Scene> {
  const sides: Side[] = []
  const sockets = new Set<Socket>()
  const take = (stream: Duplex, socket: Socket): void => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)))
    const onRequest = (side: Side): void => {
      const id = side.requests.at(-1)!
      const first = side === sides[0] && side.requests.length === 1
      side.say(first ? begun(protocol, id) : concat(begun(protocol, id), rest(protocol, id)))
    }
    sides.push(new Side(stream, socket, protocol, onRequest))
  }
  const server: Server = secure
    ? createTls({ ...identity, alpn: [protocol] }, stream => take(stream, stream.stream as Socket))
    : createTcp({ noDelay: true }, socket => take(socket, socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const net = network({ tls: { ca: pem('ca.crt') } })
  return {
    url: `${secure ? 'https' : 'http'}://localhost:${port}`,
    sides,
    open: () => sockets.size,
    connector: {
      connect: async (target, options) => {
        const connected = await net.connect(target, options)
        return secure ? connected : { ...connected, alpn: protocol }
      },
    },
  }
}

const goaway = (last: number): Uint8Array => frame(FrameType.GOAWAY, 0, 0, concat(uint32(last), uint32(0)))
const many = (count: number, one: Uint8Array): Uint8Array =>
  concat(...Array.from({ length: count }, () => one))
const WHOLE = /^helloworld$/
/** A way of TLS to say that it is over. */
const BROKEN = /^protocol: /

interface Act {
  readonly of?: Protocol
  readonly secure?: boolean
  readonly does: (side: Side, protocol: Protocol) => void
  readonly outcome: RegExp
}

const ACTS: Readonly<Record<string, Act>> = {
  'what is right': { does: (side, protocol) => side.say(rest(protocol)), outcome: WHOLE },
  'what is right, and the end': {
    does: (side, protocol) => {
      side.say(rest(protocol))
      side.stream.end()
    },
    outcome: WHOLE,
  },
  'the end': { does: side => side.stream.end(), outcome: BROKEN },
  'a reset': { does: side => side.socket.resetAndDestroy(), outcome: BROKEN },
  garbage: { does: side => side.say('HTTP/9.9 no\r\n\r\n no chunk, and no frame'), outcome: BROKEN },
  'an answer to no request': {
    of: 'http/1.1',
    does: side => side.say(concat(rest('http/1.1'), utf8('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx'))),
    outcome: WHOLE,
  },
  'GOAWAY, and what is right': {
    of: 'h2',
    does: side => side.say(concat(goaway(1), rest('h2'))),
    outcome: WHOLE,
  },
  'GOAWAY that leaves the request out': { of: 'h2', does: side => side.say(goaway(0)), outcome: BROKEN },
  RST_STREAM: {
    of: 'h2',
    does: side => side.say(frame(FrameType.RST_STREAM, 0, 1, uint32(2))),
    outcome: BROKEN,
  },
  'pings without an end': {
    of: 'h2',
    does: side => side.say(many(3000, frame(FrameType.PING, 0, 0, new Uint8Array(8)))),
    outcome: BROKEN,
  },
  'other settings': {
    of: 'h2',
    does: side => {
      side.say(frame(FrameType.SETTINGS, 0, 0, concat(setting(1, 0), setting(3, 1), setting(4, 1))))
      side.say(rest('h2'))
    },
    outcome: WHOLE,
  },
  'KeyUpdates, and what is right': {
    secure: true,
    does: (side, protocol) => {
      for (let i = 0; i < 3; i++) (side.stream as TlsDuplex).updateKeys(true)
      side.say(rest(protocol))
      ;(side.stream as TlsDuplex).updateKeys(true)
    },
    outcome: WHOLE,
  },
  'a record that is none': {
    secure: true,
    does: side => void side.socket.write(Uint8Array.of(23, 3, 3, 0, 20, ...new Uint8Array(20))),
    outcome: BROKEN,
  },
}

/** When the server does it. */
const MOMENTS = ['as it leaves', 'just before it leaves', 'while it travels', 'when it is there'] as const

async function text(response: Promise<Response>): Promise<string> {
  const late = new Promise<string>(resolve => setTimeout(() => resolve('never'), 180_000).unref())
  const read = response
    .then(one => one.text())
    .catch((error: ClientError) => `${error.kind}: ${error.message}`)
  return Promise.race([read, late])
}

const CASES = (['http/1.1', 'h2'] as const).flatMap(protocol =>
  [false, true].flatMap(secure =>
    Object.entries(ACTS)
      .filter(([, act]) => (act.of ?? protocol) === protocol && (act.secure ?? secure) === secure)
      .map(
        ([name, act]) => [`${protocol}${secure ? ' over TLS' : ''}`, name, protocol, secure, act] as const,
      ),
  ),
)

describe.each(CASES)('%s: a server that says %s', (_, act, protocol, secure, { does, outcome }) => {
  // In a short run, two of them by turns.
  const begins = (Object.keys(ACTS).indexOf(act) + (secure ? 1 : 0)) % 2
  it.each(MOMENTS.filter((_, at) => LONG || at % 2 === begins))('%s', async moment => {
    const { url, sides, open, connector } = await scene(protocol, secure)
    const first = new Client({ connector, decode: false })
    const here = first.fetch(url, { label: 'mine' })
    await here
    if (moment === 'just before it leaves') {
      does(sides[0]!, protocol)
      for (let i = 0; i < 5; i++) await turn()
    }
    if (moment === 'as it leaves') does(sides[0]!, protocol)
    const released = await first.release()
    if (moment === 'while it travels') {
      does(sides[0]!, protocol)
      await turn()
    }
    const limits = { connectionsPerOrigin: 1 }
    const { client, responses } = Client.restore(released, { connector, decode: false, limits })
    if (moment === 'when it is there') does(sides[0]!, protocol)
    // What came before it left may have been all: then it is here.
    expect(await text(responses[0]?.response ?? here)).toMatch(outcome)
    // Whatever became of it, it stands in no way.
    expect(await text(client.fetch(url))).toMatch(WHOLE)
    client.destroy()
    first.destroy()
    await until(() => open() === 0)
  })
})

describe('a connection that its server leaves by GOAWAY', () => {
  it('does not take the place of the next one where it goes, and ends with its last answer', async () => {
    const { url, sides, open, connector } = await scene('h2', true)
    const first = new Client({ connector, decode: false })
    await first.fetch(url, { label: 'mine' })
    sides[0]!.say(goaway(1))
    for (let i = 0; i < 5; i++) await turn()
    const limits = { connectionsPerOrigin: 1 }
    const heir = Client.restore(await first.release(), { connector, decode: false, limits })
    expect(await text(heir.client.fetch(url))).toMatch(WHOLE)
    expect([sides.length, open()]).toEqual([2, 2])
    sides[0]!.say(rest('h2'))
    expect(await text(heir.responses[0]!.response)).toMatch(WHOLE)
    await until(() => open() === 1)
    await heir.client.close()
    await until(() => open() === 0)
  })
})

const SIZE = 140_000
describe('what had come and was not read ends a connection that it breaks', () => {
  it.each([false, true])('over TLS: %s', async secure => {
    const { url, sides, open, connector } = await scene('http/1.1', secure)
    const client = new Client({ connector, decode: false })
    const response = client.fetch(url, { label: 'mine' })
    await response
    // More than is read ahead: what follows stays in the socket.
    sides[0]!.say(`${SIZE.toString(16)}\r\n${'x'.repeat(SIZE)}\r\nno chunk at all\r\n`)
    for (let i = 0; i < 20; i++) await turn()
    const refused: string[] = []
    const released = await client.release((_, why) => refused.push(why))
    expect([released.length, refused]).toEqual([0, ['the connection ended as it was to leave']])
    expect(await text(response)).toMatch(BROKEN)
    await until(() => open() === 0)
  })
})

/** A server that takes nothing after the head of a request, until it is told to. */
async function deaf(protocol: Protocol): Promise<Scene & { readonly listen: () => void }> {
  const made = await scene(protocol, false)
  const wide = concat(
    frame(FrameType.SETTINGS, 0, 0, setting(4, 0x7fffffff)),
    frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(0x7fff0000 - 65_535)),
  )
  const { connector } = made
  return {
    ...made,
    connector: {
      connect: async (target, options) => {
        const connected = await connector.connect(target, options)
        await until(() => made.sides.length === 1)
        if (protocol === 'h2') made.sides[0]!.say(wide)
        made.sides[0]!.stream.pause()
        return connected
      },
    },
    listen: () => void made.sides[0]!.stream.resume(),
  }
}

describe.each(['http/1.1', 'h2'] as const)('over %s, a server that takes nothing', protocol => {
  it('does not hold the others: its connection stays, and goes on', async () => {
    const { url, sides, connector, listen, open } = await deaf(protocol)
    const client = new Client({ connector, decode: false })
    const body = new Uint8Array(16_000_000).fill(97)
    const sent = client.fetch(url, { method: 'POST', body })
    for (let i = 0; i < 50; i++) await turn()
    const refused: string[] = []
    const released: readonly Released[] = await client.release((_, why) => refused.push(why))
    const why = 'its server did not take what was written within 1000 ms'
    expect([released.length, refused]).toEqual([0, [why]])
    listen()
    await until(() => sides[0]!.requests.length === 1)
    sides[0]!.say(rest(protocol))
    expect(await text(sent)).toMatch(WHOLE)
    await until(() => open() === 0)
  })
})
