import { MAX_DESCRIPTORS, MAX_PAYLOAD } from '../channel.ts'
import type { Descriptor } from '../streams/descriptor.ts'
import type { Fragment } from './frame.ts'

/** Bytes that half-received messages may claim together: 64 MiB. */
const CLAIMS = 4 * MAX_PAYLOAD
const EMPTY = new Uint8Array(0)

/** A message that has come to its end, whole or not. */
export interface Assembled {
  readonly payload: Uint8Array
  readonly descriptors: Descriptor[]
  /** Why it is not whole; then there are no descriptors, and no payload if there was no room for it. */
  readonly refused: string | undefined
}

interface Partial {
  readonly number: number
  readonly total: number
  readonly payload: Uint8Array
  readonly descriptors: Descriptor[]
  received: number
  refused: string | undefined
}

/** Puts the fragments of each sender's messages together, one message per sender at a time, within bounds. */
export class Assembly {
  readonly #partials = new Map<number, Partial>()
  #claimed = 0

  /**
   * Takes one fragment in. `body` and `descriptors` are taken over; `lost` says why descriptors are missing.
   * @returns the message that it completes, `undefined` if more is to come, or a `string` that says how the sender broke the rules
   */
  accept(
    from: number,
    fragment: Fragment,
    body: Uint8Array,
    descriptors: Descriptor[],
    lost: string | undefined,
  ): Assembled | undefined | string {
    const { number, offset, total } = fragment
    if (offset !== 0) return this.#continue(from, fragment, body, descriptors)
    const interrupted = this.#partials.has(from)
    this.drop(from)
    const wrong = total > MAX_PAYLOAD || body.length > total || fragment.descriptors > MAX_DESCRIPTORS
    if (wrong) {
      closeAll(descriptors)
      return 'an impossible fragment'
    }
    let refused = lost
    if (descriptors.length !== fragment.descriptors) refused ??= 'descriptors were lost'
    if (body.length === total) return finish(body, descriptors, refused)
    const room = this.#claimed + total <= CLAIMS
    if (!room) refused ??= 'too many large messages at once'
    const payload = room ? new Uint8Array(total) : EMPTY
    if (room) payload.set(body)
    this.#claimed += payload.length
    if (refused !== undefined) closeAll(descriptors)
    const kept = refused === undefined ? descriptors : []
    this.#partials.set(from, { number, total, payload, descriptors: kept, received: body.length, refused })
    return interrupted ? 'a message was broken off' : undefined
  }

  #continue(
    from: number,
    { number, offset, total }: Fragment,
    body: Uint8Array,
    descriptors: Descriptor[],
  ): Assembled | undefined | string {
    const partial = this.#partials.get(from)
    const next = partial?.number === number && partial.received === offset && partial.total === total
    if (!next || descriptors.length > 0 || body.length === 0 || offset + body.length > total) {
      closeAll(descriptors)
      this.drop(from)
      return 'a fragment out of order'
    }
    if (partial.payload.length > 0) partial.payload.set(body, offset)
    partial.received += body.length
    if (partial.received < total) return undefined
    this.#partials.delete(from)
    this.#claimed -= partial.payload.length
    return finish(partial.payload, partial.descriptors, partial.refused)
  }

  /** Forgets what has come of a sender's unfinished message. */
  drop(from: number): void {
    const partial = this.#partials.get(from)
    if (partial === undefined) return
    this.#partials.delete(from)
    this.#claimed -= partial.payload.length
    closeAll(partial.descriptors)
  }

  /** Forgets everything. */
  clear(): void {
    for (const from of [...this.#partials.keys()]) this.drop(from)
  }
}

function finish(payload: Uint8Array, descriptors: Descriptor[], refused: string | undefined): Assembled {
  if (refused === undefined) return { payload, descriptors, refused }
  closeAll(descriptors)
  return { payload, descriptors: [], refused }
}

/** Closes every one of them. */
export function closeAll(descriptors: readonly Descriptor[]): void {
  for (const descriptor of descriptors) descriptor.close()
}
