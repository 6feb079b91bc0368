import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import { expect } from 'vitest'
import { TlsError } from '../../../src/tls13/alert.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import type { CryptoProvider } from '../../../src/tls13/crypto/provider.ts'
import type { TlsDuplex } from '../../../src/tls13/io/duplex.ts'
import { type ConnectOptions, connect, createServer, type ServerOptions } from '../../../src/tls13/io/net.ts'
import type { ResumptionTicket } from '../../../src/tls13/state.ts'
import { utf8 } from '../../../src/wire/index.ts'
import type { Identities } from './identities.ts'
import { KINDS, type Kind, type Row } from './matrix.ts'

/** What one connection at our server was like. */
export interface Seen {
  readonly connection: TlsDuplex
  /** 2 after a HelloRetryRequest. */
  hellos: number
  /** Of each KeyUpdate of the peer: whether it wanted one of ours. */
  readonly updates: boolean[]
  text: string
}

/** A server of ours that turns back every line, and answers GET with a page. */
export interface OurServer {
  readonly port: number
  /** Every connection whose handshake came to an end, in order. */
  readonly seen: readonly Seen[]
  /** Alerts of either side, and handshakes that came to nothing. */
  readonly failures: readonly Error[]
  close(): void
}

/** Exactly one suite and one group. */
export function exactly(row: Pick<Row, 'suite' | 'group'>, base: CryptoProvider = node): CryptoProvider {
  return {
    ...base,
    cipherSuites: base.cipherSuites.filter(({ name }) => name === row.suite),
    groups: [...base.groups, ...(base.costlyGroups ?? [])].filter(({ name }) => name === row.group),
  }
}

export interface OurServerOptions extends Partial<ServerOptions> {
  readonly kinds?: readonly Kind[]
  /** Send a KeyUpdate, and ask for one, before the first answer of each connection. */
  readonly update?: boolean
  /** What a GET is answered with. */
  readonly page?: (path: string) => { readonly type: string; readonly body: string }
}

