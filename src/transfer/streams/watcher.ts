import { getSystemErrorName } from 'node:util'
import { EventQueue, type QueuedEvent } from '../native/epoll.ts'
import { ErrnoError } from '../native/libc.ts'
import { probeBindings, SOCKET, type StreamHandle } from './handle.ts'

/** libuv reads nothing where it is given no memory: it says so, as often as there is something. */
const NO_MEMORY = new Uint8Array(0)

/**
 * Watches any number of sockets that this process does not read. Node holds one handle for all of them: that
 * of the kernel's queue, which libuv watches like any other descriptor.
 */
export class Watcher {
  readonly #queue: EventQueue
  readonly #handle: StreamHandle

  /**
   * @param told called once for each turn of the event loop in which there is something to tell
   * @throws Error foreign calls or Node's handles are missing
   */
  constructor(told: (events: readonly QueuedEvent[]) => void) {
    const node = probeBindings()
    if (!node.available) throw new Error(node.reason)
    this.#queue = new EventQueue()
    this.#handle = new node.bindings.Pipe(SOCKET)
    const status = this.#handle.open(this.#queue.fd)
    if (status !== 0) {
      this.#queue.close()
      this.#handle.close()
      throw new ErrnoError('open', getSystemErrorName(status))
    }
    this.#handle.useUserBuffer(NO_MEMORY)
    this.#handle.onread = () => {
      const events = this.#queue.take()
      if (events.length > 0) told(events)
    }
    this.#handle.readStart()
    this.#handle.unref()
  }

  /** Tells once when that socket can be read, or is over. @param number its name @throws ErrnoError */
  watch(fd: number, number: number): void {
    this.#queue.add(fd, number)
  }

  /** Tells once more. @throws ErrnoError */
  again(fd: number, number: number): void {
    this.#queue.again(fd, number)
  }

  /** Watches it no more; to be called before it is closed. */
  forget(fd: number): void {
    this.#queue.remove(fd)
  }

  /** The descriptor of the queue goes with its handle. */
  close(): void {
    this.#handle.close()
  }
}
