import { isToken } from '../../http/h1/syntax.ts'
import { type Field, header } from '../../http/message.ts'
import { askedProtocols, askingFields, handshakeKey, isAccepted } from '../../http/websocket/index.ts'
import type { Clock } from '../../time/clock.ts'
import { onAbort, orTooLate } from '../../transport/attempt.ts'
import { checkCount } from '../../transport/checks.ts'
import type { Transport } from '../../transport/transport.ts'
import { type Granted, NotGranted, upgraded } from '../../transport/upgrade.ts'
import { stringOf } from '../../wire/thrown.ts'
import { ClientError, timedOut } from '../error.ts'
import type { Protocol } from '../exchange.ts'
import type { H2Connection } from '../h2-connection.ts'
import type { Opener } from '../opener.ts'
import type { Timeouts } from '../options.ts'
import { pathOf } from '../outgoing.ts'
import type { Pools } from '../pools.ts'
import { outgoingOf, parsedUrl, type RequestOptions } from '../request.ts'
import { type WebSocketAbout, WebSocketConnection } from './web-socket.ts'

export interface UpgradeOptions extends Pick<RequestOptions, 'headers' | 'signal'> {
  /**
   * What it goes over. Default: a stream of a connection over HTTP/2, where one is there whose server takes
   * that; otherwise a connection over HTTP/1.1 of its own. `h2`: one is opened where none is there.
   */
  readonly version?: Protocol
}

export interface WebSocketOptions extends UpgradeOptions {
  /** Subprotocols, in the order of preference. */
  readonly protocols?: readonly string[]
  /** Most bytes of a message; default: 1 MiB. */
  readonly messageBytes?: number
}

/** Another protocol, which a server has granted. */
export interface Upgraded {
  /** Its bytes, both ways; either side may end alone. It is the caller's. */
  readonly transport: Transport
  readonly fields: readonly Field[]
  readonly version: Protocol
}

/** What {@link Upgrades} needs of its client. */
export interface UpgradesSettings {
  readonly pools: Pools
  readonly opener: Opener
  readonly clock: Clock
  readonly timeouts: Timeouts
  readonly defaults: readonly Field[]
}

/** Other protocols than HTTP, which a client asks servers of HTTP for. */
export class Upgrades {
  readonly #settings: UpgradesSettings
  readonly #sockets = new Set<WebSocketConnection>()
  /** Gives up what has not been granted. */
  readonly #over = new AbortController()

  constructor(settings: UpgradesSettings) {
    this.#settings = settings
  }

  /** See `Client.upgrade`. */
  async ask(url: string | URL, protocol: string, options: UpgradeOptions = {}): Promise<Upgraded> {
    // As in Upgrade (RFC 9110 §7.8): a name, and perhaps a version.
    if (typeof protocol !== 'string' || !protocol.split('/', 2).every(isToken))
      throw new TypeError(`no name of a protocol: ${stringOf(protocol)}`)
    return this.#ask(this.#judge(url, options), protocol, [], options)
  }

