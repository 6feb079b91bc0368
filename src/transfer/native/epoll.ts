import { closeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { getSystemErrorName } from 'node:util'
import { ErrnoError, probe } from './libc.ts'

/** Events that one {@link EventQueue.take} gives at most. */
const MOST = 256

const EPOLL_CLOEXEC = 0o2000000
const EPOLL_CTL_ADD = 1
const EPOLL_CTL_DEL = 2
const EPOLL_CTL_MOD = 3
const EPOLLIN = 0x1
const EPOLLERR = 0x8
const EPOLLHUP = 0x10
const EPOLLRDHUP = 0x2000
const EPOLLONESHOT = 0x40000000

/** Bytes of a `struct epoll_event`: packed on x86-64 alone. Where its number stands in it. */
const [EVENT, NUMBER_AT] = process.arch === 'x64' ? [12, 4] : [16, 8]

interface Koffi {
  load(path: null): { func(definition: string): (...args: number[]) => number }
  alloc(type: string, count: number): bigint
  view(pointer: bigint, length: number): ArrayBuffer
  errno(): number
}

/** What the kernel says of one descriptor. */
export interface QueuedEvent {
  /** As it was given to {@link EventQueue.add}. */
  readonly number: number
  /** The connection is over in both directions: it was reset, or both ends have sent their FIN. */
  readonly over: boolean
}

/**
 * One `epoll`: the kernel watches descriptors that this process neither reads nor writes, at the cost of a
 * few words each, and none of Node's. Each is told of once, then again after {@link again}.
 */
export class EventQueue {
  /** Of the queue itself: readable as long as there is something to {@link take}. */
  readonly fd: number
  readonly #epollCtl: (...args: number[]) => number
  readonly #epollWait: (...args: number[]) => number
  readonly #errno: () => number
  readonly #pointer: number
  readonly #view: DataView

  /** @throws Error foreign calls are missing, or the system has no descriptor */
  constructor() {
    const native = probe()
    if (!native.available) throw new Error(native.reason)
    const koffi = createRequire(import.meta.url)('koffi') as Koffi
    const library = koffi.load(null)
    this.#epollCtl = library.func('int epoll_ctl(int, int, int, uintptr_t)')
    this.#epollWait = library.func('int epoll_wait(int, uintptr_t, int, int)')
    this.#errno = () => koffi.errno()
    const pointer = koffi.alloc('uint8', EVENT * MOST)
    this.#pointer = Number(pointer)
    this.#view = new DataView(koffi.view(pointer, EVENT * MOST))
    this.fd = library.func('int epoll_create1(int)')(EPOLL_CLOEXEC)
    if (this.fd < 0) throw new ErrnoError('epoll_create1', this.#failure())
  }

  /** Watches a descriptor. @param number what it is called, below 2^32 @throws ErrnoError */
  add(fd: number, number: number): void {
    this.#control('add', fd, number)
  }

  /** Tells of it once more, if something is there or comes. @throws ErrnoError */
  again(fd: number, number: number): void {
    this.#control('again', fd, number)
  }

  /**
   * Watches it no more. To be called before it is closed: others may have the same socket open. What is not
   * watched is passed over.
   */
  remove(fd: number): void {
    this.#epollCtl(this.fd, EPOLL_CTL_DEL, fd, this.#pointer)
  }

  /** What there is to tell, at most 256 of them, without waiting. */
  take(): QueuedEvent[] {
    const count = this.#epollWait(this.fd, this.#pointer, MOST, 0)
    const events: QueuedEvent[] = []
    for (let at = 0; at < count * EVENT; at += EVENT) {
      const flags = this.#view.getUint32(at, true)
      const number = this.#view.getUint32(at + NUMBER_AT, true)
      events.push({ number, over: (flags & (EPOLLERR | EPOLLHUP)) !== 0 })
    }
    return events
  }

  close(): void {
    closeSync(this.fd)
  }

  #control(how: 'add' | 'again', fd: number, number: number): void {
    if (!Number.isInteger(fd) || fd < 0) throw new RangeError(`${fd} is not a descriptor`)
    this.#view.setUint32(0, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, true)
    this.#view.setUint32(NUMBER_AT, number, true)
    const call = how === 'add' ? EPOLL_CTL_ADD : EPOLL_CTL_MOD
    if (this.#epollCtl(this.fd, call, fd, this.#pointer) < 0)
      throw new ErrnoError('epoll_ctl', this.#failure())
  }

  #failure(): string {
    return getSystemErrorName(-this.#errno())
  }
}
