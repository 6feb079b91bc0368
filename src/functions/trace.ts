import { randomBytes } from 'node:crypto'
import { type Field, header } from '../http/message.ts'
import { hex } from '../wire/index.ts'

/** Where a call stands in a trace (W3C Trace Context, which OpenTelemetry speaks). */
export interface Trace {
  /** 16 bytes, in hex. */
  readonly traceId: string
  /** The caller's span: 8 bytes, in hex; undefined if the trace begins here. */
  readonly parentId: string | undefined
  /** This call's span: 8 bytes, in hex. */
  readonly spanId: string
  /** Whether the caller records the trace. */
  readonly sampled: boolean
  /** The fields that requests of this call take along: `traceparent` and, if there is one, `tracestate`. */
  readonly headers: Readonly<Record<string, string>>
}

/** Trace Context §3.2: version, trace id, parent id, flags; later versions may have more behind. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/
/** Characters of a `tracestate` that are passed on (§3.3.1.5 asks for 512 at least). */
const MOST_STATE = 8192

/** The trace that a request's fields name, or a new one. @param random that many random bytes */
export function traceOf(
  headers: readonly Field[],
  random: (count: number) => Uint8Array = randomBytes,
): Trace {
  const caller = callerOf(headers)
  const traceId = caller?.traceId ?? hex(random(16))
  const spanId = hex(random(8))
  const state = caller === undefined ? '' : stateOf(headers)
  return {
    traceId,
    parentId: caller?.parentId,
    spanId,
    sampled: caller?.sampled ?? false,
    headers: {
      traceparent: `00-${traceId}-${spanId}-${caller?.sampled === true ? '01' : '00'}`,
      ...(state === '' ? {} : { tracestate: state }),
    },
  }
}

/** Whether there is a caller's trace to go on with. */
export function isTraced(headers: readonly Field[]): boolean {
  return callerOf(headers) !== undefined
}

function callerOf(
  headers: readonly Field[],
): { readonly traceId: string; readonly parentId: string; readonly sampled: boolean } | undefined {
  const found = TRACEPARENT.exec(header(headers, 'traceparent') ?? '')
  if (found === null) return undefined
  const [whole, version, traceId = '', parentId = '', flags = ''] = found
  // §3.2.2: ff is none, 00 has nothing behind the flags, and ids of zeros name nothing.
  if (version === 'ff' || (version === '00' && whole.length !== 55)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

/** §3.3: several fields are one list. */
function stateOf(headers: readonly Field[]): string {
  const values = headers.filter(([name]) => name.toLowerCase() === 'tracestate').map(([, value]) => value)
  const state = values.join(',')
  return state.length > MOST_STATE ? '' : state
}
