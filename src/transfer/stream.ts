import type { Socket } from 'node:net'
import { EMPTY } from '../wire/index.ts'
import type { ByteStream, StreamKind } from './byte-stream.ts'
import { takeHandle } from './lift.ts'
import { probe } from './native/libc.ts'
import { Descriptor } from './streams/descriptor.ts'
import { probeBindings } from './streams/handle.ts'
import { RawStream } from './streams/raw.ts'
import { SocketStream } from './streams/socket.ts'

export { Descriptor, type Owned } from './streams/descriptor.ts'
export { prepend } from './streams/raw.ts'

/** How to open a stream. */
export interface StreamOptions {
  /**
   * Which implementation; by default the fastest that works here. `HOTPOTATO_STREAM=socket` forces the public
   * one.
   */
  readonly kind?: StreamKind
  /** Nagle's algorithm is off already: a process that had the socket before has seen to that. */
  readonly tuned?: boolean
  /** Bytes that were read before, handed out first. */
  readonly unread?: Uint8Array
  /**
   * A write that fails ends the writing alone, in silence: what the peer had sent before it went can still be
   * read to its end. Only for raw streams.
   */
  readonly readsOn?: boolean
  /**
   * Over a Unix socket, a peer that has closed it is gone: that is an error (ECONNRESET), and no end. Only
   * for raw streams, and where there are foreign calls.
   */
  readonly hangsUp?: boolean
}

/**
 * Opens a stream over a connected TCP or Unix socket and takes the descriptor over, also when it fails (an
 * `Error`, for instance because it is no socket). Nothing is read before {@link ByteStream.read}. Nagle's
 * algorithm is switched off on TCP.
 */
export function openStream(descriptor: Descriptor, options: StreamOptions = {}): ByteStream {
  const unread = options.unread ?? EMPTY
  const probed = probeBindings()
  if ((options.kind ?? defaultKind()) === 'raw') {
    if (!probed.available) throw new Error(`raw streams: ${probed.reason}`)
    return new RawStream(descriptor, unread, probed.bindings, options)
  }
  if (options.readsOn === true) throw new Error('only a raw stream reads on after a write has failed')
  return new SocketStream(descriptor, unread)
}

/**
 * Takes an accepted socket of a `net.Server` (best with `pauseOnConnect`) over into a stream; the
 * `net.Socket` is dead afterwards, and the server counts it as gone. What it had read already is handed out
 * first. An `Error` if something that was written on it still waits.
 */
export function adopt(socket: Socket, options: StreamOptions = {}): ByteStream {
  const { handle, unread } = takeHandle(socket)
  return openStream(Descriptor.fromHandle(handle), { ...options, unread })
}

/** Which implementation {@link openStream} picks here, and why. */
export function chooseStream(): { readonly kind: StreamKind; readonly reason: string } {
  if (process.env.HOTPOTATO_STREAM === 'socket') return { kind: 'socket', reason: 'HOTPOTATO_STREAM=socket' }
  const probed = probeBindings()
  if (!probed.available) return { kind: 'socket', reason: probed.reason }
  const native = probe()
  return { kind: 'raw', reason: native.available ? 'raw handles work' : `raw handles work; ${native.reason}` }
}

let chosen: StreamKind | undefined

function defaultKind(): StreamKind {
  chosen ??= chooseStream().kind
  return chosen
}
