import type { Field, ResponseView } from '../../http/message.ts'

/** Where an exchange writes its response. All of it is refused silently once the connection is gone. */
export interface ResponseSink {
  /** A whole response. */
  reply(response: ResponseView): void
  begin(head: {
    readonly status: number
    readonly headers: readonly Field[]
    readonly length: number | undefined
  }): void
  /** @returns undefined, or a promise of the moment when the client has taken enough for more */
  write(data: Uint8Array): Promise<void> | undefined
  end(): void
  /** The response was begun and cannot be finished: the client must see that. */
  abort(): void
  /**
   * One of these has thrown what is no function's fault: whatever the response goes to ends. Never throws.
   */
  fail(error: unknown): void
}
