import { closeSync } from 'node:fs'
import { EMPTY } from '../../wire/index.ts'
import { ErrnoError } from '../native/libc.ts'
import { type Sockets, sockets } from '../native/sockets.ts'
import { hear, isDeaf } from './hearing.ts'
import { AF_INET, AF_INET6, type End, isLinkLocal, readName, writeName } from './names.ts'
import { QUEUE_LIMIT, TCP_VERSION, type TcpState } from './state.ts'

/*
 * A TCP connection leaves a kernel and goes on in another one, by what Linux has for that (TCP_REPAIR, since
 * 3.5). It needs CAP_NET_ADMIN in the network namespace of the socket.
 */

const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_SNDBUFFORCE = 32
const SO_RCVBUFFORCE = 33
const SO_PROTOCOL = 38
/** Since Linux 5.15. */
const SO_BUF_LOCK = 72
const IPPROTO_TCP = 6
const IPPROTO_MPTCP = 262
const TCP_NODELAY = 1
const TCP_MAXSEG = 2
const TCP_INFO = 11
const TCP_REPAIR = 19
const TCP_REPAIR_QUEUE = 20
const TCP_QUEUE_SEQ = 21
const TCP_REPAIR_OPTIONS = 22
const TCP_TIMESTAMP = 24
const TCP_REPAIR_WINDOW = 29
const TCP_ULP = 31
const SIOCINQ = 0x541b
const SIOCOUTQ = 0x5411

const QUEUES = { none: 0, receive: 1, send: 2 } as const
/** Of a repair that ends: whether the peer is asked for its window, by a segment that it has to answer. */
const REPAIRS = 1
const ENDS_WITH_PROBE = 0
const ENDS_IN_SILENCE = -1
/** The kinds of options that both sides agree on at their start (RFC 9293, RFC 7323, RFC 2018). */
const OPTIONS = { segment: 2, scales: 3, selective: 4, timestamps: 8 } as const
/** Of `struct tcp_info`. */
const INFO = { length: 148, state: 0, options: 5, scales: 6, unacknowledged: 24, unsent: 144 } as const
const AGREED = { timestamps: 1, selective: 2, scales: 4 } as const
const ESTABLISHED = 1
const WINDOW_LENGTH = 20
/** The kernel takes no larger segment before a connection is there. */
const LARGEST_SEGMENT = 32_767
/** Bytes that a fresh socket has room for, in either direction. */
const ROOM = 65_536
/** Something that was on its way when the filter came may arrive behind it: so often it is looked again. */
const ATTEMPTS = 8

/** A connection that cannot be taken or made, in half a sentence; nothing has happened to it. */
export class TcpRefusal extends Error {
  override readonly name = 'TcpRefusal'
}

/**
 * Takes a live connection out of its kernel: from now on it neither acknowledges nor resets nor sends, and to
 * close its last descriptor tells its peer nothing. No process may read or write it meanwhile. {@link wake}
 * has it go on where it is.
 * @param ports local ones that it may have; default: any
 * @param program that makes it deaf, of `loadDeafProgram`; default: a classic filter, which takes longer
 * @throws TcpRefusal it is nothing that can be carried; it goes on as if it had not been asked
 */
export function take(fd: number, ports?: Ports, program?: number): TcpState {
  const calls = sockets()
  const ends = judge(calls, fd, ports)
  try {
    calls.deafen(fd, program)
    calls.setOption(fd, IPPROTO_TCP, TCP_REPAIR, REPAIRS)
    return stateOf(calls, fd, ends)
  } catch (error) {
    giveBack(calls, fd)
    throw refusalOf(error, 'the kernel does not give it away')
  }
}

/**
 * A connection of another kernel, in this one: deaf and silent until {@link wake}, and to close it tells its
 * peer nothing. What of it is `unsent` the caller writes once it is awake. @returns a descriptor,
 * non-blocking and close-on-exec, without Nagle's algorithm
 * @throws TcpRefusal this kernel does not take it: it has no such address, or has the connection already
 */
