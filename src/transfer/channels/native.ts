import type { Budget } from '../../wire/index.ts'
import type { ByteStream } from '../byte-stream.ts'
import { type Libc, probe } from '../native/libc.ts'
import { Descriptor, openStream } from '../stream.ts'
import { closeAll } from './assembly.ts'
import { CLOSED, FLOODS, FramedChannel } from './framed.ts'

/** One end of a pair: what a process has for one of its peers, and shares with no other process. */
export type PairEnd = readonly [
  /** SEQPACKET: messages go in and come out here. */
  messages: Descriptor,
  /** Stream: a byte comes out here when there are messages, because Node cannot wait for the other. */
  wake: Descriptor,
]

/** One peer's pair, our end of it. */
interface Link {
  readonly id: number
  readonly messages: Descriptor
  readonly wake: ByteStream
  readonly wakeFd: number
  /** Called at the end of a turn in which something was sent. */
  readonly settled: () => void
  open: boolean
  /** Messages that the peer has not been woken for in this turn of ours; undefined before the first one. */
  quiet: number | undefined
  again: NodeJS.Immediate | undefined
}

/** A microtask for less than `queueMicrotask` costs. */
const SETTLED = Promise.resolve()
/** Messages that a peer is not woken for. */
const QUIET = 8
/**
 * What a byte of the wake stream says: one message has been sent with it, and none before it that no byte has
 * said; or there may be several. Any other byte says the same as the second.
 */
const ONE = 0x31
const SEVERAL = 0x2b
/** Frames taken from one peer before other events have their turn. */
const BATCH = 64
/** Frames taken at most from a peer that has ended: more than the kernel holds of it. */
const LAST = 8192
/** Bytes asked for the kernel's buffer of each end. */
const BUFFER = 0x100000
/** Errors that pass: no room for the message, or too many descriptors on the way. */
const BUSY = new Set(['EAGAIN', 'ENOBUFS', 'ENOMEM', 'ETOOMANYREFS', 'EINTR'])

/** Makes a pair for two processes. An `Error` where foreign calls are missing. */
export function createPair(): readonly [PairEnd, PairEnd] {
  const libc = need()
  const made: Descriptor[] = []
  try {
    const messages = libc.socketPair('seqpacket').map(Descriptor.fromFd)
    made.push(...messages)
    for (const { fd } of messages) libc.setBuffers(fd, BUFFER)
    const wakes = libc.socketPair('stream').map(Descriptor.fromFd)
    return [
      [messages[0]!, wakes[0]!],
      [messages[1]!, wakes[1]!],
    ]
  } catch (error) {
    closeAll(made)
    throw error
  }
}

/**
 * Messages by `sendmsg` straight into the other process, descriptors by `SCM_RIGHTS`. Each two processes have
 * a pair of their own: what one does to its end, only the two notice. The sender of a message is the process
 * that has the other end.
 */
export class NativeChannel extends FramedChannel {
  readonly kind = 'native'
  readonly #libc: Libc
  readonly #links = new Map<number, Link>()

  /**
   * An `Error` where foreign calls are missing.
   * @param budget how many frames each peer may send @param portion bytes after which a peer gets its credit
   */
  static open(self: number, budget?: Budget, portion?: number): NativeChannel {
    return new NativeChannel(need(), self, budget, portion)
  }

  private constructor(libc: Libc, self: number, budget: Budget | undefined, portion: number | undefined) {
    super(self, budget, undefined, portion)
    this.#libc = libc
  }

  /** `ends`: our end of the pair, a {@link PairEnd}. */
  addPeer(id: number, ends: readonly Descriptor[]): void {
    const [messages, wake] = ends
    if (ends.length !== 2 || messages === undefined || wake === undefined) {
      closeAll(ends)
      throw new RangeError(`an end of a pair is 2 descriptors, not ${ends.length}`)
    }
    const link = this.#open(id, messages, wake)
    try {
      this.register(id, (header, body, descriptors) => this.#transmit(link, header, body, descriptors))
    } catch (error) {
      this.#shut(link)
      throw error
    }
    this.#links.set(id, link)
    const woken = (bytes: Uint8Array): void => {
      // Each of them is an event for us, or would be if we were quicker.
      if (this.floods(id, bytes.length)) this.cut(id, FLOODS)
      else this.#drain(link, bytes.every(byte => byte === ONE) ? bytes.length : BATCH)
    }
    const finish = (): void => {
      this.#takeRest(link)
      this.cut(id, CLOSED)
    }
    link.wake.read({ bytes: woken, end: finish, error: finish })
  }

  #open(id: number, messages: Descriptor, wake: Descriptor): Link {
    try {
      const wakeFd = wake.fd
      const stream = openStream(wake)
      const settled = (): void => {
        if (link.quiet !== 0) this.#wakeUp(link, SEVERAL)
        link.quiet = undefined
      }
      const link: Link = {
        id,
        messages,
        wake: stream,
        wakeFd,
        settled,
        open: true,
        quiet: undefined,
        again: undefined,
      }
      return link
    } catch (error) {
      closeAll([messages, wake])
      throw error
    }
  }

