import { ErrnoError, type Libc, probe } from '../native/libc.ts'
import { type ByteStream, Descriptor, openStream } from '../stream.ts'
import { closeAll } from './assembly.ts'
import { FramedChannel } from './framed.ts'

/** An inbox, both ends: the receiving ones go to one process, the sending ones to whoever may write to it. */
export interface Inbox {
  /** SEQPACKET: the messages come out here. */
  readonly receive: Descriptor
  /** Stream: a byte comes out here when there are messages, because Node cannot wait for the other. */
  readonly wake: Descriptor
  readonly send: Descriptor
  readonly wakeSend: Descriptor
}

/** What {@link NativeChannel.open} needs. The descriptors are taken over. */
export interface NativeOptions {
  readonly self: number
  readonly receive: Descriptor
  readonly wake: Descriptor
}

/** The sending ends of a peer's inbox. */
interface PeerInbox {
  readonly send: Descriptor
  readonly wake: Descriptor
  /** Messages that it has not been woken for in this turn of ours; undefined before the first one. */
  quiet: number | undefined
}

/** Messages that a peer is not woken for. */
const QUIET = 8
/** Frames taken out of the inbox before other events have their turn. */
const BATCH = 64
/** Bytes asked for the kernel's buffer of an inbox. */
const BUFFER = 0x100000
/** Errors that pass: no room for the message, or too many descriptors on the way. */
const BUSY = new Set(['EAGAIN', 'ENOBUFS', 'ENOMEM', 'ETOOMANYREFS', 'EINTR'])
/** Errors that say that nobody will ever read it. */
const GONE = new Set(['EPIPE', 'ECONNRESET', 'ECONNREFUSED', 'ENOTCONN'])

/** Makes an inbox. An `Error` where foreign calls are missing. Close the receiving ends once a child has inherited them. */
export function createInbox(): Inbox {
  const libc = need()
  const [receive, send] = libc.socketPair('seqpacket').map(Descriptor.fromFd) as [Descriptor, Descriptor]
  try {
    libc.setBuffers(send.fd, BUFFER)
    const [wake, wakeSend] = libc.socketPair('stream').map(Descriptor.fromFd) as [Descriptor, Descriptor]
    return { receive, wake, send, wakeSend }
  } catch (error) {
    closeAll([receive, send])
    throw error
  }
}

/** Messages by `sendmsg` straight into the other process's inbox, descriptors by `SCM_RIGHTS`. */
export class NativeChannel extends FramedChannel {
  readonly kind = 'native'
  readonly #libc: Libc
  readonly #receive: Descriptor
  readonly #wake: ByteStream
  readonly #inboxes = new Map<number, PeerInbox>()
  #again: NodeJS.Immediate | undefined

  /** Opens this process's inbox. An `Error` where foreign calls are missing. */
  static open(options: NativeOptions): NativeChannel {
    return new NativeChannel(need(), options)
  }

  private constructor(libc: Libc, { self, receive, wake }: NativeOptions) {
    super(self)
    this.#libc = libc
    this.#receive = receive
    this.#wake = openStream(wake)
    // Its end or an error mean that nobody is left who could write to us: then nothing comes any more, that is all.
    this.#wake.read({ bytes: () => this.#drain(), end() {}, error() {} })
  }

  /** `ends`: the sending ends of the peer's {@link Inbox}, `[send, wakeSend]`. */
  addPeer(id: number, ends: readonly Descriptor[]): void {
    const [send, wake] = ends
    if (ends.length !== 2 || send === undefined || wake === undefined) {
      closeAll(ends)
      throw new RangeError(`an inbox has 2 sending ends, not ${ends.length}`)
    }
    const inbox: PeerInbox = { send, wake, quiet: undefined }
    try {
      this.register(id, (header, body, descriptors) => this.#transmit(inbox, header, body, descriptors))
    } catch (error) {
      closeAll(ends)
      throw error
    }
    this.#inboxes.set(id, inbox)
  }

  override forget(id: number): void {
    super.forget(id)
    const inbox = this.#inboxes.get(id)
    if (inbox !== undefined) closeAll([inbox.send, inbox.wake])
    this.#inboxes.delete(id)
  }

  override close(): void {
    if (this.closed) return
    super.close()
    clearImmediate(this.#again)
    this.#wake.destroy()
    this.#receive.close()
  }

  #transmit(
    inbox: PeerInbox,
    header: Uint8Array,
    body: Uint8Array,
    descriptors: readonly Descriptor[],
  ): 'sent' | 'busy' | 'gone' {
    const fds = descriptors.map(descriptor => descriptor.fd)
    const failed = this.#libc.sendMessage(inbox.send.fd, header, body, fds)
    if (failed === undefined) {
      this.#announce(inbox)
      return 'sent'
    }
    if (BUSY.has(failed)) return 'busy'
    if (GONE.has(failed)) return 'gone'
    throw new ErrnoError('sendmsg', failed)
  }

  /**
   * Wakes the peer for a message: at once for the first one in a turn of ours, so that it works while we do, then for every few, and for what
   * is left when our turn is over. A peer that is awake takes all there is.
   */
  #announce(inbox: PeerInbox): void {
    if (inbox.quiet === undefined) {
      queueMicrotask(() => {
        if (inbox.quiet !== 0) this.#wakeUp(inbox)
        inbox.quiet = undefined
      })
      this.#wakeUp(inbox)
    } else if (++inbox.quiet >= QUIET) this.#wakeUp(inbox)
  }

  #wakeUp(inbox: PeerInbox): void {
    inbox.quiet = 0
    // A full wake stream is as good: a byte is waiting in it. A closed one belongs to a process that is ending.
    if (inbox.wake.open) this.#libc.wake(inbox.wake.fd)
  }

  #drain(): void {
    clearImmediate(this.#again)
    this.#again = undefined
    let more = true
    try {
      for (let i = 0; i < BATCH && more; i++) more = this.#receiveOne()
    } finally {
      // Also when a handler has thrown: no other byte may come to wake us for what is still there.
      if (more && !this.closed) this.#again = setImmediate(() => this.#drain())
    }
  }

  /** Whether there may be more. */
  #receiveOne(): boolean {
    if (this.closed) return false
    const received = this.#libc.receiveMessage(this.#receive.fd)
    if (received === 'EAGAIN' || received === 'EOF') return false
    if (typeof received === 'string') {
      if (received === 'EINTR' || received === 'ECONNRESET') return true
      this.close()
      throw new ErrnoError('recvmsg', received)
    }
    this.receive(received.bytes, received.descriptors.map(Descriptor.fromFd), received.refused)
    return true
  }
}

function need(): Libc {
  const probed = probe()
  if (!probed.available) throw new Error(`no native channel: ${probed.reason}`)
  return probed.libc
}
