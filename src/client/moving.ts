import { Socket } from 'node:net'
import type { Session, SessionState } from '../tls13/index.ts'
import type { ByteStream } from '../transfer/byte-stream.ts'
import { takeHandle } from '../transfer/lift.ts'
import { Descriptor, openStream } from '../transfer/stream.ts'
import type { Connected } from '../transport/connector.ts'
import { overSession, type Releasable } from '../transport/secure.ts'
import { duplexOf } from '../transport/transport.ts'
import { EMPTY } from '../wire/index.ts'

/** A connection's way out: its stream, without what was made of it here. */
export interface Carried extends Connected {
  /** What lies below everything where it came from another process. */
  readonly carrier?: ByteStream
}

/** Why a connection cannot be taken out; undefined: it is a socket, and nothing but our TLS over it. */
export function obstacleTo({ transport, session, stream, carrier }: Carried): string | undefined {
  if (carrier === undefined && !(stream instanceof Socket))
    return 'its connector gives no socket, or it goes through a proxy'
  if (session !== undefined) {
    const releasable = typeof (transport as Partial<Releasable>).release === 'function'
    return releasable ? undefined : 'it was made with early data'
  }
  // What another implementation of TLS holds stays there.
  if (carrier !== undefined || duplexOf(transport) === stream) return undefined
  return 'what lies over its socket is not TLS of ours'
}

/** Waits for what was written and lies with Node still. @returns false: nothing did */
export async function leaving({ stream }: Carried): Promise<boolean> {
  if (!(stream instanceof Socket) || stream.destroyed || stream.writableLength === 0) return false
  // Its callback comes when all that was written before has left.
  await new Promise(resolve => stream.write(EMPTY, resolve))
  return true
}

/**
 * Takes it out. Nothing that was written waits any more. @param heard given what had come and was not read
 * @throws Error if it has ended meanwhile
 */
export async function takeOut(
  { transport, session, stream, carrier }: Carried,
  heard: (bytes: Uint8Array) => void,
): Promise<{ readonly descriptor: Descriptor; readonly session: SessionState | undefined }> {
  const { descriptor, unread } = carrier === undefined ? fromSocket(stream as Socket) : await carrier.lift()
  try {
    if (session !== undefined)
      return { descriptor, session: (transport as unknown as Releasable).release(unread) }
    if (unread.length > 0) heard(unread)
    return { descriptor, session: undefined }
  } catch (error) {
    descriptor.close()
    throw error
  }
}

function fromSocket(socket: Socket) {
  const { handle, unread } = takeHandle(socket)
  return { descriptor: Descriptor.fromHandle(handle), unread }
}

/** Takes it in. @param restored of the session that came along */
export function takeIn(
  descriptor: Descriptor,
  session: Session | undefined,
  alpn: 'http/1.1' | 'h2',
): Carried {
  const carrier = openStream(descriptor)
  if (session === undefined) return { transport: carrier, alpn, secure: false, carrier }
  return { transport: overSession(carrier, session), alpn, secure: true, session, carrier }
}
