import { concat } from '../../src/wire/index.ts'
import { FakeStream } from './connection-scene.ts'

/** A container's process dies in the middle of a write: nothing of it runs on. */
export class Death extends Error {}

/** A stream whose writer may die over a write, of which the kernel has a part by then. */
export class DeadlyStream extends FakeStream {
  readonly #pass: (bytes: Uint8Array) => void
  #dead = false

  /** @param pass throws {@link Death} */
  constructor(pass: (bytes: Uint8Array) => void) {
    super()
    this.#pass = pass
  }

  override write(chunks: readonly Uint8Array[]) {
    if (this.#dead) throw new Death()
    try {
      if (this.state === 'open' && !this.finished) this.#pass(concat(...chunks))
    } catch (error) {
      this.#dead = true
      throw error
    }
    return super.write(chunks)
  }
}

/** Milliseconds until a connection is idle for too long: when the test looks at it no more. */
export const LONG_AFTER = 2 ** 30
/** For worlds that are abandoned: none of their timers runs out while others are tried. */
export const NEVER = {
  headers: LONG_AFTER,
  'request-body': LONG_AFTER,
  'keep-alive': LONG_AFTER,
  handler: LONG_AFTER,
  container: LONG_AFTER,
}
