import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { StreamHandle } from './handle.ts'

/** What a {@link Descriptor} owns: a bare file descriptor, or a handle of Node's that holds one. */
export type Owned =
  | { readonly kind: 'fd'; readonly fd: number }
  | { readonly kind: 'handle'; readonly handle: StreamHandle }

/**
 * Owns one file descriptor and closes it exactly once: a number that is closed twice closes a descriptor of
 * another owner. Closing is silent for other holders of the same connection; nothing is sent to the peer
 * while another copy is open.
 */
export class Descriptor {
  #owned: Owned | undefined
  #holds = 0
  #closing = false

  private constructor(owned: Owned) {
    this.#owned = owned
  }

  /** Takes ownership of an open file descriptor. A `RangeError` if it cannot be one. */
  static fromFd(fd: number): Descriptor {
    if (!Number.isInteger(fd) || fd < 0 || fd > 0x7fffffff) throw new RangeError(`${fd} is not a descriptor`)
    return new Descriptor({ kind: 'fd', fd })
  }

  /** Takes ownership of a handle that no other code reads, writes or closes. */
  static fromHandle(handle: StreamHandle): Descriptor {
    return new Descriptor({ kind: 'handle', handle })
  }

  /** Whether it still owns something. */
  get open(): boolean {
    return this.#owned !== undefined && !this.#closing
  }

  get kind(): Owned['kind'] {
    return this.#get().kind
  }

  /** The number, to look at or to send; it stays owned by this object. A `TypeError` once closed or taken. */
  get fd(): number {
    const owned = this.#get()
    const fd = owned.kind === 'fd' ? owned.fd : owned.handle.fd
    if (fd < 0) throw new TypeError('the handle behind this descriptor is closed')
    return fd
  }

  /** The handle, to send; it stays owned by this object. A bare descriptor is put into a handle for good. */
  get handle(): StreamHandle {
    const owned = this.#get()
    if (owned.kind === 'handle') return owned.handle
    const handle = wrap(owned.fd)
    this.#owned = { kind: 'handle', handle }
    return handle
  }

  /**
   * Gives the ownership to the caller; {@link close} does nothing from now on. A `TypeError` while it is
   * held.
   */
  take(): Owned {
    const owned = this.#get()
    if (this.#holds > 0) throw new TypeError('this descriptor waits to be sent')
    this.#owned = undefined
    return owned
  }

  /**
   * Keeps it open until the returned function is called, whatever {@link close} says meanwhile: what waits to
   * be sent must not become the number of another file.
   */
  hold(): () => void {
    this.#get()
    this.#holds++
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#holds--
      if (this.#closing) this.#close()
    }
  }

  /** Closes what it owns, if it still does, as soon as no caller {@link hold}s it any more. */
  close(): void {
    this.#closing = true
    this.#close()
  }

  #close(): void {
    const owned = this.#owned
    if (owned === undefined || this.#holds > 0) return
    this.#owned = undefined
    if (owned.kind === 'fd') closeSync(owned.fd)
    else owned.handle.close()
  }

  #get(): Owned {
    if (this.#owned === undefined) throw new TypeError('this descriptor has been closed or taken')
    return this.#owned
  }
}

/**
 * Puts a descriptor into a handle by way of a socket that never reads: Node finds out whether it is TCP or
 * Unix.
 */
function wrap(fd: number): StreamHandle {
  const shell = new Socket({ fd, pauseOnCreate: true } as { fd: number }) as unknown as {
    _handle: StreamHandle | null
    destroy(): void
  }
  const handle = shell._handle
  if (handle === null) throw new TypeError(`descriptor ${fd} is not a stream`)
  shell._handle = null
  shell.destroy()
  return handle
}
