import { EMPTY } from '../../wire/index.ts'
import type { Field } from '../message.ts'
import type { ErrorName } from './error.ts'
import type { H2Event } from './event.ts'
import type { ReceiveWindow } from './window.ts'

/** The states of RFC 9113 §5.1. Those of pushed streams never come about: this server does not push. */
export const STREAM_STATES = [
  'idle',
  'open',
  'half-closed (local)',
  'half-closed (remote)',
  'closed',
] as const
export type StreamState = (typeof STREAM_STATES)[number]

/** What can happen to a stream: H is HEADERS, ES the END_STREAM flag, R is RST_STREAM. */
export type StreamEvent =
  | 'send H'
  | 'recv H'
  | 'send ES'
  | 'recv ES'
  | 'send DATA'
  | 'recv DATA'
  | 'send R'
  | 'recv R'
  | 'recv WINDOW_UPDATE'

/** What must not happen: the error that it is, and what that ends. */
export interface Forbidden {
  readonly error: ErrorName
  readonly scope: 'stream' | 'connection'
}

const idle: Forbidden = { error: 'PROTOCOL_ERROR', scope: 'connection' }
const ended: Forbidden = { error: 'STREAM_CLOSED', scope: 'stream' }
const gone: Forbidden = { error: 'STREAM_CLOSED', scope: 'connection' }
/** Our own mistake, never the peer's. */
const misuse: Forbidden = { error: 'INTERNAL_ERROR', scope: 'stream' }

/** The diagram of §5.1 as a table: the state that follows, or what is broken. */
export const TRANSITIONS: Readonly<
  Record<StreamState, Readonly<Record<StreamEvent, StreamState | Forbidden>>>
> = {
  idle: {
    'send H': 'open',
    'recv H': 'open',
    'send ES': misuse,
    'recv ES': idle,
    'send DATA': misuse,
    'recv DATA': idle,
    'send R': misuse,
    'recv R': idle,
    'recv WINDOW_UPDATE': idle,
  },
  open: {
    'send H': 'open',
    'recv H': 'open',
    'send ES': 'half-closed (local)',
    'recv ES': 'half-closed (remote)',
    'send DATA': 'open',
    'recv DATA': 'open',
    'send R': 'closed',
    'recv R': 'closed',
    'recv WINDOW_UPDATE': 'open',
  },
  'half-closed (local)': {
    'send H': misuse,
    'recv H': 'half-closed (local)',
    'send ES': misuse,
    'recv ES': 'closed',
    'send DATA': misuse,
    'recv DATA': 'half-closed (local)',
    'send R': 'closed',
    'recv R': 'closed',
    'recv WINDOW_UPDATE': 'half-closed (local)',
  },
  'half-closed (remote)': {
    'send H': 'half-closed (remote)',
    'recv H': ended,
    'send ES': 'closed',
    'recv ES': ended,
    'send DATA': 'half-closed (remote)',
    'recv DATA': ended,
    'send R': 'closed',
    'recv R': 'closed',
    'recv WINDOW_UPDATE': 'half-closed (remote)',
  },
  closed: {
    'send H': misuse,
    'recv H': gone,
    'send ES': misuse,
    'recv ES': gone,
    'send DATA': misuse,
    'recv DATA': gone,
    'send R': 'closed',
    'recv R': 'closed',
    'recv WINDOW_UPDATE': 'closed',
  },
}

/** One stream that is not closed. Plain data: `state.ts` writes it down. */
export interface Stream extends ReceiveWindow {
  readonly id: number
  state: StreamState
  /** Bytes that we may send; below zero after the peer has made its initial window smaller. */
  sendWindow: number
  /** Bytes of content given to the application and not yet consumed. */
  unconsumed: number
  /** Bytes of content that Content-Length still promises to us; -1 if nothing is promised. */
  expected: number
  /** Bytes of content that our Content-Length still promises; -1 if nothing is promised. */
  owed: number
  /** The final head has been received: what follows is content and trailers. */
  headReceived: boolean
  /** The final head has been sent. */
  headSent: boolean
  /** The response has no content: the request's method is HEAD. */
  bodyless: boolean
  /** A tunnel (CONNECT): either side may end alone. */
  tunnel: boolean
  /** The application has ended the content; END_STREAM goes out behind what is queued. */
  ending: boolean
  /** The application was told to wait and gets a `drain` event. */
  waiting: boolean
  /** RFC 9218: 0 is the most urgent, 7 the least. */
  urgency: number
  /** RFC 9218: whether it shares with others of its urgency. */
  incremental: boolean
  /** Milliseconds for which queued content has waited for the peer's window. */
  stalled: number
  /** Content accepted and not yet framed. */
  queue: Uint8Array[]
  /** Bytes of it. */
  queued: number
  /** What goes out behind the content. */
  trailers: readonly Field[] | undefined
  /** Server: the request that the application has not accepted yet, and what has come after it. */
  announced: H2Event[] | undefined
}

/** A stream that has just left `idle`. */
export function newStream(id: number, sendWindow: number, receiveWindow: number): Stream {
  return {
    id,
    state: 'open',
    sendWindow,
    receiveWindow,
    returned: 0,
    unconsumed: 0,
    expected: -1,
    owed: -1,
    headReceived: false,
    headSent: false,
    bodyless: false,
    tunnel: false,
    ending: false,
    waiting: false,
    urgency: 3,
    incremental: false,
    stalled: 0,
    queue: [],
    queued: 0,
    trailers: undefined,
    announced: undefined,
  }
}

/** The first `count` bytes of a stream's queue, appended by `append`; they are gone from it afterwards. */
export function dequeue(stream: Stream, count: number, append: (bytes: Uint8Array) => void): void {
  let left = count
  let used = 0
  while (left > 0) {
    const piece = stream.queue[used] ?? EMPTY
    if (piece.length > left) {
      append(piece.subarray(0, left))
      stream.queue[used] = piece.subarray(left)
      left = 0
    } else {
      append(piece)
      left -= piece.length
      used++
    }
  }
  stream.queue.splice(0, used)
  stream.queued -= count
}