export function make(state: TcpState, ports?: Ports, program?: number): number {
  const calls = sockets()
  admit(state.localPort, ports)
  const { family } = state.ends
  let fd: number | undefined
  try {
    fd = calls.open(family === 'ipv4' ? AF_INET : AF_INET6)
    fill(calls, fd, state, program)
    return fd
  } catch (error) {
    if (fd !== undefined) closeSync(fd)
    throw refusalOf(error, 'the kernel does not take it')
  }
}

/**
 * Has a connection that was taken or made go on: here it is, and the peer is asked for its window.
 * @throws TcpRefusal it was neither
 */
export function wake(fd: number, ports?: Ports): void {
  const calls = sockets()
  if (!isTaken(calls, fd)) throw new TcpRefusal('it was not taken, so there is nothing to go back to')
  const local = readName(calls.name(fd, 'own'))
  if (local !== undefined) admit(local.port, ports)
  try {
    hear(fd)
    calls.setOption(fd, IPPROTO_TCP, TCP_REPAIR, ENDS_WITH_PROBE)
    // The end of a repair has taken it away: a listener of the same port could not start any more.
    calls.setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
  } catch (error) {
    throw refusalOf(error, 'the kernel does not let it go on')
  }
}

/**
 * What was made may be written to from now on, and what is written leaves; it hears nothing yet. Its owner
 * has it {@link hear}, or has it {@link hush}ed. @throws TcpRefusal it was not made
 */
export function speak(fd: number, ports?: Ports): void {
  const calls = sockets()
  if (!isTaken(calls, fd) || !isDeaf(fd)) throw new TcpRefusal('it was not made here')
  repairing(calls, fd, ENDS_IN_SILENCE, ports)
  calls.setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
}

/**
 * What speaks and was never heard goes silent again: to close it tells its peer nothing.
 * @throws TcpRefusal it hears
 */
export function hush(fd: number, ports?: Ports): void {
  if (!isDeaf(fd)) throw new TcpRefusal('it hears, and so it is served')
  repairing(sockets(), fd, REPAIRS, ports)
}

function repairing(calls: Sockets, fd: number, how: number, ports: Ports | undefined): void {
  try {
    const local = readName(calls.name(fd, 'own'))
    if (local !== undefined) admit(local.port, ports)
    calls.setOption(fd, IPPROTO_TCP, TCP_REPAIR, how)
  } catch (error) {
    throw refusalOf(error, 'the kernel does not let it')
  }
}

function isTaken(calls: Sockets, fd: number): boolean {
  try {
    return calls.option(fd, IPPROTO_TCP, TCP_REPAIR) === REPAIRS
  } catch {
    return false
  }
}

/** As far as it was taken, it is given back: the first fault is the one to tell. */
function giveBack(calls: Sockets, fd: number): void {
  try {
    hear(fd)
    if (isTaken(calls, fd)) wake(fd)
  } catch {
    // What the kernel refuses here it has refused before.
  }
}

function refusalOf(error: unknown, what: string): unknown {
  if (!(error instanceof ErrnoError)) return error
  const why = error.code === 'EPERM' ? 'CAP_NET_ADMIN is missing' : error.message
  return new TcpRefusal(`${what} (${why})`, { cause: error })
}

/** Local ports that are meant; undefined: any. */
type Ports = ReadonlySet<number>

function admit(port: number, ports: Ports | undefined): void {
  if (ports?.has(port) === false) throw new TcpRefusal(`port ${port} is none of its ports`)
}

interface Ends {
  readonly local: End
  readonly remote: End
}

