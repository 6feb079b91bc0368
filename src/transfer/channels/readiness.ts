import { getSystemErrorName } from 'node:util'
import { ErrnoError, probe } from '../native/libc.ts'
import { Descriptor } from '../streams/descriptor.ts'
import { probeBindings, SOCKET, type StreamHandle } from '../streams/handle.ts'

/** libuv reads nothing where it is given no memory: it says so, and says so again as long as bytes wait. */
const NO_MEMORY = new Uint8Array(0)

/**
 * Watches a socket that Node cannot read, because its messages carry descriptors: says when there is
 * something in it, and leaves it there.
 */
export class Readiness {
  readonly #handle: StreamHandle
  readonly #descriptor: Descriptor

  /**
   * Takes the descriptor over, also if it throws.
   * @param ready called once for each turn of the event loop at whose beginning something waits: a message,
   * or the end of the peer
   * @throws Error foreign calls or Node's handles are missing, or it is no Unix socket
   */
  constructor(descriptor: Descriptor, ready: () => void) {
    try {
      this.#handle = handleFor(descriptor)
    } catch (error) {
      descriptor.close()
      throw error
    }
    descriptor.take()
    this.#descriptor = Descriptor.fromHandle(this.#handle)
    this.#handle.useUserBuffer(NO_MEMORY)
    this.#handle.onread = ready
    this.#handle.readStart()
  }

  /** The socket's; -1 once it is closed. */
  get fd(): number {
    return this.#descriptor.open ? this.#handle.fd : -1
  }

  /** Closes the socket. */
  close(): void {
    this.#descriptor.close()
  }
}

function handleFor(descriptor: Descriptor): StreamHandle {
  const native = probe()
  if (!native.available) throw new Error(native.reason)
  const node = probeBindings()
  if (!node.available) throw new Error(node.reason)
  // libuv would end the process for a file.
  if (native.libc.domainOf(descriptor.fd) !== 'unix') throw new TypeError('not a Unix socket')
  const handle = new node.bindings.Pipe(SOCKET)
  const status = handle.open(descriptor.fd)
  if (status === 0) return handle
  handle.close()
  throw new ErrnoError('open', getSystemErrorName(status))
}