  /** See `Client.webSocket`. */
  async webSocket(url: string | URL, options: WebSocketOptions = {}): Promise<WebSocketConnection> {
    const { protocols = [], messageBytes } = options
    if (!Array.isArray(protocols)) throw new TypeError(`protocols: a list, not ${typeof protocols}`)
    if (messageBytes !== undefined) checkCount('messageBytes', messageBytes, 1)
    if (!protocols.every(isToken) || new Set(protocols).size < protocols.length)
      throw new TypeError(`subprotocols that are no tokens, or one twice: ${protocols.join(', ')}`)
    const asked = this.#judge(url, options)
    const key = handshakeKey()
    const own: Field[] = askingFields(key).filter(([name]) => name.startsWith('Sec-'))
    if (protocols.length > 0) own.push(['Sec-WebSocket-Protocol', protocols.join(', ')])
    const { transport, fields, version } = await this.#ask(asked, 'websocket', own, options)
    const refuse = (why: string): never => {
      transport.destroy()
      throw new ClientError('protocol', `no WebSocket at ${asked.url.href}: ${why}`)
    }
    // The client may have been closed since it was granted.
    if (this.#over.signal.aborted) {
      transport.destroy()
      throw this.#over.signal.reason
    }
    if (version === 'http/1.1' && !isAccepted(fields, key)) refuse('the server has not read the key')
    // RFC 6455 §4.1: of those that were asked for, and no extension, because none was.
    const chosen = askedProtocols(fields)
    if (chosen.length > 1 || chosen.some(one => !protocols.includes(one)))
      refuse(`the server chose ${chosen.join(', ')}`)
    if (header(fields, 'sec-websocket-extensions') !== undefined)
      refuse('an extension that was not asked for')
    const about: WebSocketAbout = { url: asked.url.href, protocol: chosen[0] ?? '', version, messageBytes }
    const socket = new WebSocketConnection(transport, about, this.#settings.clock)
    this.#sockets.add(socket)
    void socket.closed.then(() => this.#sockets.delete(socket))
    return socket
  }

  /**
   * Says goodbye on all WebSockets. @param error what those hear that are not open yet
   * @returns when they are over
   */
  async leave(error: ClientError): Promise<void> {
    this.#over.abort(error)
    const all = [...this.#sockets]
    for (const socket of all) socket.leave(1001)
    await Promise.all(all.map(({ closed }) => closed))
  }

  destroy(error: ClientError): void {
    this.#over.abort(error)
    for (const socket of [...this.#sockets]) socket.destroy(error)
  }

  #judge(
    url: string | URL,
    { headers }: UpgradeOptions,
  ): { readonly url: URL; readonly fields: readonly Field[] } {
    const given = parsedUrl(url)
    if (given.protocol === 'ws:') given.protocol = 'http:'
    else if (given.protocol === 'wss:') given.protocol = 'https:'
    return outgoingOf(given, { headers }, this.#settings.defaults)
  }

  async #ask(
    { url, fields }: { readonly url: URL; readonly fields: readonly Field[] },
    protocol: string,
    own: readonly Field[],
    { signal, version }: UpgradeOptions,
  ): Promise<Upgraded> {
    const { clock, timeouts } = this.#settings
    signal?.throwIfAborted()
    const control = new AbortController()
    const giveUp = (reason: unknown): void => control.abort(reason)
    const releases = [onAbort(signal ?? undefined, giveUp), onAbort(this.#over.signal, giveUp)]
    const names = new Set(own.map(([name]) => name.toLowerCase()))
    const headers = [...fields.filter(([name]) => !names.has(name.toLowerCase())), ...own]
    const late = clock.timer(() => control.abort(timedOut('headers', timeouts.headers, 'no answer')))
    /** The connection has times of its own. */
    const waiting = (): void => void (timeouts.headers > 0 && late.after(timeouts.headers))
    try {
      const shared =
        version === 'http/1.1' ? undefined : await this.#shared(url, version, control.signal, waiting)
      if (shared === undefined) return await this.#alone(url, protocol, headers, control.signal, waiting)
      waiting()
      const asked = { method: 'CONNECT', scheme: url.protocol.slice(0, -1), authority: url.host }
      const tunnel = shared.tunnel({ ...asked, path: pathOf(url), protocol, headers: wired(headers) })
      const stop = onAbort(control.signal, reason => tunnel.giveUp(reason as Error))
      const { fields: said } = await tunnel.granted.finally(stop)
      return { transport: tunnel, fields: said, version: 'h2' }
    } catch (error) {
      if (control.signal.aborted) throw control.signal.reason
      if (!(error instanceof NotGranted)) throw error
      throw new ClientError('protocol', `no ${protocol} at ${url.href}: ${error.message}`, { cause: error })
    } finally {
      late.stop()
      for (const release of releases) release()
    }
  }

  /**
   * A connection over HTTP/2 whose server takes it; undefined: it goes over HTTP/1.1.
   * @throws ClientError if that must not be
   */
  async #shared(
    url: URL,
    version: Protocol | undefined,
    signal: AbortSignal,
    connected: () => void,
  ): Promise<H2Connection | undefined> {
    const pool = this.#settings.pools.get(url)
    if (version === undefined) return pool.http2?.takesTunnels === true ? pool.http2 : undefined
    const connection = pool.http2 ?? (await pool.openHttp2(signal))
    connected()
    // Only its SETTINGS say what it takes.
    if (connection !== undefined) await orTooLate(connection.greeting, signal, () => {})
    if (connection?.greeted === false)
      throw new ClientError('protocol', `the connection to ${url.origin} ended before its SETTINGS`)
    if (connection?.takesTunnels !== true)
      throw new ClientError('protocol', `${url.origin} does not take this over HTTP/2`)
    return connection
  }

  async #alone(
    url: URL,
    protocol: string,
    fields: readonly Field[],
    signal: AbortSignal,
    connected: () => void,
  ): Promise<Upgraded> {
    const transport = await this.#settings.opener.alone(url, signal)
    connected()
    const host: Field = ['Host', url.host]
    const headers = [host, ['Connection', 'Upgrade'] as const, ['Upgrade', protocol] as const, ...fields]
    let granted: Granted
    try {
      granted = await upgraded(transport, { method: 'GET', target: pathOf(url), headers }, signal)
    } catch (error) {
      transport.destroy()
      throw error
    }
    const chosen = header(granted.fields, 'upgrade') ?? ''
    if (chosen.toLowerCase() !== protocol.toLowerCase()) {
      granted.transport.destroy()
      throw new NotGranted(`the server chose ${chosen}`, granted.status, granted.fields)
    }
    return { transport: granted.transport, fields: granted.fields, version: 'http/1.1' }
  }
}

/** RFC 8441 §5: what proves the handshake over HTTP/1.1 has no place over HTTP/2. */
function wired(fields: readonly Field[]): readonly Field[] {
  return fields.filter(([name]) => name !== 'Sec-WebSocket-Key')
}