/** What can be said without touching it. */
function judge(calls: Sockets, fd: number, ports: Ports | undefined): Ends {
  try {
    const remote = readName(calls.name(fd, 'peer'))
    const local = readName(calls.name(fd, 'own'))
    if (remote === undefined || local === undefined) throw new TcpRefusal('it is not a TCP connection')
    admit(local.port, ports)
    if (isLinkLocal(local) || isLinkLocal(remote)) throw new TcpRefusal('its addresses are of one link')
    if (calls.optionBytes(fd, IPPROTO_TCP, TCP_ULP, 16).length > 0) {
      // Multipath TCP is such a layer, too.
      if (calls.option(fd, SOL_SOCKET, SO_PROTOCOL) === IPPROTO_MPTCP)
        throw new TcpRefusal('it is of Multipath TCP')
      throw new TcpRefusal('the kernel does more than TCP on it (TCP_ULP, as for its TLS)')
    }
    // One in repair may have no filter: others repair, too, as CRIU does.
    if (isTaken(calls, fd)) throw new TcpRefusal('it is taken already')
    if (isDeaf(fd)) throw new TcpRefusal('it has a filter')
    if (calls.isUrgent(fd)) throw new TcpRefusal('urgent data waits on it')
    return { local, remote }
  } catch (error) {
    if (error instanceof ErrnoError && error.code === 'ENOTCONN')
      throw new TcpRefusal('it is not connected', { cause: error })
    throw error instanceof ErrnoError ? new TcpRefusal('it is not a TCP connection', { cause: error }) : error
  }
}

function stateOf(calls: Sockets, fd: number, { local, remote }: Ends): TcpState {
  const window = readWindow(calls.optionBytes(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, WINDOW_LENGTH))
  const segment = calls.option(fd, IPPROTO_TCP, TCP_MAXSEG)
  const timestamp = calls.option(fd, IPPROTO_TCP, TCP_TIMESTAMP) >>> 0
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const waiting = calls.ask(fd, SIOCINQ)
    calls.setOption(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, QUEUES.receive)
    const receiveNext = calls.option(fd, IPPROTO_TCP, TCP_QUEUE_SEQ) >>> 0
    const unread = peek(calls, fd, waiting)
    calls.setOption(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, QUEUES.send)
    const sendNext = calls.option(fd, IPPROTO_TCP, TCP_QUEUE_SEQ) >>> 0
    const info = readInfo(calls.optionBytes(fd, IPPROTO_TCP, TCP_INFO, INFO.length))
    if (info.state !== ESTABLISHED) throw new TcpRefusal('it is not established, or one side has ended')
    const owed = info.queued ? calls.ask(fd, SIOCOUTQ) : 0
    const outbound = peek(calls, fd, owed)
    calls.setOption(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, QUEUES.none)
    if (calls.ask(fd, SIOCINQ) !== waiting || unread === undefined || outbound === undefined) continue
    const { ends, scales, selective, timestamps } = { ends: endsOf(local, remote), ...info }
    const sent = Math.max(0, owed - info.unsent)
    return {
      formatVersion: TCP_VERSION,
      ends,
      localPort: local.port,
      remotePort: remote.port,
      segment,
      scales,
      selective,
      timestamp: timestamps ? timestamp : undefined,
      window,
      receiveNext,
      sendUnacknowledged: (sendNext - owed) >>> 0,
      unread,
      sent: outbound.subarray(0, sent),
      unsent: outbound.subarray(sent),
    }
  }
  throw new TcpRefusal('it does not come to rest')
}

function endsOf({ family, address: local }: End, { address: remote }: End): TcpState['ends'] {
  return { family, local, remote }
}

/** @returns undefined: there is another number of bytes now */
function peek(calls: Sockets, fd: number, length: number): Uint8Array | undefined {
  if (length === 0) return EMPTY
  if (length > QUEUE_LIMIT) throw new TcpRefusal(`${length} bytes wait on it, and ${QUEUE_LIMIT} are carried`)
  // With room for one more: the first segment may begin before what is owed.
  const bytes = new Uint8Array(length + 1)
  return calls.peek(fd, bytes) === length ? bytes.subarray(0, length) : undefined
}

function readInfo(info: Uint8Array) {
  if (info.length < INFO.length) throw new TcpRefusal('this kernel says too little of it (TCP_INFO)')
  const view = new DataView(info.buffer, info.byteOffset, info.length)
  const options = view.getUint8(INFO.options)
  const scales = view.getUint8(INFO.scales)
  const unsent = view.getUint32(INFO.unsent, true)
  return {
    state: view.getUint8(INFO.state),
    scales: (options & AGREED.scales) === 0 ? undefined : { send: scales & 15, receive: scales >> 4 },
    selective: (options & AGREED.selective) !== 0,
    timestamps: (options & AGREED.timestamps) !== 0,
    unsent,
    queued: unsent > 0 || view.getUint32(INFO.unacknowledged, true) > 0,
  }
}

