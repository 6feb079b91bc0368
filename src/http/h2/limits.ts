import { type Budget, type Struct, struct, uint32 } from '../../wire/index.ts'
import { LimitError } from './error.ts'

/** How much one peer may ask of one connection. */
export interface H2Limits {
  /** Streams that the peer may have open at once. More are refused. */
  readonly concurrentStreams: number
  /** Bytes of HPACK table, in either direction. */
  readonly headerTableSize: number
  /** Bytes that the peer may send on a stream before the application has consumed any. */
  readonly streamWindow: number
  /** The same for all streams together; at least 65,535. */
  readonly connectionWindow: number
  /** Bytes of a frame's payload; 16,384 to 16,777,215. */
  readonly frameSize: number
  /** Bytes of a field list, each field counted with 32 more; a longer one is answered with 431. */
  readonly headerListSize: number
  /** Bytes of one header block as it is sent. */
  readonly headerBlockBytes: number
  /** CONTINUATION frames in one header block. */
  readonly continuations: number
  /** Bytes that one stream queues for a peer whose window is closed. */
  readonly queuedBytes: number
  /** Bytes of output beyond which queued content waits until some has been taken. */
  readonly outputBytes: number
  /** Milliseconds for the acknowledgement of our SETTINGS. */
  readonly settingsTimeout: number
  /** Milliseconds for which a peer may leave content waiting for its window. */
  readonly stallTimeout: number
  /** What may be spent at once of each thing that costs a peer little and us much. */
  readonly budgets: Readonly<Record<BudgetName, Budget>>
}

/**
 * `resets`: requests that end in RST_STREAM, by the peer (CVE-2023-44487) or by its fault (CVE-2025-8671).
 * `control`: PING, SETTINGS, PRIORITY, frames on closed streams and unknown ones. `empty`: DATA frames with
 * hardly any content, and WINDOW_UPDATEs.
 */
export type BudgetName = 'resets' | 'control' | 'empty'

/** What is allowed by default. */
export const DEFAULT_H2_LIMITS: H2Limits = {
  concurrentStreams: 128,
  headerTableSize: 4096,
  streamWindow: 262_144,
  connectionWindow: 1_048_576,
  frameSize: 16_384,
  headerListSize: 32_768,
  headerBlockBytes: 32_768,
  continuations: 8,
  queuedBytes: 65_536,
  outputBytes: 65_536,
  settingsTimeout: 10_000,
  stallTimeout: 60_000,
  budgets: {
    resets: { burst: 200, perSecond: 20 },
    control: { burst: 1000, perSecond: 100 },
    empty: { burst: 10_000, perSecond: 1000 },
  },
}

/** The same for a client, whose own content it is that waits. */
export const CLIENT_H2_LIMITS: H2Limits = { ...DEFAULT_H2_LIMITS, queuedBytes: 1_048_576 }

/**
 * The limits where a request's head may have so many bytes over HTTP/1: twice as many as it is counted here,
 * with 32 more for each field.
 * @param streams that a client may have open at once
 */
export function limitsFor(
  headBytes: number,
  streams: number = DEFAULT_H2_LIMITS.concurrentStreams,
): H2Limits {
  const bytes = headBytes * 2
  const { frameSize, continuations } = DEFAULT_H2_LIMITS
  return {
    ...DEFAULT_H2_LIMITS,
    concurrentStreams: streams,
    headerListSize: bytes,
    headerBlockBytes: bytes,
    continuations: Math.max(continuations, Math.ceil(bytes / frameSize)),
  }
}

/**
 * What has been spent of each budget, fractions and all: part of a connection, so that moving it forgives
 * nothing.
 */
export interface Spent {
  resets: number
  control: number
  empty: number
}

/** {@link Spent} in an exported connection. */
export const h2Spent: Struct<Spent> = struct('H2Spent', { resets: uint32, control: uint32, empty: uint32 })

/** What has been spent, in whole numbers, none of it forgiven. */
export function exportSpent({ resets, control, empty }: Spent): Spent {
  return { resets: Math.ceil(resets), control: Math.ceil(control), empty: Math.ceil(empty) }
}

/** @throws LimitError when that is more than the budget has */
export function spend(spent: Spent, name: BudgetName, limits: H2Limits): void {
  spent[name]++
  if (spent[name] > limits.budgets[name].burst) throw new LimitError(name, `too many ${name}`)
}

/** Useful work pays back: a peer that is served well is not counted out in the long run. */
export function earn(spent: Spent, name: BudgetName, amount = 1): void {
  spent[name] = Math.max(0, spent[name] - amount)
}

/** Time pays back. @param elapsed milliseconds */
export function replenish(spent: Spent, limits: H2Limits, elapsed: number): void {
  for (const name of ['resets', 'control', 'empty'] as const) {
    earn(spent, name, (limits.budgets[name].perSecond * elapsed) / 1000)
  }
}
