import type { ConnectionInfo, FunctionResponse } from '../../functions/contract.ts'
import type { Field, RequestHead, RequestView } from '../../http/message.ts'
import type { Problem } from '../../http/problem.ts'
import { QUEUE_FUNCTION } from '../../platform/queue-settings.ts'
import type { Clock } from '../../time/clock.ts'
import { STATE_BYTES } from '../../transfer/consignments/responses.ts'
import type { FrozenCall } from '../../transfer/envelope.ts'
import type { Guard } from '../../transport/guard.ts'
import { utf8 } from '../../wire/index.ts'
import type { Marks } from './metered.ts'

/** What a call knows besides the request's head. */
export interface CallRequest {
  readonly functionPath: string
  /** Or what gives it: to ask the kernel for an address costs more than most calls have to do with it. */
  readonly connection: ConnectionInfo | (() => ConnectionInfo)
  /**
   * Milliseconds that the function has to begin its response, for its `deadline`; 0: for ever. Others see to
   * it.
   */
  readonly timeout: number
  /** For what is no function's fault: whatever the response goes to ends. */
  readonly guard: Pick<Guard, 'fail'>
  /** What writes checkpoints between pieces of the response; undefined: nothing does. */
  readonly cover?: Cover | undefined
}

/** What lets a response go on behind each of its pieces when its container dies. */
export interface Cover {
  /**
   * @param write gives out a piece
   * @param standing what is left of the response behind it; undefined: it cannot go on from there
   */
  cover<T>(write: () => T, standing: () => FrozenCall | undefined): T
}

/** A response before its content. */
export type ResponseStart = Omit<FunctionResponse, 'body'>

/** A response that is there as a whole. */
export interface Whole {
  readonly status: number
  readonly headers: readonly Field[]
  readonly body: Uint8Array
}

/** What a raw handler gets. Written out, because a spread takes ten times as long. */
export function viewOf(
  { method, target, version, headers, host, path, query }: RequestHead,
  body: Uint8Array,
): RequestView {
  return { method, target, version, headers, host, path, query, body }
}

/**
 * The head of a request with what OpenFaaS's gateway adds for the function: which call it is, and when it
 * began. What its client says of these is left out, but for the queue, which judges that.
 */
export function withCallFields(
  head: RequestHead,
  { callId, startTime, functionName }: Marks & { readonly functionName: string },
): RequestHead {
  if (functionName === QUEUE_FUNCTION) return head
  const { method, target, version, headers, host, path, query } = head
  const told: Field[] = []
  for (const field of headers) {
    const { length } = field[0]
    const ours =
      (length === 9 && field[0].toLowerCase() === 'x-call-id') ||
      (length === 12 && field[0].toLowerCase() === 'x-start-time')
    if (!ours) told.push(field)
  }
  told.push(['x-call-id', callId], ['x-start-time', startTime])
  return { method, target, version, headers: told, host, path, query }
}

/** How a call is named for people. @param callee whose it is */
export function callName(
  { method, path }: Pick<RequestHead, 'method' | 'path'>,
  { functionName, clock }: { readonly functionName: string; readonly clock: Pick<Clock, 'wall'> },
  callId: string,
  began: number,
): string {
  const age = Math.max(0, Math.round((clock.wall() - began) / 1000))
  return `${method} ${path.slice(0, 40)} of ${functionName} (call ${callId}, for ${age} s)`
}

/** Why a call is over in a container whose function goes on with it in another one. */
export const ELSEWHERE: Error = Object.assign(new Error('the call goes on in another container'), {
  name: 'MovedError',
})

/**
 * What a function froze, as JSON; undefined for what has none. @throws TypeError for what JSON cannot say,
 * and for a promise, of which it would say nothing
 */
export function frozenJson(frozen: unknown): string | undefined {
  if (isThenable(frozen)) {
    frozen.then(undefined, () => {}) // what becomes of it is of no use
    throw new TypeError('what is frozen is a promise: `freeze` has to say it at once')
  }
  return JSON.stringify(frozen)
}

/** What was frozen, to be carried. @throws RangeError for a state that is too large */
export function frozenBytes(json: string): Uint8Array {
  const state = utf8(json)
  if (state.length <= STATE_BYTES) return state
  throw new RangeError(
    `what is frozen has ${state.length} bytes as JSON, and at most ${STATE_BYTES} go along`,
  )
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { readonly then?: unknown } | null | undefined)?.then === 'function'
}

/** What a client gets whose function has thrown. */
export function functionFailed(name: string): Problem {
  return {
    name: 'function-failed',
    status: 500,
    detail: `the function ${name} failed; the log of its container says why`,
  }
}