function readWindow(bytes: Uint8Array): TcpState['window'] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, WINDOW_LENGTH)
  const [lastUpdate, send, largest, receive, toldAt] = [0, 4, 8, 12, 16].map(at =>
    view.getUint32(at, true),
  ) as [number, number, number, number, number]
  return { lastUpdate, send, largest, receive, toldAt }
}

function writeWindow({ lastUpdate, send, largest, receive, toldAt }: TcpState['window']): Uint8Array {
  const bytes = new Uint8Array(WINDOW_LENGTH)
  const view = new DataView(bytes.buffer)
  for (const [i, value] of [lastUpdate, send, largest, receive, toldAt].entries())
    view.setUint32(4 * i, value, true)
  return bytes
}

/** Everything but the last step: it repairs still, and is deaf. */
function fill(calls: Sockets, fd: number, state: TcpState, program: number | undefined): void {
  const { ends, segment, unread, sent, window } = state
  const set = (name: number, value: number): void => calls.setOption(fd, IPPROTO_TCP, name, value | 0)
  set(TCP_REPAIR, REPAIRS)
  calls.deafen(fd, program)
  const forced = makeRoom(calls, fd, state)
  // What is said of segments after `connect` comes too late for the segments that are sent.
  set(TCP_MAXSEG, Math.min(segment, LARGEST_SEGMENT))
  set(TCP_NODELAY, 1)
  calls.bind(fd, writeName({ family: ends.family, address: ends.local, port: state.localPort }))
  set(TCP_REPAIR_QUEUE, QUEUES.receive)
  set(TCP_QUEUE_SEQ, state.receiveNext - unread.length)
  set(TCP_REPAIR_QUEUE, QUEUES.send)
  set(TCP_QUEUE_SEQ, state.sendUnacknowledged)
  calls.connect(fd, writeName({ family: ends.family, address: ends.remote, port: state.remotePort }))
  calls.setOptionBytes(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, optionsOf(state))
  if (state.timestamp !== undefined) set(TCP_TIMESTAMP, state.timestamp)
  if (forced) calls.setOption(fd, SOL_SOCKET, SO_BUF_LOCK, 0)
  if (sent.length > 0) push(calls, fd, sent)
  if (unread.length > 0) {
    set(TCP_REPAIR_QUEUE, QUEUES.receive)
    push(calls, fd, unread)
  }
  calls.setOptionBytes(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, writeWindow(window))
  set(TCP_REPAIR_QUEUE, QUEUES.none)
}

/** Buffers for what it brings along, and for the window that its peer has been told. @returns whether */
function makeRoom(calls: Sockets, fd: number, { window, unread, sent, unsent }: TcpState): boolean {
  const receive = Math.min(window.receive + unread.length, 2 * QUEUE_LIMIT)
  if (receive > ROOM) calls.setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, receive)
  const send = sent.length + unsent.length
  if (send > 0) calls.setOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, send + ROOM)
  return receive > ROOM || send > 0
}

/** `struct tcp_repair_opt` each: what it is, and its value. */
function optionsOf({ segment, scales, selective, timestamp }: TcpState): Uint8Array {
  const options: number[] = [OPTIONS.segment, segment]
  if (scales !== undefined) options.push(OPTIONS.scales, scales.send | (scales.receive << 16))
  if (selective) options.push(OPTIONS.selective, 0)
  if (timestamp !== undefined) options.push(OPTIONS.timestamps, 0)
  return new Uint8Array(Uint32Array.from(options).buffer)
}

/** Into the queue that was chosen. The kernel takes a part of it, or finds no memory for so much at once. */
function push(calls: Sockets, fd: number, bytes: Uint8Array): void {
  let most = bytes.length
  for (let at = 0; at < bytes.length; ) {
    try {
      at += calls.send(fd, bytes.subarray(at, at + most))
    } catch (error) {
      if (!(error instanceof ErrnoError) || most <= SMALLEST_PUSH) throw error
      most = most >> 1
    }
  }
}
/** Bytes below which a piece is not halved again. */
const SMALLEST_PUSH = 1024
