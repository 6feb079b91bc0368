import { AT_ONCE, koffi, receiveMessage, sendMessage, socketPair } from './foreign.ts'
import { type Slab, slab } from './slab.ts'

/** Bytes of the largest message. */
export const MESSAGE = 16_384
/** Where a message's bytes begin in its slab; before them lies what the kernel reads: a `msghdr`. */
export const BODY_AT = 128

// Linux on 64 bits, little-endian: `struct msghdr`, one `struct iovec`, one `struct cmsghdr` with an int.
const IOV_POINTER_AT = 16
const IOV_COUNT_AT = 24
const CONTROL_POINTER_AT = 32
const CONTROL_LENGTH_AT = 40
const FLAGS_AT = 48
const IOV_AT = 64
const IOV_LENGTH_AT = 72
const CONTROL_AT = 80
const DESCRIPTOR_AT = CONTROL_AT + 16
/** `cmsg_len` of one descriptor, and the room that it takes. */
const CONTROL_LENGTH = 20
const CONTROL_ROOM = 24
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const CLOSE_ON_EXEC = 0x40000000

/** What is about to be sent, and what was received last: one of each, for every connection in turn. */
export const outgoing = message()
export const incoming = message()

function message(): Slab {
  const one = slab(BODY_AT + MESSAGE)
  one.view.setBigUint64(IOV_POINTER_AT, BigInt(one.address + IOV_AT), true)
  one.view.setUint32(IOV_COUNT_AT, 1, true)
  one.view.setBigUint64(IOV_AT, BigInt(one.address + BODY_AT), true)
  one.view.setUint32(CONTROL_AT, CONTROL_LENGTH, true)
  one.view.setUint32(CONTROL_AT + 8, SOL_SOCKET, true)
  one.view.setUint32(CONTROL_AT + 12, SCM_RIGHTS, true)
  return one
}

const outgoingControl = BigInt(outgoing.address + CONTROL_AT)
const incomingControl = BigInt(incoming.address + CONTROL_AT)

/**
 * Sends the first bytes of {@link outgoing}.
 * @param mail our end @param descriptor to go with them; -1: none
 * @throws Error
 */
export function post(mail: number, length: number, descriptor: number): void {
  const { address, view } = outgoing
  view.setUint32(IOV_LENGTH_AT, length, true)
  if (descriptor >= 0) {
    view.setBigUint64(CONTROL_POINTER_AT, outgoingControl, true)
    view.setUint32(CONTROL_LENGTH_AT, CONTROL_LENGTH, true)
    view.setInt32(DESCRIPTOR_AT, descriptor, true)
  } else {
    view.setBigUint64(CONTROL_POINTER_AT, 0n, true)
    view.setUint32(CONTROL_LENGTH_AT, 0, true)
  }
  if (sendMessage(mail, address, AT_ONCE) < 0) throw new Error(`sendmsg: errno ${koffi.errno()}`)
}

/** Receives into {@link incoming}. @returns bytes; 0: the other host has ended; negative: nothing is there */
export function collect(mail: number): number {
  const { address, view } = incoming
  view.setUint32(IOV_LENGTH_AT, MESSAGE, true)
  view.setBigUint64(CONTROL_POINTER_AT, incomingControl, true)
  view.setUint32(CONTROL_LENGTH_AT, CONTROL_ROOM, true)
  view.setUint32(FLAGS_AT, 0, true)
  return receiveMessage(mail, address, CLOSE_ON_EXEC | AT_ONCE)
}

/** The descriptor that came with {@link incoming}. */
export function descriptorOfIncoming(): number {
  return incoming.view.getInt32(DESCRIPTOR_AT, true)
}

const AF_UNIX = 1
const SEQPACKET = 5
const NON_BLOCKING = 0o4000
const CLOSED_ON_EXEC = 0o2000000

/** The way between two hosts, one end for each. @throws Error */
export function mailboxes(): readonly [number, number] {
  const { address, view } = outgoing
  const type = SEQPACKET | NON_BLOCKING | CLOSED_ON_EXEC
  if (socketPair(AF_UNIX, type, 0, address + BODY_AT) < 0)
    throw new Error(`socketpair: errno ${koffi.errno()}`)
  return [view.getInt32(BODY_AT, true), view.getInt32(BODY_AT + 4, true)]
}
