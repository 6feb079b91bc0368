import { EMPTY, sharedUtf8 } from '../../../wire/index.ts'
import type { Field, ResponseView } from '../../message.ts'

/** Content of a response that waits for a window, and those that wait until all of it has gone. */
export class Unsent {
  readonly #pieces: Uint8Array[] = []
  #writers: (() => void)[] = []

  add(data: Uint8Array): void {
    this.#pieces.push(data)
  }

  /** In their order. */
  get pieces(): readonly Uint8Array[] {
    return this.#pieces
  }

  /** Bytes. */
  get length(): number {
    let bytes = 0
    for (const { length } of this.#pieces) bytes += length
    return bytes
  }

  /** @param write takes some of the bytes, and says how many @returns whether all have gone */
  send(write: (data: Uint8Array) => number): boolean {
    const pieces = this.#pieces
    while (pieces.length > 0) {
      const [first] = pieces as [Uint8Array]
      const accepted = write(first)
      if (accepted < first.length) {
        pieces[0] = first.subarray(accepted)
        return false
      }
      pieces.shift()
    }
    this.release()
    return true
  }

  /** @returns undefined if all has gone; otherwise a promise of that moment */
  drained(): Promise<void> | undefined {
    return this.#pieces.length === 0 ? undefined : new Promise(resolve => this.#writers.push(resolve))
  }

  /** Lets those go on that wait, also when the client takes nothing any more. */
  release(): void {
    const writers = this.#writers
    this.#writers = []
    for (const resolve of writers) resolve()
  }
}

/** The same response with its length, as over HTTP/1; 204 and 304 have none that the content would tell. */
export function withLength(response: ResponseView, method: string): ResponseView {
  const { status, headers = [], body } = response
  if (status === 204 || status === 304) return response
  // To HEAD an absent body says nothing: the application may not know.
  if (body === undefined && method === 'HEAD') return response
  const content = typeof body === 'string' ? sharedUtf8(body) : (body ?? EMPTY)
  return { status, headers: lengthFirst(headers, content.length), body: content }
}

/** The fields with Content-Length, unless they have it already. @param length bytes of content */
export function lengthFirst(headers: readonly Field[], length: number): readonly Field[] {
  for (const [name] of headers)
    if (name.length === 14 && name.toLowerCase() === 'content-length') return headers
  return [['content-length', String(length)], ...headers]
}

/** The same response with those fields, too. */
export function marked<T extends Pick<ResponseView, 'headers'>>(response: T, fields: readonly Field[]): T {
  if (fields.length === 0) return response
  return { ...response, headers: [...(response.headers ?? []), ...fields] }
}