  /** What a peer that has ended had sent is taken first: it may be a verdict. */
  override forget(id: number): void {
    const link = this.#links.get(id)
    if (link !== undefined) {
      this.#takeRest(link)
      this.#links.delete(id)
      this.#shut(link)
    }
    super.forget(id)
  }

  override poll(id: number): void {
    const link = this.#links.get(id)
    if (link !== undefined) this.#takeRest(link, BATCH)
  }

  override cut(id: number, reason: string): void {
    const link = this.#links.get(id)
    if (link !== undefined) this.#shut(link)
    super.cut(id, reason)
  }

  #shut(link: Link): void {
    if (!link.open) return
    link.open = false
    clearImmediate(link.again)
    link.wake.destroy()
    link.messages.close()
  }

  #transmit(
    link: Link,
    header: Uint8Array,
    body: Uint8Array,
    descriptors: readonly Descriptor[],
  ): 'sent' | 'busy' | 'gone' {
    if (!link.open) return 'gone'
    const fds = descriptors.map(descriptor => descriptor.fd)
    const failed = this.#libc.sendMessage(link.messages.fd, header, body, fds)
    if (failed === undefined) {
      this.#announce(link)
      return 'sent'
    }
    // EPIPE and its like: the peer will never read it. Any other error: code of this process has meddled with
    // our end, which comes to the same.
    return BUSY.has(failed) ? 'busy' : 'gone'
  }

  /**
   * Wakes the peer for a message: at once for the first one in a turn of ours, so that it works while we do,
   * then for every few, and for what is left when our turn is over. A peer that is awake takes all there is.
   */
  #announce(link: Link): void {
    if (link.quiet === undefined) {
      SETTLED.then(link.settled)
      this.#wakeUp(link, ONE)
    } else if (++link.quiet >= QUIET) this.#wakeUp(link, SEVERAL)
  }

  #wakeUp(link: Link, messages: number): void {
    link.quiet = 0
    // A full wake stream is as good: a byte is waiting in it. A closed one belongs to a process that is
    // ending.
    if (link.open && link.wake.state === 'open') this.#libc.wake(link.wakeFd, messages)
  }

  /** @param announced messages that there are; {@link BATCH}: as many as there are */
  #drain(link: Link, announced: number): void {
    // What was left for the next turn has no byte of its own: this is its turn.
    const left = link.again !== undefined
    clearImmediate(link.again)
    link.again = undefined
    const most = left ? BATCH : Math.min(announced, BATCH)
    let more = true
    let taken = 0
    try {
      while (more && taken < most) {
        taken++
        more = this.#receiveOne(link)
      }
    } finally {
      // Also when a handler has thrown: no other byte may come to wake us for what is still there.
      const rest = left || announced === BATCH || taken < announced
      if (more && rest && link.open) link.again = setImmediate(() => this.#drain(link, BATCH))
    }
  }

  #takeRest(link: Link, most = LAST): void {
    for (let i = 0; i < most && this.#receiveOne(link); i++);
  }

  /** Whether there may be more. */
  #receiveOne(link: Link): boolean {
    if (!link.open) return false
    const received = this.#libc.receiveMessage(link.messages.fd)
    if (typeof received !== 'string') {
      this.receive(link.id, received.bytes, received.descriptors.map(Descriptor.fromFd), received.refused)
      return true
    }
    // ECONNRESET: the peer ended before it read all; what it had sent is still here.
    if (received === 'EINTR' || received === 'ECONNRESET') return true
    if (received !== 'EAGAIN') this.cut(link.id, CLOSED)
    return false
  }
}

function need(): Libc {
  const probed = probe()
  if (!probed.available) throw new Error(`no native channel: ${probed.reason}`)
  return probed.libc
}
