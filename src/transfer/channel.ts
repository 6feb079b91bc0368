import { probe } from './native/libc.ts'
import type { Descriptor } from './streams/descriptor.ts'
import { probeBindings } from './streams/handle.ts'

/** The supervisor's id. */
export const SUPERVISOR = 0

/**
 * Messages and descriptors between processes. Each two processes that may talk have a pair of their own, made
 * by the supervisor: the pair says who a message is from, and what a process does to its end concerns its
 * peer alone. Messages from one peer arrive whole and in order; those of several in any order. Nothing here
 * blocks.
 */
export interface Channel {
  readonly kind: 'native' | 'ipc'
  /** This process's id (uint32). Ids are never used again. */
  readonly self: number
  /** The ids that can be sent to. */
  readonly peers: ReadonlySet<number>
  /** Descriptors that one message takes: at most {@link MAX_DESCRIPTORS}. */
  readonly maxDescriptors: number

  /**
   * Sends at most {@link MAX_PAYLOAD} bytes and {@link maxDescriptors} descriptors. Payload and descriptors
   * stay the caller's, who may change or close them when this returns. A `RangeError` if it is too much, a
   * `TypeError` if a descriptor is closed.
   */
  send(to: number, payload: Uint8Array, descriptors?: readonly Descriptor[]): SendResult
  /**
   * A message; from whom is certain. The payload is borrowed until this returns; the descriptors are the
   * receiver's.
   */
  onMessage: (from: number, payload: Uint8Array, descriptors: Descriptor[]) => void
  /** A message that did not come whole: descriptors were lost (a full table) and the rest has been closed. */
  onRefused: ((from: number, payload: Uint8Array, reason: string) => void) | undefined
  /**
   * A message taken by {@link send} whose peer was gone before it was all sent. `started`: its first fragment
   * had left, its descriptors with it.
   */
  onUndeliverable: ((to: number, payload: Uint8Array, started: boolean) => void) | undefined
  /** A message that was `queued` has been sent whole. */
  onLeft: ((to: number, payload: Uint8Array) => void) | undefined
  /** Several messages of one peer are about to be handed out in one go. */
  onGather: (() => void) | undefined
  /** They have been. */
  onGathered: (() => void) | undefined
  /** Everything queued for this peer has been sent. */
  onDrain: ((to: number) => void) | undefined

  /**
   * That peer cannot be sent to any more, and says nothing that counts: it has ended, has closed its end, or
   * has broken the rules. Called once, not for {@link forget}. It need not be dead.
   */
  onLost: ((peer: number, reason: string) => void) | undefined

  /** Makes a peer known by our end of the pair, which is taken over. */
  addPeer(id: number, ends: readonly Descriptor[]): void
  /** Takes what has come from that peer by now; {@link onMessage} is called before this returns. */
  poll(id: number): void
  /** Gives the pair up with a peer that breaks the rules; {@link onLost} is called. */
  cut(id: number, reason: string): void
  /**
   * That process has ended: takes what it had sent, closes the pair, drops what came in part. Queued messages
   * are reported undeliverable.
   */
  forget(id: number): void
  /** Forgets all peers. */
  close(): void
}

/**
 * `sent`: the whole message is on its way. `queued`: (part of) it waits, and will be sent in order. `gone`:
 * no such peer, or its end is closed; nothing arrives. `full`: {@link MAX_QUEUED} bytes wait for this peer;
 * nothing was taken.
 */
export type SendResult = 'sent' | 'queued' | 'gone' | 'full'

export { MAX_DESCRIPTORS, MAX_PAYLOAD, MAX_QUEUED } from './channels/limits.ts'

/** Which channel to use here, and why, for the log. `HOTPOTATO_CHANNEL=ipc` forces Node's own IPC. */
export function chooseChannel(): { readonly kind: Channel['kind']; readonly reason: string } {
  if (process.env.HOTPOTATO_CHANNEL === 'ipc') return { kind: 'ipc', reason: 'HOTPOTATO_CHANNEL=ipc' }
  const native = probe()
  if (!native.available) return { kind: 'ipc', reason: native.reason }
  const handles = probeBindings()
  if (!handles.available) return { kind: 'ipc', reason: handles.reason }
  return { kind: 'native', reason: 'foreign calls work' }
}
