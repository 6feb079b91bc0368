import type { Field, ResponseView } from '../../http/message.ts'

/** Where an exchange writes its response. All of it is refused silently once the connection is gone. */
export interface ResponseSink {
  /** An interim response, 102 to 199. @throws TypeError for a field that must not be sent */
  inform(status: number, headers: readonly Field[]): void
  /** A whole response. */
  reply(response: ResponseView): void
  begin(head: {
    readonly status: number
    readonly headers: readonly Field[]
    readonly length: number | undefined
  }): void
  /** @returns undefined, or a promise of the moment when the client has taken enough for more */
  write(data: Uint8Array): Promise<void> | undefined
  /** @throws TypeError for trailers that must not be sent */
  end(trailers?: readonly Field[]): void
  /** The response was begun and cannot be finished: the client must see that. */
  abort(): void
  /**
   * One of these has thrown what is no function's fault: whatever the response goes to ends. Never throws.
   */
  fail(error: unknown): void
}
