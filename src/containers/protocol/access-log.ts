import type { ConnectionInfo } from '../../functions/contract.ts'
import { type Field, header, type RequestHead, type ResponseView } from '../../http/message.ts'
import type { ResponseSink } from '../../http/serving.ts'
import type { AccessForm, AccessLogSetting, LogMethod } from '../../platform/log.ts'
import type { Clock } from '../../time/clock.ts'
import { CLIENT_GONE } from './traffic.ts'

/** What is known of a call besides its head. */
export interface CallOrigin {
  readonly callId: string
  readonly connection: ConnectionInfo
}

/** The connection of a request. */
type Origin = Pick<ConnectionInfo, 'remoteAddress' | 'hops'>

/** Switching Protocols (RFC 9110 §15.2.2); told alike over HTTP/2, where a WebSocket begins with 200. */
const SWITCHED = 101

/** What a call was answered with. */
interface Outcome {
  readonly status: number
  /** Of content, as the function gave it. */
  readonly bytes: number
  readonly milliseconds: number
}

/** A log that others can be made of; a pino logger is one. */
interface ParentLog {
  child(bindings: object, options: { readonly level: string }): { readonly info: LogMethod }
}

/** The access log of one container: a line for each call of its function, when it is over. */
export class AccessLog {
  readonly #form: AccessForm
  readonly #write: LogMethod
  readonly #clock: Clock

  /**
   * @param log of the container: what is asked for here is written at any of its levels
   * @returns undefined if nothing is asked for
   */
  static of(setting: AccessLogSetting, log: ParentLog, clock: Clock): AccessLog | undefined {
    if (setting === 'off') return undefined
    const own = log.child({}, { level: 'info' })
    return new AccessLog(setting, own.info.bind(own) as LogMethod, clock)
  }

  /** @param write takes an entry of the log, at whatever level it is written */
  constructor(form: AccessForm, write: LogMethod, clock: Clock) {
    this.#form = form
    this.#write = write
    this.#clock = clock
  }

  /** Follows a call until it is over. @param sink where its response goes */
  follow(head: RequestHead, origin: CallOrigin, sink: ResponseSink): LoggedSink {
    // The client may be gone when the call is over.
    const { remoteAddress, hops } = origin.connection
    return new LoggedSink(sink, this.#clock, (status, bytes, milliseconds) => {
      this.#tell(head, origin.callId, remoteAddress, hops, { status, bytes, milliseconds })
    })
  }

  /** A request that no function answered, but the platform itself. @param from its connection */
  answered(head: RequestHead, { remoteAddress, hops }: Origin, { status, body }: ResponseView): void {
    const bytes = body?.length ?? 0
    this.#tell(head, header(head.headers, 'x-call-id'), remoteAddress, hops, {
      status,
      bytes,
      milliseconds: 0,
    })
  }

  /**
   * A WebSocket that is over. @param bytes of messages to the client, and @param milliseconds how long: as
   * far as it was in this container
   */
  socket(head: RequestHead, { callId, connection }: CallOrigin, bytes: number, milliseconds: number): void {
    const { remoteAddress, hops } = connection
    this.#tell(head, callId, remoteAddress, hops, { status: SWITCHED, bytes, milliseconds })
  }

  #tell(
    head: RequestHead,
    callId: string | undefined,
    client: string | undefined,
    hops: number,
    { status, bytes, milliseconds }: Outcome,
  ): void {
    const { method, target, version } = head
    const time = new Date(this.#clock.wall())
    if (this.#form === 'common') {
      const request = `${method} ${quotable(target)} HTTP/${version}`
      this.#write(
        { access: true },
        `${client ?? '-'} - - [${commonTime(time)}] "${request}" ${status} ${bytes || '-'}`,
      )
      return
    }
    const access = {
      time: time.toISOString(),
      client,
      method,
      target,
      version,
      host: head.host,
      status,
      bytes,
      milliseconds: Math.round(milliseconds * 1000) / 1000,
      callId,
      hops,
      referer: header(head.headers, 'referer'),
      userAgent: header(head.headers, 'user-agent'),
    }
    this.#write({ access }, `${method} ${target} ${status}`)
  }
}

type Tell = (status: number, bytes: number, milliseconds: number) => void

/** Where a call's response goes, and what counts its content. */
export class LoggedSink implements ResponseSink {
  readonly #sink: ResponseSink
  readonly #clock: Pick<Clock, 'steady'>
  #tell: Tell | undefined
  #since: number
  #status = 0
  #bytes = 0

  /** @param tell called once, when the call is over */
  constructor(sink: ResponseSink, clock: Pick<Clock, 'steady'>, tell: Tell) {
    this.#sink = sink
    this.#clock = clock
    this.#tell = tell
    this.#since = clock.steady()
  }

  /** Milliseconds since the call began. */
  get age(): number {
    return Math.min(Math.round(this.#clock.steady() - this.#since), 0xffffffff)
  }

  /** Bytes of content so far. */
  get given(): number {
    return this.#bytes
  }

  /** The response was begun elsewhere. @param age as {@link age} @param given as {@link given} */
  goOn(status: number, age: number, given: number): void {
    this.#status = status
    this.#since -= age
    this.#bytes = given
  }

  get over(): boolean {
    return this.#sink.over
  }

  inform(status: number, headers: readonly Field[]): void {
    this.#sink.inform(status, headers)
  }

  reply(response: ResponseView): void {
    this.#sink.reply(response)
    this.#bytes = response.body?.length ?? 0
    this.#over(response.status)
  }

  begin(head: Parameters<ResponseSink['begin']>[0]): void {
    this.#sink.begin(head)
    this.#status = head.status
  }

  write(data: Uint8Array): Promise<void> | undefined {
    this.#bytes += data.length
    return this.#sink.write(data)
  }

  end(trailers?: readonly Field[]): void {
    this.#sink.end(trailers)
    this.#over(this.#status)
  }

  abort(): void {
    this.#sink.abort()
    this.#over(this.#status)
  }

  /** No response is waited for any more. @param status what the client was told, if it was told something */
  cancelled(status = CLIENT_GONE): void {
    this.#over(this.#status === 0 ? status : this.#status)
  }

  /** The request goes on elsewhere, and is told of there. */
  withdrawn(): void {
    this.#tell = undefined
  }

  #over(status: number): void {
    const tell = this.#tell
    this.#tell = undefined
    tell?.(status, this.#bytes, this.#clock.steady() - this.#since)
  }
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** As the common log format has it: `29/Nov/2026:18:05:00 +0000`. */
function commonTime(time: Date): string {
  const [date = '', clock = ''] = time.toISOString().split(/[T.]/)
  const [year, month, day] = date.split('-')
  return `${day}/${MONTHS[Number(month) - 1]}/${year}:${clock} +0000`
}

/** A target can end neither the quotes around it nor the line. */
function quotable(target: string): string {
  return target.replace(/["\\]|[^\x20-\x7e]/g, one =>
    one === '"' || one === '\\' ? `\\${one}` : `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
