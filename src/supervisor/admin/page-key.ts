import { createHmac, randomBytes } from 'node:crypto'
import { equal } from '../../wire/index.ts'

/** Bytes of the token: 256 bits of chance. */
const LENGTH = 32

/** What opens the page's stream: a token in the link, behind the `#`, which no request carries. */
export class PageKey {
  /** Of letters, digits, `-` and `_`. */
  readonly token: string = randomBytes(LENGTH).toString('base64url')
  readonly #blind = randomBytes(LENGTH)

  /**
   * Whether a field `Authorization` says the token. What is compared are hashes under a key that no client
   * knows: how long that takes says nothing of the token.
   */
  opens(authorization: string | undefined): boolean {
    const said = /^Bearer ([\w-]{1,128})$/.exec(authorization ?? '')?.[1] ?? ''
    return equal(this.#digest(said), this.#digest(this.token))
  }

  #digest(text: string): Uint8Array {
    return createHmac('sha256', this.#blind).update(text).digest()
  }
}
