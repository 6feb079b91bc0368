import type {
  ConnectionInfo,
  Context,
  Endings,
  Environment,
  FieldSource,
  TrailerSource,
  UpstreamInit,
} from '../../functions/contract.ts'
import { type EventSourceFunction, events } from '../../functions/events.ts'
import type { FunctionModule } from '../../functions/module.ts'
import { type ResumableSource, type ResumableStream, resumable } from '../../functions/resumable.ts'
import { giveKey } from '../../functions/sealed/request-key.ts'
import type { Store } from '../../functions/sealed/store.ts'
import { type Secrets, secretsIn } from '../../functions/secrets.ts'
import { isTraced, type Trace, traceOf } from '../../functions/trace.ts'
import { isCallId } from '../../http/field-values.ts'
import { type Field, header, type RequestHead } from '../../http/message.ts'
import type { Log } from '../../platform/log.ts'
import { QUEUE_FUNCTION } from '../../platform/queue-settings.ts'
import { CLIENT_FIELD, clientTold } from '../../queue/origin.ts'
import type { Clock } from '../../time/clock.ts'
import { CallUpstreams } from '../upstream/call-upstreams.ts'
import { type Arrived, Upstreams } from '../upstream/upstreams.ts'
import type { AccessLog } from './access-log.ts'
import { freshCallId } from './call-id.ts'
import type { Traffic } from './traffic.ts'

const NO_SECRETS = secretsIn(undefined)

/** Modules that freeze without `resume`. */
const told = new WeakSet<FunctionModule>()

/** A function, and what it is told besides the request. */
export interface Callee {
  readonly clock: Clock
  readonly functionName: string
  /** Of all functions that paths can name; undefined: none is known. */
  readonly functionNames?: ReadonlySet<string>
  /** Whether a host names no function. */
  namesNone?(host: string | undefined): boolean
  readonly module: FunctionModule
  readonly environment: Environment
  /** Undefined: the function has none. */
  readonly secrets?: Secrets | undefined
  /** Of a sealed function. */
  readonly store?: Store | undefined
  readonly log: Log
  /** Counts its calls; undefined: nothing does. */
  readonly traffic?: Traffic
  /** Told of each of its calls; undefined: nothing is. */
  readonly accessLog?: AccessLog | undefined
  /** What it asks of others; undefined: each call is alone with that. */
  readonly upstreams?: Upstreams | undefined
  /** Its container is about to go. */
  readonly draining?: boolean
  /** By which the queue is known that calls for a client; undefined: it is not. */
  readonly queueMark?: string | undefined
  /** Keeps the container from stopping before the work is done. */
  waitUntil(work: Promise<unknown>): void
}

/** Sends interim responses. */
export interface Informant {
  /** Does nothing once the response has begun. @throws TypeError for what must not be sent */
  inform(status: number, headers: readonly Field[]): void
}

/** What a function is told; the costly parts are made when they are asked for. */
export class CallContext implements Context, Endings {
  readonly functionName: string
  readonly functionPath: string
  deadline?: number
  /** When the call began, wherever that was: milliseconds since 1970. Undefined: it has not. */
  began?: number | undefined
  /** Its function has its request read ahead: where it stands with that cannot be said. */
  gathers = false
  readonly #callee: Callee
  #connection: ConnectionInfo | (() => ConnectionInfo)
  readonly #head: RequestHead
  #callId: string | undefined
  #startTime: string | undefined
  #trace: Trace | undefined
  #log: Log | undefined
  #controller: AbortController | undefined
  #aborted: Error | undefined
  #onAbort: ((reason: Error) => void) | undefined
  readonly #informant: Informant | undefined
  /** What {@link freezes} was given last. */
  freezer: (() => unknown) | undefined
  /** What {@link trailers} was given last. */
  trailerSource: TrailerSource | undefined
  #upstreams: CallUpstreams | undefined

  /**
   * @param connection or what gives it, if it is asked for
   * @param informant undefined where there is no response to come: a WebSocket
   */
  constructor(
    head: RequestHead,
    callee: Callee,
    functionPath: string,
    connection: ConnectionInfo | (() => ConnectionInfo),
    informant?: Informant,
  ) {
    this.#callee = callee
    this.#informant = informant
    this.functionName = callee.functionName
    this.functionPath = functionPath
    this.#head = head
    this.#connection = typeof connection === 'function' ? connection : this.#clients(connection)
    if (head.key === undefined) return
    // No other function has any use for one.
    if (callee.module.sealed) giveKey(this, head.key)
    else head.key.fill(0)
  }

