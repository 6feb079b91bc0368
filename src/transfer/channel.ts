import { probe } from './native/libc.ts'
import type { Descriptor } from './streams/descriptor.ts'

/**
 * Messages and descriptors between processes. Every process has one inbox; whoever has been given its sending end (a capability) can
 * write to it. Messages from one sender arrive whole and in order. Nothing here blocks. What a message says about its sender is the
 * sender's word: whoever needs more than that must seal the payload.
 */
export interface Channel {
  readonly kind: 'native' | 'ipc'
  /** This process's id (uint32). The supervisor is 0; ids are never used again. */
  readonly self: number
  /** The ids that can be sent to. */
  readonly peers: ReadonlySet<number>

  /**
   * Sends at most {@link MAX_PAYLOAD} bytes and {@link MAX_DESCRIPTORS} descriptors. Payload and descriptors stay the caller's, who may change or
   * close them when this returns. A `RangeError` if it is too much, a `TypeError` if a descriptor is closed.
   */
  send(to: number, payload: Uint8Array, descriptors?: readonly Descriptor[]): SendResult
  /** A message: the payload is a copy and the receiver's own, and so are the descriptors. */
  onMessage: (from: number, payload: Uint8Array, descriptors: Descriptor[]) => void
  /** A message that did not come whole: its descriptors were lost (a full descriptor table) and the rest has been closed. */
  onRefused: ((from: number, payload: Uint8Array, reason: string) => void) | undefined
  /** A message taken by {@link send} whose peer was gone before it was all sent. `started`: its first fragment had left, its descriptors with it. */
  onUndeliverable: ((to: number, payload: Uint8Array, started: boolean) => void) | undefined
  /** Everything queued for this peer has been sent. */
  onDrain: ((to: number) => void) | undefined

  /** Makes a peer known: the sending ends of its inbox, which are taken over. Introductions go both ways, or credits cannot come back. */
  addPeer(id: number, ends: readonly Descriptor[]): void
  /** Closes what belongs to a peer and drops what was half received from it. Queued messages are reported undeliverable. */
  forget(id: number): void
  /** Forgets everybody and closes the inbox. */
  close(): void
}

/**
 * `sent`: the whole message is on its way. `queued`: (part of) it waits, and will be sent in order. `gone`: no such peer, or its inbox is
 * closed; nothing arrives. `full`: {@link MAX_QUEUED} bytes wait for this peer already; nothing was taken.
 */
export type SendResult = 'sent' | 'queued' | 'gone' | 'full'

/** Bytes of the largest payload: 16 MiB. */
export const MAX_PAYLOAD = 0x1000000
/** Descriptors with one message; one on the `ipc` channel. */
export const MAX_DESCRIPTORS = 2
/** Bytes that may wait for one peer: 64 MiB. */
export const MAX_QUEUED = 0x4000000

/** Which channel to use here, and why, for the log. `HOTPOTATO_CHANNEL=ipc` forces Node's own IPC. */
export function chooseChannel(): { readonly kind: Channel['kind']; readonly reason: string } {
  if (process.env.HOTPOTATO_CHANNEL === 'ipc') return { kind: 'ipc', reason: 'HOTPOTATO_CHANNEL=ipc' }
  const native = probe()
  if (native.available) return { kind: 'native', reason: 'foreign calls work' }
  return { kind: 'ipc', reason: native.reason }
}
