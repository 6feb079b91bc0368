import { CloseCode, readFrame, WebSocketError, type WebSocketState } from '../../http/websocket/index.ts'
import { type CheckpointSealer, decodeCheckpoint, withCheckpoint } from '../../transfer/checkpoint.ts'
import type { Courier } from '../../transfer/courier.ts'
import type { Release } from '../../transfer/custody.ts'
import type { ApplicationState, Envelope } from '../../transfer/envelope.ts'
import {
  extensionOf,
  type HibernationExtension,
  plusExtension,
  withoutExtension,
} from '../../transfer/extensions.ts'
import type { Hibernated } from '../../transfer/hibernated.ts'
import { type Libc, probe } from '../../transfer/native/libc.ts'
import type { SealAssociated } from '../../transfer/seal.ts'
import { countsOf } from '../../transfer/socket-counts.ts'
import type { Descriptor } from '../../transfer/stream.ts'
import { equal } from '../../wire/index.ts'
import type { Frozen } from '../connection/connection-host.ts'

/** Bytes before the content of a record (RFC 8446 §5.1). */
const RECORD_HEADER = 5

/** What gives a connection to a gateway. */
export interface Sleeper {
  readonly functionName: string
  readonly checkpoints: CheckpointSealer
  readonly courier: Pick<Courier, 'sendHibernated'>
}

/** Nothing has been sent: the connection is still here. */
const STAYS: Release = { state: 'owned', verdict: undefined }

/**
 * Gives a frozen connection to a gateway: sealed for the containers of its function, so that the one that the
 * next byte wakes goes on with it. The gateway has the socket, and no key.
 * @param settle called once; the connection is still here unless the gateway has it
 */
export function hibernate(
  { functionName, checkpoints, courier }: Sleeper,
  gateway: number,
  { envelope, descriptor }: Frozen,
  settle: (release: Release) => void,
): void {
  const native = probe()
  const still = native.available ? stillness(native.libc, descriptor.fd) : undefined
  if (still === undefined) {
    settle(STAYS)
    return
  }
  const { sessionId, generation, tls, application, extensions } = envelope
  const resting = { ...envelope, extensions: plusExtension(extensions, 'hibernation', still) }
  const checkpoint = withCheckpoint({ busy: false, attempts: 0, envelope: resting }, plaintext =>
    checkpoints.seal({ sessionId, generation, received: 0 }, plaintext),
  )
  const state: Hibernated = {
    functionName,
    generation,
    told: socketsOf(application).length > 0,
    answerable: tls === undefined && application.protocol === 'http1',
    waits: waits(envelope),
    left: 0,
    slot: extensionOf(envelope, 'slot')?.slot,
    checkpoint,
  }
  courier.sendHibernated('hibernate', gateway, { sessionId, generation }, state, descriptor, settle)
}

/** Whether it holds a whole request, or a whole record, that nothing has looked at: no byte may follow it. */
function waits({ tls, application }: Envelope): boolean {
  const records = tls?.inboundRecords
  if (records !== undefined && records.length >= RECORD_HEADER) {
    const length = (records[3]! << 8) | records[4]!
    if (records.length >= RECORD_HEADER + length) return true
  }
  if (application.protocol === 'http1') return bytesOf(application.inbound).includes('\r\n\r\n')
  if (socketsOf(application).some(hasMessage)) return true
  if (application.protocol !== 'http2' && application.protocol !== 'http2_streams') return false
  return application.http.streams.some(one => one.headReceived && !one.headSent)
}

/** The WebSockets of a connection, of which the function is told when its client goes. */
function socketsOf(application: ApplicationState): readonly WebSocketState[] {
  if (application.protocol === 'websocket') return [application.socket]
  if (application.protocol !== 'http2_streams') return []
  return application.passengers.flatMap(({ frozen }) => (frozen.kind === 'websocket' ? [frozen.socket] : []))
}

/** Whether a whole frame has come that nothing has looked at, or what cannot become one. */
function hasMessage({ inbound }: WebSocketState): boolean {
  try {
    return readFrame(inbound, true, inbound.length) !== undefined
  } catch (error) {
    // A frame that is longer than what has come of it is no whole one.
    return !(error instanceof WebSocketError && error.code === CloseCode.TOO_BIG)
  }
}

function bytesOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length)
}

/**
 * What a gateway has kept, as it goes on here.
 * @param session as it is offered now
 * @returns undefined if no container that we know of has sealed it, or not for this
 * @throws DecodeError for what is no checkpoint of this format
 */
export function thaw(
  sealer: CheckpointSealer,
  { checkpoint, generation: sealedGeneration }: Hibernated,
  { sessionId, generation }: SealAssociated,
): { readonly envelope: Envelope; readonly still: HibernationExtension } | undefined {
  const plaintext = sealer.open({ sessionId, generation: sealedGeneration, received: 0 }, checkpoint)
  if (plaintext === undefined) return undefined
  const { envelope } = decodeCheckpoint(plaintext)
  plaintext.fill(0)
  const still = extensionOf(envelope, 'hibernation')
  if (still === undefined) return undefined
  const extensions = withoutExtension(envelope.extensions, 'hibernation')
  return { envelope: { ...envelope, generation, extensions }, still }
}

/**
 * Whether nothing has gone through a socket since it was given away: then no other container has gone on with
 * it, whatever a gateway says, and no nonce is used twice.
 */
export function isStill(
  { cookie, read, written }: HibernationExtension,
  descriptor: Pick<Descriptor, 'fd'>,
): boolean {
  const native = probe()
  const now = native.available ? stillness(native.libc, descriptor.fd) : undefined
  return now !== undefined && equal(now.cookie, cookie) && now.read === read && now.written === written
}

/** @returns undefined if the connection is over, or the kernel does not say */
function stillness(libc: Libc, fd: number): HibernationExtension | undefined {
  try {
    const cookie = libc.socketCookie(fd)
    // Of a leg the kernel counts nothing; the gateway has the client's socket all the while.
    if (libc.domainOf(fd) === 'unix') return { cookie, read: 0, written: 0 }
    const counts = countsOf(libc, fd)
    return counts && { cookie, ...counts }
  } catch {
    return undefined
  }
}
