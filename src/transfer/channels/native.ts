import type { Budget } from '../../wire/index.ts'
import { type Libc, probe } from '../native/libc.ts'
import { Descriptor } from '../stream.ts'
import { probeBindings } from '../streams/handle.ts'
import { closeAll } from './assembly.ts'
import { CLOSED, FramedChannel } from './framed.ts'
import { Readiness } from './readiness.ts'

/** One end of a pair, a SEQPACKET socket: what a process has for one of its peers, and no other has. */
export type PairEnd = readonly [Descriptor]

/** One peer's pair, our end of it. */
interface Link {
  readonly id: number
  readonly socket: Readiness
  open: boolean
  /** Events so far. */
  events: number
  /** At the last look there were several messages. */
  several: boolean
}

/**
 * Messages come one at a time as a rule, and are taken so: to look for a second one costs a call. At one of
 * so many events there is a look.
 */
const LOOK = 8
/** Frames taken from one peer before other events have their turn. */
const BATCH = 64
/** Frames taken at most from a peer that has ended: more than the kernel holds of it. */
const LAST = 8192
/** Bytes asked for the kernel's buffer of each end. */
const BUFFER = 0x100000
/** Errors that pass: no room for the message, or too many descriptors on the way. */
const BUSY = new Set(['EAGAIN', 'ENOBUFS', 'ENOMEM', 'ETOOMANYREFS', 'EINTR'])

/** Makes a pair for two processes. An `Error` where foreign calls or handles of Node's are missing. */
export function createPair(): readonly [PairEnd, PairEnd] {
  const libc = need()
  const made: Descriptor[] = []
  try {
    made.push(...libc.socketPair('seqpacket').map(Descriptor.fromFd))
    for (const { fd } of made) libc.setBuffers(fd, BUFFER)
    return [[made[0]!], [made[1]!]]
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
   * An `Error` where foreign calls or handles of Node's are missing.
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
    const [end] = ends
    if (ends.length !== 1 || end === undefined) {
      closeAll(ends)
      throw new RangeError(`an end of a pair is 1 descriptor, not ${ends.length}`)
    }
    const socket = new Readiness(end, () => this.#drain(link))
    const link: Link = { id, socket, open: true, events: 0, several: false }
    try {
      this.register(id, (header, body, descriptors) => this.#transmit(link, header, body, descriptors))
    } catch (error) {
      this.#shut(link)
      throw error
    }
    this.#links.set(id, link)
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
    link.socket.close()
  }

  #transmit(
    link: Link,
    header: Uint8Array,
    body: Uint8Array,
    descriptors: readonly Descriptor[],
  ): 'sent' | 'busy' | 'gone' {
    if (!link.open) return 'gone'
    const fds = descriptors.map(descriptor => descriptor.fd)
    const failed = this.#libc.sendMessage(link.socket.fd, header, body, fds)
    if (failed === undefined) return 'sent'
    // EPIPE and its like: the peer will never read it. Any other error: code of this process has meddled with
    // our end, which comes to the same.
    return BUSY.has(failed) ? 'busy' : 'gone'
  }

  /** Something waits. What is left of it is another event: other peers have their turn before. */
  #drain(link: Link): void {
    const looks = link.several || ++link.events % LOOK === 0
    const most = looks ? BATCH : 1
    let taken = 0
    if (link.several) this.onGather?.()
    try {
      while (taken < most && this.#receiveOne(link)) taken++
    } finally {
      if (link.several) this.onGathered?.()
    }
    if (looks) link.several = taken > 1
  }

  #takeRest(link: Link, most = LAST): void {
    for (let i = 0; i < most && this.#receiveOne(link); i++);
  }

  /** Whether there may be more. */
  #receiveOne(link: Link): boolean {
    if (!link.open) return false
    const received = this.#libc.receiveMessage(link.socket.fd)
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
  const handles = probeBindings()
  if (!handles.available) throw new Error(`no native channel: ${handles.reason}`)
  return probed.libc
}
