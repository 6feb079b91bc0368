import { createRequire } from 'node:module'
import { getSystemErrorName } from 'node:util'
import { ErrnoError, probe } from './libc.ts'

const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_ATTACH_FILTER = 26
const SO_ATTACH_BPF = 50
const MSG_PEEK = 0x2
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const POLLPRI = 0x2

/** Bytes of the largest option and of the largest name (`sockaddr_in6` has 28). */
const BLOCK = 256
/** Where the length of an option, or of a name, stands behind it. */
const LENGTH_AT = BLOCK
/** A classic filter of one instruction, `return 0`: every segment is dropped, before it is looked at. */
const FILTER_AT = BLOCK + 16
const INSTRUCTION_AT = FILTER_AT + 16
const BPF_RETURN = 0x06
const ALL = INSTRUCTION_AT + 8

interface Koffi {
  load(path: null): { func(definition: string): (...args: (number | bigint | Uint8Array)[]) => number }
  alloc(type: string, count: number): bigint
  view(pointer: bigint, length: number): ArrayBuffer
  errno(): number
}

/** The foreign calls for what a socket is, beyond what Node tells. Each throws an {@link ErrnoError}. */
export interface Sockets {
  /** A new TCP socket, non-blocking and close-on-exec. @param domain `AF_INET`, `AF_INET6` */
  open(domain: number): number
  /** @param name a `sockaddr` */
  bind(fd: number, name: Uint8Array): void
  connect(fd: number, name: Uint8Array): void
  /** The `sockaddr` of its own end or the peer's, a view that the next call overwrites. */
  name(fd: number, whose: 'own' | 'peer'): Uint8Array
  option(fd: number, level: number, name: number): number
  /** A view that the next call overwrites. @param length bytes asked for; there may be fewer */
  optionBytes(fd: number, level: number, name: number, length: number): Uint8Array
  setOption(fd: number, level: number, name: number, value: number): void
  setOptionBytes(fd: number, level: number, name: number, value: Uint8Array): void
  /** A call that asks for a number. */
  ask(fd: number, request: number): number
  /** As many bytes of its queue as fit, which stay there. @returns how many */
  peek(fd: number, into: Uint8Array): number
  /** @returns how many bytes it has taken */
  send(fd: number, bytes: Uint8Array): number
  /** Whether urgent data waits. */
  isUrgent(fd: number): boolean
  /**
   * Has the kernel drop what comes for it, as if it had never come.
   * @param program of `loadDeafProgram`; without one it is a classic filter, which the kernel compiles first
   */
  deafen(fd: number, program?: number): void
}

let loaded: Sockets | undefined

/** @throws Error foreign calls do not work here */
export function sockets(): Sockets {
  if (loaded !== undefined) return loaded
  const probed = probe()
  if (!probed.available) throw new Error(probed.reason)
  loaded = load()
  return loaded
}

function load(): Sockets {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  const library = koffi.load(null)
  const socket = library.func('int socket(int, int, int)')
  const bind = library.func('int bind(int, uintptr_t, uint32_t)')
  const connect = library.func('int connect(int, uintptr_t, uint32_t)')
  const getsockname = library.func('int getsockname(int, uintptr_t, uintptr_t)')
  const getpeername = library.func('int getpeername(int, uintptr_t, uintptr_t)')
  const getsockopt = library.func('int getsockopt(int, int, int, uintptr_t, uintptr_t)')
  const setsockopt = library.func('int setsockopt(int, int, int, uintptr_t, uint32_t)')
  const ioctl = library.func('int ioctl(int, unsigned long, uintptr_t)')
  const recv = library.func('intptr_t recv(int, uint8_t *, size_t, int)')
  const send = library.func('intptr_t send(int, uint8_t *, size_t, int)')
  const poll = library.func('int poll(uintptr_t, unsigned long, int)')

  const pointer = koffi.alloc('uint8', ALL)
  const memory = koffi.view(pointer, ALL)
  const block = Number(pointer)
  const bytes = new Uint8Array(memory, 0, BLOCK)
  const view = new DataView(memory)
  const length = block + LENGTH_AT
  // struct sock_fprog: how many instructions, and where. Then the one: its code, jumps, and the value.
  view.setUint16(FILTER_AT, 1, true)
  view.setBigUint64(FILTER_AT + 8, BigInt(block + INSTRUCTION_AT), true)
  view.setUint16(INSTRUCTION_AT, BPF_RETURN, true)
  view.setUint32(INSTRUCTION_AT + 4, 0, true)

  const check = (call: string, result: number): number => {
    if (result < 0) throw new ErrnoError(call, getSystemErrorName(-koffi.errno()))
    return result
  }
  const put = (value: Uint8Array): number => {
    if (value.length > BLOCK) throw new RangeError(`${value.length} bytes`)
    bytes.set(value)
    return value.length
  }
  /** What the kernel has written, at most as much as there is room for. */
  const answer = (): Uint8Array => bytes.subarray(0, Math.min(view.getUint32(LENGTH_AT, true), BLOCK))
  const ask = (fd: number, level: number, name: number, room: number): Uint8Array => {
    checkFd(fd)
    if (room > BLOCK) throw new RangeError(`${room} bytes`)
    view.setUint32(LENGTH_AT, room, true)
    check('getsockopt', getsockopt(fd, level, name, block, length))
    return answer()
  }

  return {
    open: domain => check('socket', socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
    bind(fd, name) {
      checkFd(fd)
      check('bind', bind(fd, block, put(name)))
    },
    connect(fd, name) {
      checkFd(fd)
      check('connect', connect(fd, block, put(name)))
    },
    name(fd, whose) {
      checkFd(fd)
      view.setUint32(LENGTH_AT, BLOCK, true)
      if (whose === 'own') check('getsockname', getsockname(fd, block, length))
      else check('getpeername', getpeername(fd, block, length))
      return answer()
    },
    option(fd, level, name) {
      view.setInt32(0, 0, true)
      ask(fd, level, name, 4)
      return view.getInt32(0, true)
    },
    optionBytes: ask,
    setOption(fd, level, name, value) {
      checkFd(fd)
      view.setInt32(0, value, true)
      check('setsockopt', setsockopt(fd, level, name, block, 4))
    },
    setOptionBytes(fd, level, name, value) {
      checkFd(fd)
      check('setsockopt', setsockopt(fd, level, name, block, put(value)))
    },
    ask(fd, request) {
      checkFd(fd)
      check('ioctl', ioctl(fd, request, block))
      return view.getInt32(0, true)
    },
    peek(fd, into) {
      checkFd(fd)
      return check('recv', recv(fd, into, into.length, MSG_PEEK | MSG_DONTWAIT))
    },
    send(fd, from) {
      checkFd(fd)
      return check('send', send(fd, from, from.length, MSG_DONTWAIT | MSG_NOSIGNAL))
    },
    isUrgent(fd) {
      checkFd(fd)
      // A pollfd: the descriptor, then in 16 bits each what is asked for, and what is the case.
      view.setInt32(0, fd, true)
      view.setInt32(4, POLLPRI, true)
      return check('poll', poll(block, 1, 0)) > 0 && (view.getUint16(6, true) & POLLPRI) !== 0
    },
    deafen(fd, program) {
      if (program !== undefined) return this.setOption(fd, SOL_SOCKET, SO_ATTACH_BPF, program)
      checkFd(fd)
      check('setsockopt', setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, block + FILTER_AT, 16))
    },
  }
}

function checkFd(fd: number): void {
  if (!Number.isInteger(fd) || fd < 0 || fd > 0x7fffffff) throw new RangeError(`${fd} is not a descriptor`)
}