  /** Known as long as the connection is here: a call that goes on asks at its beginning. */
  get connection(): ConnectionInfo {
    if (typeof this.#connection === 'function') this.#connection = this.#clients(this.#connection())
    return this.#connection
  }

  /** What is told of the client's connection where the queue calls, which has one of its own. */
  #clients(connection: ConnectionInfo): ConnectionInfo {
    const { queueMark } = this.#callee
    const told = queueMark === undefined ? undefined : header(this.#head.headers, CLIENT_FIELD)
    const client = told === undefined ? undefined : clientTold(queueMark!, this.callId, told)
    if (client === undefined) return connection
    const { remoteAddress: _, ...own } = connection
    const address = client.address === '' ? {} : { remoteAddress: client.address }
    return { ...own, tls: client.tls === 1, ...address }
  }

  get store(): Store | undefined {
    return this.#callee.store
  }

  get secrets(): Secrets {
    return this.#callee.secrets ?? NO_SECRETS
  }

  get functions(): readonly string[] {
    return [...(this.#callee.functionNames ?? [])].filter(name => name !== QUEUE_FUNCTION)
  }

  /** The call goes on: it was given its id elsewhere. */
  set callId(callId: string) {
    this.#callId = callId
  }

  get callId(): string {
    this.#callId ??= callIdOf(this.#head.headers) ?? freshCallId()
    return this.#callId
  }

  /** When the call began, in nanoseconds since 1970, as OpenFaaS's gateway tells it. */
  get startTime(): string {
    this.#startTime ??= nanoseconds(this.began ?? this.#callee.clock.wall())
    return this.#startTime
  }

  get trace(): Trace {
    this.#trace ??= traceOf(this.#head.headers)
    return this.#trace
  }

  /** Each line says which call it belongs to, and which span if the caller has a trace. */
  get log(): Log {
    this.#log ??= marked(this.#callee.log, this.#marks)
    return this.#log
  }

  get #marks(): Readonly<Record<string, string>> {
    const { callId } = this
    if (!isTraced(this.#head.headers)) return { callId }
    const { traceId, spanId } = this.trace
    return { callId, traceId, spanId }
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#aborted !== undefined) this.#controller.abort(this.#aborted)
    return this.#controller.signal
  }

  abort(reason: Error): void {
    this.#aborted = reason
    this.#onAbort?.(reason)
    this.#controller?.abort(reason)
  }

  onAbort(listener: (reason: Error) => void): void {
    this.#onAbort = listener
    if (this.#aborted !== undefined) listener(this.#aborted)
  }

  waitUntil(work: Promise<unknown>): void {
    this.#callee.waitUntil(work)
  }

  inform(status: number, headers: FieldSource = []): void {
    if (!Number.isInteger(status) || status < 102 || status > 199)
      throw new TypeError(`${status} is not the status of an interim response of a function`)
    this.#informant?.inform(status, fieldsOf(headers))
  }

  trailers(source: TrailerSource): void {
    this.trailerSource = source
  }

  freezes(freeze: () => unknown): void {
    this.#missResume()
    this.freezer = freeze
  }

  /** See {@link Caller.gather}. */
  gather(): void {
    this.gathers = true
  }

  /** The responses of upstreams that it has asked for; undefined: there were none. */
  get upstreams(): CallUpstreams | undefined {
    return this.#upstreams
  }

  /** Those that have come with its connection. */
  arrived(upstreams: readonly Arrived[]): void {
    if (upstreams.length > 0) this.#ask().arrive(upstreams)
  }

  fetch(input: string | URL | Request, init: UpstreamInit = {}): Promise<Response> {
    return this.#ask().fetch(input, init, this.signal)
  }

  #ask(): CallUpstreams {
    this.#upstreams ??= new CallUpstreams(this.#callee.upstreams ?? new Upstreams(this.#callee.clock))
    return this.#upstreams
  }

  resumable(source: ResumableSource): ResumableStream {
    this.#missResume()
    return resumable(source)
  }

  events(last: string, next: EventSourceFunction): ResumableStream {
    this.#missResume()
    return events(last, next)
  }

  /** Tells of a function that freezes and cannot go on anywhere, once: only a deploy would show it. */
  #missResume(): void {
    const { module, log } = this.#callee
    if (module.resume !== undefined || module.sealed || told.has(module)) return
    told.add(module)
    log.warn({ file: module.file }, 'this function freezes, and cannot move: its module exports no `resume`')
  }
}

/** What a caller calls its request, unless that is nothing to write into fields and logs. */
function callIdOf(headers: readonly Field[]): string | undefined {
  const given = header(headers, 'x-call-id')
  return given !== undefined && isCallId(given) ? given : undefined
}

/** A log whose lines have these fields as well. */
function marked(log: Log & { child?(fields: object): Log }, fields: object): Log {
  return log.child?.(fields) ?? log
}

/** What a function gave as fields, one by one. */
export function fieldsOf(source: FieldSource): readonly Field[] {
  return Array.from(source, ([name, value]) => [String(name), String(value)] as const)
}

let [millisecond, asNanoseconds] = [Number.NaN, '']

/** Milliseconds as nanoseconds. Calls of one millisecond share the text: such a number is slow to write. */
function nanoseconds(milliseconds: number): string {
  if (milliseconds !== millisecond) [millisecond, asNanoseconds] = [milliseconds, `${milliseconds}000000`]
  return asNanoseconds
}
