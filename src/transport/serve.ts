import { Duplex } from 'node:stream'
import type { HttpHandlers } from '../http/serving.ts'
import type { Clock } from '../time/clock.ts'
import { SYSTEM_CLOCK } from '../time/system-clock.ts'
import { checkDriving } from './checks.ts'
import { type DriveOptions, drive, type Served } from './driver.ts'
import { overDuplex, type Transport } from './transport.ts'

export interface ServeConnectionOptions extends Omit<DriveOptions, 'clock'> {
  /** What ALPN chose; default: what the stream's `alpnProtocol` says. */
  readonly alpn?: string
  /** Whether the bytes are protected; default: what the stream's `encrypted` says. */
  readonly encrypted?: boolean
  /** What timers go by; default: the machine's clock. */
  readonly clock?: Clock
}

/**
 * Serves HTTP on a stream: ours (`TlsDuplex`), Node's (`tls.TLSSocket`, `net.Socket`) or any other, or a
 * transport. The stream is owned from here on. A TLS stream has done its handshake, because before it ALPN
 * has chosen nothing.
 * @throws TypeError if ALPN chose something that is not HTTP, and for options that make no sense
 */
export function serveConnection(
  stream: Duplex | Transport,
  handlers: HttpHandlers,
  options: ServeConnectionOptions = {},
): Served {
  checkDriving(options)
  const said = stream as Partial<TlsLike>
  const { alpn = said.alpnProtocol, encrypted = said.encrypted === true, clock = SYSTEM_CLOCK } = options
  const transport = stream instanceof Duplex ? overDuplex(stream) : stream
  const carried = { alpn, secure: encrypted, earlyBytes: () => said.earlyBytes ?? 0 }
  return drive(transport, handlers, carried, { ...options, clock })
}

/**
 * What TLS streams say of themselves: `tls.TLSSocket` and `TlsDuplex` alike, the latter alone knows early
 * data.
 */
interface TlsLike {
  readonly alpnProtocol: string | undefined | null | false
  readonly encrypted: boolean
  readonly earlyBytes: number
}
