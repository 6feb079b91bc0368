import type { Field, ResponseView } from '../../http/message.ts'
import type { ResponseSink } from '../../http/serving.ts'
import type { Clock } from '../../time/clock.ts'
import { CLIENT_GONE, type Traffic } from './traffic.ts'

/** What a call's response is marked with. */
export interface Marks {
  readonly callId: string
  /** Nanoseconds since 1970, as text. */
  readonly startTime: string
}

/** Where a call's response goes, and what counts it: how long it takes and what it says. */
export class MeteredSink implements ResponseSink {
  readonly #sink: ResponseSink
  readonly #traffic: Traffic
  readonly #clock: Clock
  readonly #marks: Marks
  #since: number
  #status = 0
  #counted = false

  constructor(sink: ResponseSink, traffic: Traffic, clock: Clock, marks: Marks) {
    this.#sink = sink
    this.#traffic = traffic
    this.#clock = clock
    this.#marks = marks
    this.#since = clock.steady()
    traffic.began()
  }

  get over(): boolean {
    return this.#sink.over
  }

  inform(status: number, headers: readonly Field[]): void {
    this.#sink.inform(status, headers)
  }

  reply({ status, headers, body }: ResponseView): void {
    const took = this.#clock.steady() - this.#since
    this.#sink.reply({ status, headers: this.#marked(headers, took), body: body! })
    this.#count(status, took)
  }

  begin({ status, headers, length }: Parameters<ResponseSink['begin']>[0]): void {
    this.#sink.begin({ status, headers: this.#marked(headers, this.#clock.steady() - this.#since), length })
    this.#status = status
  }

  write(data: Uint8Array): Promise<void> | undefined {
    return this.#sink.write(data)
  }

  end(trailers?: readonly Field[]): void {
    this.#sink.end(trailers)
    this.#count(this.#status)
  }

  abort(): void {
    this.#sink.abort()
    this.#count(this.#status)
  }

  /** No response is waited for any more. @param status what the client was told, if it was told something */
  cancelled(status = CLIENT_GONE): void {
    this.#count(this.#status === 0 ? status : this.#status)
  }

  /** Milliseconds since the call began, and bytes of content, which are not counted here. */
  get age(): number {
    return Math.min(Math.round(this.#clock.steady() - this.#since), 0xffffffff)
  }
  readonly given = 0

  /** The response was begun elsewhere. @param age of the call, in milliseconds */
  goOn(status: number, age: number): void {
    this.#status = status
    this.#since -= age
  }

  /** The request goes on elsewhere, as if it had not been here. */
  withdrawn(): void {
    if (this.#counted) return
    this.#counted = true
    this.#traffic.withdrawn()
  }

  #count(status: number, took = this.#clock.steady() - this.#since): void {
    if (this.#counted) return
    this.#counted = true
    this.#traffic.ended(status, took)
  }

  /** @param took milliseconds */
  #marked(headers: readonly Field[] | undefined, took: number): readonly Field[] {
    const { callId, startTime } = this.#marks
    const duration = secondsText(took)
    return [
      ...(headers ?? []),
      ['x-call-id', callId],
      ['x-start-time', startTime],
      ['x-duration-seconds', duration],
    ]
  }
}

const SHORT = Array.from({ length: 64 }, (_, milliseconds) => (milliseconds / 1000).toFixed(6))

/** As OpenFaaS's watchdog writes it: six decimals. */
function secondsText(milliseconds: number): string {
  return SHORT[milliseconds] ?? (milliseconds / 1000).toFixed(6)
}