export async function ourServer(identities: Identities, options: OurServerOptions): Promise<OurServer> {
  const { kinds = KINDS, update = false, page, provider = node, ...others } = options
  const seen: Seen[] = []
  const failures: Error[] = []
  let replies = 0
  const server: Server = createServer(
    {
      provider,
      certificates: identities.certificates(provider, kinds),
      // One conversation at a time: what is said between two connections belongs to the next one.
      shape: message => {
        if (message.type === 'server_hello' || message.type === 'hello_retry_request') replies++
        return message
      },
      ...others,
    },
    connection => {
      const one: Seen = { connection, hellos: replies, updates: [], text: '' }
      replies = 0
      seen.push(one)
      connection.on('keyUpdate', requested => one.updates.push(requested))
      connection.on('error', () => {})
      serveLines(one, update, page)
    },
  )
  server.on('tlsClientError', (error, connection: TlsDuplex) => {
    // Many close their sockets without close_notify when they have what they want.
    if (error instanceof TlsError || !connection.session.connected) failures.push(error)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, seen, failures, close: () => server.close() }
}

function serveLines(one: Seen, update: boolean, page: OurServerOptions['page']): void {
  const { connection } = one
  let pending = ''
  let updated = false
  connection.on('data', data => {
    one.text += data
    pending += data
    if (pending.startsWith('GET ')) {
      const end = pending.indexOf('\r\n\r\n')
      if (end < 0) return
      refresh()
      const path = pending.split(' ')[1]!
      pending = ''
      const { type, body } = page?.(path) ?? { type: 'text/plain', body: 'potato\n' }
      const last = path.includes('close')
      const length = `Content-Length: ${body.length}\r\n`
      const head = `Content-Type: ${type}\r\n${length}Access-Control-Allow-Origin: *\r\n`
      connection.write(
        `HTTP/1.1 200 OK\r\n${head}Connection: ${last ? 'close' : 'keep-alive'}\r\n\r\n${body}`,
      )
      if (last) connection.end()
      return
    }
    const end = pending.lastIndexOf('\n') + 1
    if (end === 0 || pending.length < 4) return
    refresh()
    connection.write(pending.slice(0, end))
    pending = pending.slice(end)
  })
  function refresh(): void {
    if (update && !updated) connection.updateKeys(true)
    updated = true
  }
}

/** The options of a server for a row: only that suite and that group, and what the path needs. */
export function serverFor(identities: Identities, row: Row, more: OurServerOptions = {}): Promise<OurServer> {
  return ourServer(identities, {
    provider: exactly(row),
    update: row.path === 'KeyUpdate',
    ...(row.path === 'early data' ? { earlyData: { maximum: 16_384 } } : {}),
    ...(row.path === 'client certificate' ? { clientCertificates: { ca: identities.ca } } : {}),
    ...more,
  })
}

/** Whether the last connection at our server was what the row says. */
export function checkServer(row: Row, server: OurServer): void {
  expect(server.failures).toEqual([])
  const last = server.seen.at(-1)
  if (last === undefined) throw new Error('no client came')
  expect(last.connection.cipher).toBe(row.suite)
  expect(last.connection.servername).toBe(`${row.certificate}.local`)
  const resumed = row.path === 'resumption' || row.path === 'early data'
  expect(last.connection.session.inspect().resumed).toBe(resumed)
  if (resumed) expect(server.seen[0]!.connection.session.inspect().resumed).toBe(false)
  if (row.path === 'HelloRetryRequest') expect(last.hellos).toBe(2)
  if (row.path === 'full handshake') expect(last.hellos).toBe(1)
  if (row.path === 'early data') expect(last.connection.earlyBytes).toBeGreaterThan(0)
  // It answers ours, and wants nothing itself.
  if (row.path === 'KeyUpdate') expect(last.updates).toEqual([false])
  const shown = last.connection.peerCertificate
  expect(shown && new X509Certificate(shown).subject).toBe(
    row.path === 'client certificate' ? 'CN=person' : undefined,
  )
}

/** How to talk to a server of a peer: what to say, and what it must answer. */
export interface Talk {
  readonly say: string
  readonly hear: RegExp | string
  /** Whether the server goes on after an answer. Default true. */
  readonly again?: boolean
  /** Waits until the server has got the early data, if it does not answer it; then more is said. */
  readonly gotEarly?: () => Promise<unknown>
}

/**
 * Goes through the row with a peer's server: our client offers only that suite and that group.
 * @throws whatever goes wrong; the connections are closed in any case
 */
export async function ourClientGoesThrough(
  identities: Identities,
  row: Row,
  where: Pick<ConnectOptions, 'port' | 'path'>,
  talk: Talk,
): Promise<void> {
  const open: TlsDuplex[] = []
  let hellos = 0
  const client = (options: ConnectOptions): TlsDuplex => {
    hellos = 0
    const one = connect({
      host: '127.0.0.1',
      ...where,
      ca: identities.ca,
      serverName: `${row.certificate}.local`,
      provider: exactly(row),
      shape: message => {
        if (message.type === 'client_hello') hellos++
        return message
      },
      ...options,
    })
    open.push(one)
    return one
  }
  try {
    let options: ConnectOptions = {}
    if (row.path === 'HelloRetryRequest') options = { keyShares: [] }
    if (row.path === 'client certificate') {
      options = { cert: identities.pem('person', 'crt'), key: identities.pem('person', 'key') }
    }
    const resumed = row.path === 'resumption' || row.path === 'early data'
    if (resumed) {
      const first = client(options)
      const ticket = once(first, 'session')
      await exchange(first, talk)
      const [resume] = (await ticket) as [ResumptionTicket]
      first.on('error', () => {})
      first.end()
      options = { ...options, resume, earlyData: row.path === 'early data' }
    }
    const connection = client(options)
    const updates: boolean[] = []
    connection.on('keyUpdate', requested => updates.push(requested))
    if (row.path === 'early data') {
      const verdict = once(connection, 'earlyData')
      const answer = talk.gotEarly === undefined ? hears(connection, talk.hear) : undefined
      answer?.catch(() => {}) // awaited below, if it gets there
      const early = answer === undefined ? `early ${talk.say}` : talk.say
      expect(connection.sendEarly(utf8(early))).toBe(early.length)
      expect((await verdict)[0]).toBe(true)
      await answer
      await talk.gotEarly?.()
      if (answer === undefined) await exchange(connection, talk)
    } else if (row.path === 'KeyUpdate') {
      await once(connection, 'secureConnect')
      if (talk.again !== false) await exchange(connection, talk)
      connection.updateKeys(true)
      await exchange(connection, talk)
      expect(updates).toEqual([false])
    } else {
      await exchange(connection, talk)
    }
    expect(connection.cipher).toBe(row.suite)
    expect(connection.session.inspect().resumed).toBe(resumed)
    expect(hellos).toBe(row.path === 'HelloRetryRequest' ? 2 : 1)
    // An orderly end, for servers that serve one client at a time.
    connection.on('error', () => {})
    const closed = once(connection, 'close')
    connection.resume().end()
    await Promise.race([closed, new Promise(resolve => setTimeout(resolve, 1000).unref())])
  } finally {
    for (const one of open) one.destroy()
  }
}

async function exchange(connection: TlsDuplex, talk: Talk): Promise<void> {
  const answer = hears(connection, talk.hear)
  connection.write(talk.say)
  await answer
}

/** Waits until what comes from now on matches. */
export function hears(connection: TlsDuplex, expected: RegExp | string): Promise<string> {
  let text = ''
  return new Promise((resolve, reject) => {
    const stop = (done: () => void): void => {
      clearTimeout(timer)
      connection.off('data', take).off('error', fail).off('close', gone)
      done()
    }
    const fail = (error: Error) => stop(() => reject(error))
    const gone = () => fail(new Error(`closed, having said ${JSON.stringify(text)}`))
    const take = (data: Uint8Array): void => {
      text += Buffer.from(data)
      const found = typeof expected === 'string' ? text.includes(expected) : expected.test(text)
      if (found) stop(() => resolve(text))
    }
    const timer = setTimeout(
      () => fail(new Error(`did not say ${expected}: ${JSON.stringify(text)}`)),
      60_000,
    )
    connection.on('data', take).once('error', fail).once('close', gone)
  })
}
