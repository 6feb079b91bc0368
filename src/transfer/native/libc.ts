import { closeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { getSystemErrorName } from 'node:util'
import { CONTROL, controlLength, DATA_AT, DESCRIPTORS, MESSAGE, MessageBlock } from './message-block.ts'

export { DESCRIPTORS, MESSAGE } from './message-block.ts'

/**
 * The foreign calls: sockets that carry descriptors, and what Node offers no way to do; the one place where
 * lengths are checked: a wrong one here is overwritten memory. All memory that the kernel sees is allocated
 * once and never moves.
 *
 * The layouts are those of 64-bit little-endian Linux (x86-64 and arm64). glibc and musl agree on them: where
 * musl has an `int` and padding, glibc has a `size_t` whose upper half is 0. {@link probe} sends itself a
 * message before it believes so.
 */
export interface Libc {
  /** Two connected Unix sockets, non-blocking and close-on-exec. Throws an {@link ErrnoError}. */
  socketPair(type: SocketType): readonly [number, number]
  /**
   * Sends `header` and `body` as one message with up to {@link DESCRIPTORS} descriptors, without waiting and
   * without SIGPIPE.
   * @returns the name of the error, `EAGAIN` for instance, or `undefined` when it was sent
   */
  sendMessage(
    fd: number,
    header: Uint8Array,
    body: Uint8Array,
    descriptors: readonly number[],
  ): string | undefined
  /**
   * Receives one message without waiting, or gives the name of the error; `EOF` when no process can send any
   * more.
   */
  receiveMessage(fd: number): Received | string
  /**
   * Writes to a stream what the kernel takes at once, without SIGPIPE; the memory is the caller's again when
   * this returns.
   * @returns how many bytes, or the name of the error
   */
  sendBytes(fd: number, bytes: Uint8Array): number | string
  /**
   * `shutdown(fd, SHUT_RDWR)`: ends the connection for every process that holds it. @returns the name of the
   * error, or `undefined`
   */
  shutdown(fd: number): string | undefined
  /** A second descriptor for the same thing, close-on-exec. Throws an {@link ErrnoError}. */
  duplicate(fd: number): number
  /** Keeps a descriptor to this process: what it starts does not get it. @returns false: it is not open */
  closeOnExec(fd: number): boolean
  /**
   * Asks for buffers of so many bytes (the kernel doubles them, up to its own limit). Throws an {@link
   * ErrnoError}.
   */
  setBuffers(fd: number, bytes: number): void
  /** What kind of stream a descriptor is. Throws an {@link ErrnoError}: `ENOTSOCK` for a file. */
  domainOf(fd: number): 'tcp' | 'unix' | 'other'
  /**
   * The kernel's number of a socket, 8 bytes: the same for each of its descriptors, and no other socket's.
   * Throws an {@link ErrnoError}.
   */
  socketCookie(fd: number): Uint8Array
  /**
   * What the kernel has counted on a TCP socket. Throws an {@link ErrnoError}, also where it counts too
   * little.
   */
  tcpCounts(fd: number): TcpCounts
  /**
   * A file in memory that has no name, so that only those whom we give its descriptor can open it; its size
   * is fixed for good. It is empty of memory until it is written. Close-on-exec. Throws an {@link
   * ErrnoError}, or an Error where the libc has no such call.
   * @param bytes of its size, at most 2^40
   */
  memoryFile(bytes: number): number
  /** Whether what is written to a pipe or a socket can be read by no process any more. */
  isUnread(fd: number): boolean
  /** `PR_SET_PDEATHSIG`: the kernel kills this process when its parent ends. Throws an {@link ErrnoError}. */
  endWithParent(): void
  /**
   * `PR_SET_DUMPABLE` 0: other processes of this user can neither read this one's memory nor trace it, and no
   * core of it is written. Root can. Throws an {@link ErrnoError}.
   */
  hideMemory(): void
  /**
   * `setrlimit`: lowers what this process may have to that, for good; what is lower stays. Throws an {@link
   * ErrnoError}.
   */
  limit(resource: Resource, most: number): void
  /** Whether an extended attribute of a file is `1`. False, too, where it cannot be read. */
  isMarked(file: string, attribute: string): boolean
}

/** Bytes of a core file, bytes of any file, and processes and threads of this process's user. */
export type Resource = 'core' | 'fileBytes' | 'processes'

/** What the kernel has counted on a TCP socket, in bytes; taken one after the other, not at one moment. */
export interface TcpCounts {
  /** As `TCP_ESTABLISHED` and its like in Linux. */
  readonly state: number
  /** From the peer, in order; its FIN counts as one. */
  readonly received: number
  /** Of those, what has not been read. A FIN does not count. */
  readonly unread: number
  /** To the peer, what it has acknowledged. */
  readonly acknowledged: number
  /** To the peer, what it has not: on its way, or waiting here. */
  readonly unacknowledged: number
}

export type SocketType = 'stream' | 'seqpacket'

/** One received message. */
export interface Received {
  /** A view: valid until the next call of {@link Libc.receiveMessage}. */
  readonly bytes: Uint8Array
  /** Open and close-on-exec; the caller owns them. */
  readonly descriptors: readonly number[]
  /** Why this message is not whole, if it is not; its descriptors have been closed. */
  readonly refused: string | undefined
}

/** What a look at the machine found. */
export type Probe =
  | { readonly available: true; readonly libc: Libc }
  | { readonly available: false; readonly reason: string }

/** A system call that failed: `code` is the name of the error, `ENOTSOCK` for instance. */
export class ErrnoError extends Error {
  override readonly name = 'ErrnoError'
  readonly code: string

  constructor(call: string, code: string) {
    super(`${call}: ${code}`)
    this.code = code
  }
}

let probed: Probe | undefined

/**
 * Whether the foreign calls work here. Tries them once, on a message to itself with a descriptor; never
 * throws.
 */
export function probe(): Probe {
  probed ??= attempt()
  return probed
}

function attempt(): Probe {
  const { platform, arch } = process
  if (platform !== 'linux') return { available: false, reason: `no foreign calls for ${platform}` }
  if (arch !== 'x64' && arch !== 'arm64') return { available: false, reason: `no foreign calls for ${arch}` }
  try {
    const libc = load()
    selfTest(libc)
    return { available: true, libc }
  } catch (error) {
    return { available: false, reason: `foreign calls failed: ${(error as Error).message}` }
  }
}

const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10
const SOCK_TYPES = { stream: 1, seqpacket: 5 } as const
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_SNDBUF = 7
const SO_RCVBUF = 8
const SO_DOMAIN = 39
/** Since Linux 4.12. */
const SO_COOKIE = 57
const COOKIE_LENGTH = 8
const MSG_CTRUNC = 0x8
const MSG_TRUNC = 0x20
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x40000000
const SHUT_RDWR = 2
const F_SETFD = 2
const FD_CLOEXEC = 1
const F_DUPFD_CLOEXEC = 1030
const F_ADD_SEALS = 1033
/** F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW. */
const SEAL_SIZE = 0x1 | 0x2 | 0x4
const MFD_CLOEXEC = 0x1
const MFD_ALLOW_SEALING = 0x2
const PR_SET_PDEATHSIG = 1
const PR_SET_DUMPABLE = 4
const RESOURCES = { fileBytes: 1, core: 4, processes: 6 } as const
const SIGKILL = 9
const IPPROTO_TCP = 6
const TCP_INFO = 11
const SIOCINQ = 0x541b
const SIOCOUTQ = 0x5411
/** Bytes of `tcp_info` up to the last field that is read here; in it since Linux 4.1. */
const TCP_INFO_LENGTH = 136
const TCPI_STATE = 0
const TCPI_BYTES_ACKED = 120
const TCPI_BYTES_RECEIVED = 128

/** poll(2): what is the case. */
const POLLERR = 0x8
const POLLHUP = 0x10
/** Bytes that are sent from our block. */
const COPIED = 8192

interface Koffi {
  load(path: null): { func(definition: string): (...args: (number | bigint | Uint8Array)[]) => number }
  alloc(type: string, count: number): bigint
  view(pointer: bigint, length: number): ArrayBuffer
  errno(): number
}

function load(): Libc {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  // Node itself is linked to the libc, so its symbols are already here, whatever the library is called.
  const library = koffi.load(null)
  const socketpair = library.func('int socketpair(int, int, int, uintptr_t)')
  const sendmsg = library.func('intptr_t sendmsg(int, uintptr_t, int)')
  const recvmsg = library.func('intptr_t recvmsg(int, uintptr_t, int)')
  const send = library.func('intptr_t send(int, uintptr_t, size_t, int)')
  const sendFrom = library.func('intptr_t send(int, uint8_t *, size_t, int)')
  const shutdown = library.func('int shutdown(int, int)')
  const fcntl = library.func('int fcntl(int, int, ...)')
  const setsockopt = library.func('int setsockopt(int, int, int, uintptr_t, uint32_t)')
  const getsockopt = library.func('int getsockopt(int, int, int, uintptr_t, uintptr_t)')

  const outgoing = new MessageBlock(koffi)
  const incoming = new MessageBlock(koffi)
  const ioctl = library.func('int ioctl(int, unsigned long, ...)')
  const prctl = library.func('int prctl(int, ...)')
  const getrlimit = library.func('int getrlimit(int, uintptr_t)')
  const setrlimit = library.func('int setrlimit(int, uintptr_t)')
  const getxattr = library.func('intptr_t getxattr(const char *, const char *, uintptr_t, size_t)')
  const poll = library.func('int poll(uintptr_t, unsigned long, int)')
  const ftruncate = library.func('int ftruncate(int, int64_t)')
  // Not in every libc: the caller that needs it finds out.
  const memfdCreate = optional(() => library.func('int memfd_create(const char *, unsigned int)'))

  const tcpInfo = koffi.alloc('uint8', TCP_INFO_LENGTH)
  const tcpInfoView = new DataView(koffi.view(tcpInfo, TCP_INFO_LENGTH))
  const smallBlock = koffi.alloc('uint8', 16)
  const ints = new Int32Array(koffi.view(smallBlock, 16))
  const longs = new BigUint64Array(ints.buffer, ints.byteOffset, 2)
  const small = Number(smallBlock)

  const failure = (): string => getSystemErrorName(-koffi.errno())
  const check = (call: string, result: number): number => {
    if (result < 0) throw new ErrnoError(call, failure())
    return result
  }

  /** A call that takes a pointer to an int. */
  const ask = (fd: number, request: number): number => {
    check('ioctl', (ioctl as Variadic)(fd, request, 'uintptr_t', small))
    return ints[0]!
  }

  return {
    socketPair(type) {
      check('socketpair', socketpair(AF_UNIX, SOCK_TYPES[type] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, small))
      return [ints[0]!, ints[1]!]
    },

    sendMessage(fd, header, body, descriptors) {
      const length = header.length + body.length
      if (length < 1 || length > MESSAGE) throw new RangeError(`a message of ${length} bytes`)
      if (descriptors.length > DESCRIPTORS) throw new RangeError(`${descriptors.length} descriptors`)
      checkFd(fd)
      outgoing.data.set(header, 0)
      outgoing.data.set(body, header.length)
      outgoing.setLengths(length, descriptors.length === 0 ? 0 : controlLength(descriptors.length))
      outgoing.setDescriptors(descriptors)
      const sent = sendmsg(fd, outgoing.pointer, MSG_DONTWAIT | MSG_NOSIGNAL)
      return sent < 0 ? failure() : undefined
    },

    receiveMessage(fd) {
      checkFd(fd)
      incoming.setLengths(MESSAGE, CONTROL)
      const length = recvmsg(fd, incoming.pointer, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)
      if (length < 0) return failure()
      const descriptors = incoming.descriptors()
      const { flags } = incoming
      if (length === 0 && descriptors.length === 0) return 'EOF'
      const bytes = incoming.scratch.first(Math.min(length, MESSAGE))
      const refused =
        (flags & MSG_CTRUNC) !== 0
          ? 'descriptors were lost'
          : (flags & MSG_TRUNC) !== 0
            ? 'the message was cut'
            : undefined
      if (refused === undefined) return { bytes, descriptors, refused }
      for (const descriptor of descriptors) closeSync(descriptor)
      return { bytes, descriptors: [], refused }
    },

    sendBytes(fd, bytes) {
      checkFd(fd)
      const { length } = bytes
      // To copy a little costs less than to pass an array.
      if (length <= COPIED) outgoing.data.set(bytes)
      const sent =
        length <= COPIED
          ? send(fd, outgoing.pointer + DATA_AT, length, MSG_DONTWAIT | MSG_NOSIGNAL)
          : sendFrom(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL)
      return sent < 0 ? failure() : sent
    },

    shutdown(fd) {
      checkFd(fd)
      return shutdown(fd, SHUT_RDWR) < 0 ? failure() : undefined
    },

    duplicate(fd) {
      checkFd(fd)
      return check('fcntl', (fcntl as Variadic)(fd, F_DUPFD_CLOEXEC, 'int', 0))
    },

    closeOnExec(fd) {
      checkFd(fd)
      return (fcntl as Variadic)(fd, F_SETFD, 'int', FD_CLOEXEC) === 0
    },

    setBuffers(fd, bytes) {
      checkFd(fd)
      if (!Number.isInteger(bytes) || bytes < 1 || bytes > 0x7fffffff) throw new RangeError(`${bytes} bytes`)
      ints[0] = bytes
      check('setsockopt', setsockopt(fd, SOL_SOCKET, SO_SNDBUF, small, 4))
      check('setsockopt', setsockopt(fd, SOL_SOCKET, SO_RCVBUF, small, 4))
    },

    domainOf(fd) {
      checkFd(fd)
      ints[1] = 4
      check('getsockopt', getsockopt(fd, SOL_SOCKET, SO_DOMAIN, small, small + 4))
      const domain = ints[0]
      return domain === AF_INET || domain === AF_INET6 ? 'tcp' : domain === AF_UNIX ? 'unix' : 'other'
    },

    socketCookie(fd) {
      checkFd(fd)
      ints[2] = COOKIE_LENGTH
      check('getsockopt', getsockopt(fd, SOL_SOCKET, SO_COOKIE, small, small + 8))
      if (ints[2] !== COOKIE_LENGTH) throw new ErrnoError('getsockopt', 'ENODATA')
      return new Uint8Array(ints.buffer.slice(ints.byteOffset, ints.byteOffset + COOKIE_LENGTH))
    },

    tcpCounts(fd) {
      checkFd(fd)
      ints[0] = TCP_INFO_LENGTH
      check('getsockopt', getsockopt(fd, IPPROTO_TCP, TCP_INFO, tcpInfo, small))
      // An older kernel knows fewer fields, and says so.
      if (ints[0] !== TCP_INFO_LENGTH) throw new ErrnoError('getsockopt', 'ENODATA')
      const state = tcpInfoView.getUint8(TCPI_STATE)
      const acknowledged = Number(tcpInfoView.getBigUint64(TCPI_BYTES_ACKED, true))
      const received = Number(tcpInfoView.getBigUint64(TCPI_BYTES_RECEIVED, true))
      const unread = ask(fd, SIOCINQ)
      return { state, received, unread, acknowledged, unacknowledged: ask(fd, SIOCOUTQ) }
    },

    isUnread(fd) {
      checkFd(fd)
      // A pollfd: the descriptor, then in 16 bits each what is asked for, and what is the case.
      ints[0] = fd
      ints[1] = 0
      return poll(small, 1, 0) > 0 && ((ints[1]! >>> 16) & (POLLERR | POLLHUP)) !== 0
    },

    memoryFile(bytes) {
      if (!Number.isInteger(bytes) || bytes < 1 || bytes > 2 ** 40) throw new RangeError(`${bytes} bytes`)
      if (memfdCreate === undefined) throw new Error('this libc has no memfd_create')
      const fd = check(
        'memfd_create',
        (memfdCreate as Variadic)('hotpotato', MFD_CLOEXEC | MFD_ALLOW_SEALING),
      )
      try {
        check('ftruncate', ftruncate(fd, bytes))
        check('fcntl', (fcntl as Variadic)(fd, F_ADD_SEALS, 'int', SEAL_SIZE))
      } catch (error) {
        closeSync(fd)
        throw error
      }
      return fd
    },

    endWithParent() {
      check('prctl', (prctl as Variadic)(PR_SET_PDEATHSIG, 'unsigned long', SIGKILL))
    },

    hideMemory() {
      check('prctl', (prctl as Variadic)(PR_SET_DUMPABLE, 'unsigned long', 0))
    },

    limit(resource, most) {
      if (!Number.isSafeInteger(most) || most < 0) throw new RangeError(`a limit of ${most}`)
      check('getrlimit', getrlimit(RESOURCES[resource], small))
      // The soft and the hard limit (`struct rlimit`); without one, it is the largest number.
      const lowest = [longs[0]!, longs[1]!, BigInt(most)].reduce((one, other) => (other < one ? other : one))
      longs.fill(lowest)
      check('setrlimit', setrlimit(RESOURCES[resource], small))
    },

    isMarked(file, attribute) {
      const length = (getxattr as Variadic)(file, attribute, small, 1)
      return length === 1 && (ints[0]! & 0xff) === '1'.charCodeAt(0)
    },
  }
}

/** Arguments of which some name the type of the next. */
type Variadic = (...args: unknown[]) => number

function optional<T>(find: () => T): T | undefined {
  try {
    return find()
  } catch {
    return undefined
  }
}

function checkFd(fd: number): void {
  if (!Number.isInteger(fd) || fd < 0 || fd > 0x7fffffff) throw new RangeError(`${fd} is not a descriptor`)
}

/** Sends a message with a descriptor to itself: what comes out must be what went in. */
function selfTest(libc: Libc): void {
  const opened: number[] = []
  try {
    const [one, other] = libc.socketPair('seqpacket')
    opened.push(one, other)
    const failed = libc.sendMessage(one, new Uint8Array([1, 2]), new Uint8Array([3]), [one, other])
    if (failed !== undefined) throw new ErrnoError('sendmsg', failed)
    const received = libc.receiveMessage(other)
    if (typeof received === 'string') throw new ErrnoError('recvmsg', received)
    opened.push(...received.descriptors)
    const whole = received.bytes.length === 3 && received.bytes[2] === 3 && received.descriptors.length === 2
    if (!whole || received.refused !== undefined) throw new Error('a message to itself came back changed')
    if (libc.receiveMessage(other) !== 'EAGAIN')
      throw new Error('reading an empty inbox does not give EAGAIN')
    if (libc.domainOf(received.descriptors[0]!) !== 'unix')
      throw new Error('a Unix socket is not recognised as one')
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}
