import { MAX_DESCRIPTORS, MAX_PAYLOAD } from '../channel.ts'
import type { Descriptor } from '../streams/descriptor.ts'
import type { Fragment } from './frame.ts'

/** A message that has come to its end, whole or not. */
export interface Assembled {
  readonly payload: Uint8Array
  readonly descriptors: Descriptor[]
  /** Why it is not whole; then there are no descriptors. */
  readonly refused: string | undefined
}

interface Partial {
  readonly number: number
  readonly total: number
  readonly payload: Uint8Array
  readonly descriptors: Descriptor[]
  readonly refused: string | undefined
  received: number
}

/**
 * Puts the fragments of one sender's messages together, one message at a time: so a sender claims at most
 * {@link MAX_PAYLOAD} bytes here, and takes no room from others.
 */
export class Assembly {
  #partial: Partial | undefined

  /**
   * Takes one fragment in. `body` and `descriptors` are taken over; `lost` says why descriptors are missing.
   * @returns the message that it completes, `undefined` if more is to come, or a `string` that says how the
   * sender broke the rules
   */
  accept(
    fragment: Fragment,
    body: Uint8Array,
    descriptors: Descriptor[],
    lost: string | undefined,
  ): Assembled | undefined | string {
    const { number, offset, total } = fragment
    if (offset !== 0) return this.#continue(fragment, body, descriptors)
    const interrupted = this.#partial !== undefined
    this.drop()
    const wrong = total > MAX_PAYLOAD || body.length > total || fragment.descriptors > MAX_DESCRIPTORS
    if (wrong || interrupted) {
      closeAll(descriptors)
      return interrupted ? 'a message was cut off' : 'an impossible fragment'
    }
    const refused = descriptors.length === fragment.descriptors ? lost : (lost ?? 'descriptors were lost')
    if (body.length === total) return finish(body, descriptors, refused)
    const payload = new Uint8Array(total)
    payload.set(body)
    if (refused !== undefined) closeAll(descriptors)
    const kept = refused === undefined ? descriptors : []
    this.#partial = { number, total, payload, descriptors: kept, received: body.length, refused }
    return undefined
  }

  #continue(
    { number, offset, total }: Fragment,
    body: Uint8Array,
    descriptors: Descriptor[],
  ): Assembled | undefined | string {
    const partial = this.#partial
    const next = partial?.number === number && partial.received === offset && partial.total === total
    if (!next || descriptors.length > 0 || body.length === 0 || offset + body.length > total) {
      closeAll(descriptors)
      this.drop()
      return 'a fragment out of order'
    }
    partial.payload.set(body, offset)
    partial.received += body.length
    if (partial.received < total) return undefined
    this.#partial = undefined
    return finish(partial.payload, partial.descriptors, partial.refused)
  }

  /** Forgets what has come of an unfinished message. */
  drop(): void {
    const partial = this.#partial
    this.#partial = undefined
    if (partial !== undefined) closeAll(partial.descriptors)
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
