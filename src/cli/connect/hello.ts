import { ContentType, NamedGroup, nameOf } from '../../tls13/codepoints.ts'
import { extensionTypes, readExtensions } from '../../tls13/extensions.ts'
import { decodeHandshake, wholeHandshake } from '../../tls13/messages.ts'
import { readRecord } from '../../tls13/record.ts'
import { concat, EMPTY } from '../../wire/index.ts'

/**
 * Reads along in what a server says in clear, for what a session does not keep: the group. Never throws: the
 * session judges.
 */
export class HelloReader {
  /** Undefined until it is known, and for a handshake that exchanges no key. */
  group: string | undefined
  retried = false
  #bytes: Uint8Array = EMPTY
  #message: Uint8Array = EMPTY
  #over = false

  /** Bytes from the server. */
  see(bytes: Uint8Array): void {
    if (this.#over) return
    this.#bytes = concat(this.#bytes, bytes)
    try {
      this.#read()
    } catch {
      this.#over = true
    }
  }

  #read(): void {
    for (;;) {
      const record = readRecord(this.#bytes, 0, true)
      if (record === undefined) return
      this.#bytes = this.#bytes.slice(record.length)
      if (record.type === ContentType.change_cipher_spec) continue
      if (record.type !== ContentType.handshake) {
        this.#over = true
        return
      }
      this.#message = concat(this.#message, record.fragment)
      const length = wholeHandshake(this.#message)
      if (length !== undefined) this.#hello(this.#message.slice(0, length))
    }
  }

  #hello(bytes: Uint8Array): void {
    this.#message = this.#message.slice(bytes.length)
    const message = decodeHandshake(bytes)
    if (message.type === 'hello_retry_request') this.retried = true
    if (message.type !== 'server_hello') return
    this.#over = true
    const { key_share } = readExtensions('SH', message.extensions, extensionTypes(message.extensions))
    this.group = key_share && nameOf(NamedGroup, key_share.group)
  }
}
