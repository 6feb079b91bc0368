import type { Answer, CallRecord } from './record.ts'

/** How often and how soon a call is tried again. */
export interface Patience {
  /** Tries after the first one; the same number for the function and for the callback. */
  readonly retries: number
  /** Milliseconds before the first of them, at most; doubled each time. */
  readonly first: number
  /** Milliseconds between two tries, at most. */
  readonly most: number
}

/** What a try came to. */
export type Outcome =
  | {
      readonly kind: 'answered'
      readonly answer: Answer
      /** Milliseconds that Retry-After asks for; undefined: it is not there. */
      readonly retryAfter?: number | undefined
    }
  /** Nothing was answered: refused, broken off, out of time. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** No try can come to anything. */
  | { readonly kind: 'impossible'; readonly reason: string }

/** What becomes of a call: it waits for its next try, it is a dead letter, or it is over. */
export type Next = { readonly kind: 'keep' | 'bury'; readonly record: CallRecord } | { readonly kind: 'done' }

export interface Circumstances {
  /** Milliseconds since 1970. */
  readonly now: number
  /** From 0 to 1, exclusive. */
  readonly random: () => number
}

/** Statuses of a function, or of the platform in its place, that another try may change. */
const RETRIED: ReadonlySet<number> = new Set([429, 502, 503, 504])
/** And of a callback: it is a server of its own, for which 500 may be a matter of the moment. */
const TELLING_RETRIED: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])

/**
 * What follows the try of a call. Its function is called until there is an answer that stays; then its
 * callback, if it has one, until that has taken the answer. What runs out of tries is a dead letter. A
 * callback hears of a function that was given up as well.
 */
export function after(record: CallRecord, outcome: Outcome, patience: Patience, how: Circumstances): Next {
  return record.phase === 'calling'
    ? afterCalling(record, outcome, patience, how)
    : afterTelling(record, outcome, patience, how)
}

function afterCalling(record: CallRecord, outcome: Outcome, patience: Patience, how: Circumstances): Next {
  if (outcome.kind === 'answered' && !RETRIED.has(outcome.answer.status))
    return record.callback === '' ? { kind: 'done' } : tell(record, outcome.answer, false, how)
  const reason = reasonOf(outcome, record.functionName)
  if (outcome.kind !== 'impossible' && record.failures < patience.retries)
    return again(record, reason, outcome, patience, how)
  if (record.callback === '') return bury(record, reason)
  const answer = outcome.kind === 'answered' ? outcome.answer : gaveUp(reason)
  return tell({ ...record, reason }, answer, true, how)
}

function afterTelling(record: CallRecord, outcome: Outcome, patience: Patience, how: Circumstances): Next {
  const told = outcome.kind === 'answered' && outcome.answer.status >= 200 && outcome.answer.status < 300
  if (told) return record.lost === 1 ? bury(record, record.reason) : { kind: 'done' }
  const reason = reasonOf(outcome, 'the callback')
  const retried = outcome.kind === 'failed' || (outcome.kind === 'answered' && isRetried(outcome.answer))
  if (retried && record.failures < patience.retries) return again(record, reason, outcome, patience, how)
  return bury(record, record.lost === 1 ? `${record.reason}; ${reason}` : reason)
}

function isRetried({ status }: Answer): boolean {
  return TELLING_RETRIED.has(status)
}

/** What the callback of a function hears that has not answered. */
function gaveUp(reason: string): Answer {
  return { status: 504, headers: [], body: new TextEncoder().encode(`${reason}\n`), milliseconds: 0 }
}

function tell(record: CallRecord, answer: Answer, lost: boolean, { now }: Circumstances): Next {
  return {
    kind: 'keep',
    record: { ...record, phase: 'telling', failures: 0, dueAt: now, answer, lost: lost ? 1 : 0 },
  }
}

function again(
  record: CallRecord,
  reason: string,
  outcome: Outcome,
  patience: Patience,
  { now, random }: Circumstances,
): Next {
  const asked = outcome.kind === 'answered' ? (outcome.retryAfter ?? 0) : 0
  const wait = Math.max(pause(record.failures, patience, random), Math.min(asked, patience.most))
  return { kind: 'keep', record: { ...record, failures: record.failures + 1, dueAt: now + wait, reason } }
}

/** Exponential back-off with full jitter: any time up to the limit, which doubles. Milliseconds. */
export function pause(failures: number, { first, most }: Patience, random: () => number): number {
  return Math.round(random() * Math.min(most, first * 2 ** failures))
}

function bury(record: CallRecord, reason: string): Next {
  return { kind: 'bury', record: { ...record, phase: 'dead', reason: reason.slice(0, 1024) } }
}

function reasonOf(outcome: Outcome, who: string): string {
  return outcome.kind === 'answered'
    ? `${who} answered ${outcome.answer.status}`
    : outcome.reason.slice(0, 900)
}

/** A dead letter as a call that is tried anew: of its callback, if only that had failed. */
export function revived(record: CallRecord, now: number): CallRecord {
  const phase = record.answer !== undefined && record.lost === 0 ? 'telling' : 'calling'
  const answer = phase === 'telling' ? record.answer : undefined
  return { ...record, phase, failures: 0, dueAt: now, lost: 0, answer }
}
