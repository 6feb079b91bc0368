import { type Field, header } from '../http/message.ts'
import { LONGEST } from '../transport/checks.ts'
import { ConnectError, type Connected, type Connector, shown, type Target } from '../transport/connector.ts'
import { targetOf } from '../transport/context.ts'
import type { Kind } from '../transport/kinds/kind.ts'
import { network } from '../transport/network.ts'
import type { Transport } from '../transport/transport.ts'
import { NotGranted, upgraded } from '../transport/upgrade.ts'
import { utf8 } from '../wire/index.ts'
import type { ProxyOptions } from './options.ts'

/** A proxy of HTTP: for `http` it is asked for whole URLs, and for `https` for a tunnel (RFC 9110 §9.3.6). */
export class HttpProxy {
  readonly #target: Target
  readonly #connector: Connector
  /** What it is shown with each request that it reads. */
  readonly fields: readonly Field[]

  /** @throws TypeError for a URL that is neither http nor https, or has credentials that are not UTF-8 */
  constructor(options: ProxyOptions) {
    // What was given is not shown: there may be a password in it.
    if (!URL.canParse(options.url))
      throw new TypeError('proxy.url is no URL: it is written as http://proxy.example:3128')
    const url = new URL(options.url)
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw new TypeError(`proxy.url: ${url.protocol} is not spoken here: http: and https: are`)
    this.#target = targetOf(url)
    this.#connector = network(options.tls === undefined ? {} : { tls: options.tls })
    const { username, password } = url
    if (username === '' && password === '') this.fields = []
    else {
      const credentials = `${unescaped(username)}:${unescaped(password)}`
      this.fields = [['proxy-authorization', `Basic ${base64(utf8(credentials))}`]]
    }
  }

  /** The way to the proxy itself, which is asked for whole URLs. */
  readonly plain: Kind = {
    name: 'proxy',
    connect: (_, options) => this.#reach(options),
  }

  /** The way through it. */
  readonly tunnel: Kind = {
    name: 'tunnel',
    connect: async (target, options) => {
      const { transport: below } = await this.#reach(options)
      // Its socket is the proxy's: its address says nothing of the server, and it does not leave.
      const transport = await this.#through(below, target, options.signal)
      return { transport, alpn: undefined, secure: false }
    },
  }

  #reach(options: Parameters<Kind['connect']>[1]): Promise<Connected> {
    // Its time is that of the attempt which it is a part of.
    const { signal } = options
    return this.#connector.connect(this.#target, { signal, timeoutMs: LONGEST, alpn: ['http/1.1'] })
  }

  /** Asks for a tunnel. @throws ConnectError if it refuses */
  async #through(below: Transport, target: Target, signal: AbortSignal | undefined): Promise<Transport> {
    const authority = target.host.includes(':') ? `[${target.host}]` : target.host
    const host = `${authority}:${target.port}`
    const fail = (why: string, cause?: unknown): never => {
      const what = `no tunnel to ${host} through the proxy ${shown(this.#target)}: ${why}`
      throw new ConnectError('connect', what, cause)
    }
    try {
      const wish = { method: 'CONNECT', target: host, headers: [['Host', host] as const, ...this.fields] }
      return (await upgraded(below, wish, signal)).transport
    } catch (error) {
      if (signal?.aborted) return fail('given up', signal.reason)
      if (!(error instanceof NotGranted)) throw error
      const asks = header(error.fields, 'proxy-authenticate')
      return fail(asks === undefined ? error.message : `${error.message} (${asks})`, error.cause)
    }
  }
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new TypeError('proxy.url: % in name or password begins no escape of UTF-8: write %25')
  }
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}
