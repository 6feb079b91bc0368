import { closeSync, constants, openSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { basename, dirname } from 'node:path'
import type { H1Limits } from '../http/h1/limits.ts'
import type { RequestHead } from '../http/message.ts'
import { HTTP01_PATH } from '../platform/acme-settings.ts'
import type { Clock } from '../time/clock.ts'
import type { ByteStream } from '../transfer/byte-stream.ts'
import { NO_PROOFS, type Proofs } from '../transfer/control.ts'
import { Guard } from '../transport/guard.ts'
import { utf8 } from '../wire/index.ts'
import { HostRecogniser, http2Reply } from './host-recogniser.ts'
import { answer, httpReply, type Opening } from './listener.ts'

/** What ALPN calls a handshake that only shows a proof (RFC 8737 §6.2). */
const ACME_TLS = 'acme-tls/1'
/** Handshakes for proofs that are underway at once; milliseconds and bytes, each way, that one may take. */
const MOST_UNDERWAY = 16
const PATIENCE = 10_000
const MOST_BYTES = 65_536
/** Bytes of the longest path of a Unix socket (unix(7)). */
const LONGEST_PATH = 107

/** Where a connection belongs that has come for a proof: no function is called so. */
export const PROOF = '.proof'

export interface ProofsOptions {
  readonly clock: Clock
  /** As first requests are read. */
  readonly http1: H1Limits
  /** Something was thrown over a connection, which has been closed: a fault of ours. */
  readonly onFault: (error: unknown) => void
}

/**
 * What authorities of the web look for here. A page is answered at once. A handshake goes on byte by byte to
 * the process that has the certificate for it: the gateway has no key, and reads nothing of it.
 */
export class GatewayProofs {
  readonly #options: ProofsOptions
  #proofs: Proofs = NO_PROOFS
  readonly #underway = new Set<Socket>()
  /** Pages and handshakes that authorities have been given. */
  shown = 0

  constructor(options: ProofsOptions) {
    this.#options = options
  }

  /** From now on it is these. */
  change(proofs: Proofs): void {
    this.#proofs = proofs
  }

  /** Whether that is a request for a proof which is there; any other one is for a function. */
  wantsPage(head: RequestHead): boolean {
    return this.#pageOf(head) !== undefined
  }

  /** Whether a ClientHello is for a proof: RFC 8737 §3 has it name that protocol and no other. */
  wantsHandshake(alpn: readonly string[]): boolean {
    return alpn.length === 1 && alpn[0] === ACME_TLS && this.#proofs.responder !== ''
  }

  /** @param tls whether it is a handshake */
  take({ stream, inbound }: Opening<string>, tls: boolean): void {
    this.shown++
    if (tls) this.#relay(stream, inbound)
    else answer(this.#options.clock, stream, this.#page(inbound))
  }

  close(): void {
    for (const socket of this.#underway) socket.destroy()
  }

  #pageOf({ method, path }: RequestHead): string | undefined {
    if ((method !== 'GET' && method !== 'HEAD') || !path.startsWith(HTTP01_PATH)) return undefined
    const token = path.slice(HTTP01_PATH.length)
    return this.#proofs.pages.find(one => one.token === token)?.content
  }

  /** @param inbound a request that {@link wantsPage} was true for, of either version; others may follow */
  #page(inbound: Uint8Array): Uint8Array {
    const found = new HostRecogniser(this.#options.http1).recognise(inbound)
    const head = found.kind === 'request' ? found.head : undefined
    // What was shown may have been withdrawn meanwhile.
    const content = head && this.#pageOf(head)
    const headers = [['content-type', 'application/octet-stream']] as const
    const response =
      content === undefined ? { status: 404, headers: [] } : { status: 200, headers, body: utf8(content) }
    const now = this.#options.clock.wall()
    const method = head?.method === 'HEAD' ? 'HEAD' : 'GET'
    return http2Reply(inbound, response, now) ?? httpReply(method, response, now)
  }

  #relay(stream: ByteStream, inbound: Uint8Array): void {
    const { clock, onFault } = this.#options
    if (this.#underway.size >= MOST_UNDERWAY) {
      stream.destroy()
      return
    }
    const socket = connectTo(this.#proofs.responder)
    this.#underway.add(socket)
    const close = (): void => {
      timer.stop()
      this.#underway.delete(socket)
      socket.destroy()
      stream.destroy()
    }
    const guard = new Guard(error => {
      close()
      onFault(error)
    })
    const timer = clock.after(PATIENCE, guard.entrance(close))
    let left = MOST_BYTES
    /** Neither side says much in a handshake: what is more ends it, and none has to wait for the other. */
    const counted = (pass: (bytes: Uint8Array) => void) =>
      guard.entrance((bytes: Uint8Array) => {
        left -= bytes.length
        if (left < 0) close()
        else pass(bytes)
      })
    socket.on('error', guard.entrance(close))
    socket.on(
      'data',
      counted(bytes => void stream.forward([bytes])),
    )
    socket.on(
      'end',
      guard.entrance(() => stream.state === 'open' && stream.end()),
    )
    socket.on(
      'close',
      guard.entrance(() => this.#underway.delete(socket)),
    )
    stream.read({
      bytes: counted(bytes => void socket.write(Uint8Array.from(bytes))),
      end: guard.entrance(() => socket.end()),
      error: guard.entrance(close),
    })
    socket.write(inbound)
    stream.resume()
  }
}

/** A path that is too long for a socket is reached by a descriptor of its directory. */
function connectTo(path: string): Socket {
  if (Buffer.byteLength(path) <= LONGEST_PATH) return connect({ path, allowHalfOpen: true })
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
  const socket = connect({ path: `/proc/self/fd/${folder}/${basename(path)}`, allowHalfOpen: true })
  socket.once('close', () => closeSync(folder))
  return socket
}
