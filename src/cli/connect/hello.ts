import { NamedGroup, nameOf } from '../../tls13/codepoints.ts'
import type { CryptoProvider } from '../../tls13/crypto/provider.ts'
import { extensionTypes, readExtensions } from '../../tls13/extensions.ts'
import { decodeHandshake } from '../../tls13/messages.ts'
import { Tracer } from '../../trace/tracer.ts'

/** Reads along in what a server says in clear, for what a session does not keep: the group. */
export class HelloReader {
  /** Undefined until it is known, and for a handshake that exchanges no key. */
  group: string | undefined
  retried = false
  /** It is given no secret, and so understands the hellos alone. */
  #tracer: Tracer | undefined

  constructor(provider: Pick<CryptoProvider, 'cipherSuites'>) {
    this.#tracer = new Tracer(provider)
  }

  /** Bytes from the server. */
  see(bytes: Uint8Array): void {
    this.#tracer?.bytes('server', bytes)
    for (const event of this.#tracer?.take() ?? []) {
      if (event.kind === 'gap') this.#tracer = undefined
      else if (event.kind === 'message') this.#hello(event.bytes)
    }
  }

  #hello(bytes: Uint8Array): void {
    const message = decodeHandshake(bytes)
    if (message.type === 'hello_retry_request') this.retried = true
    if (message.type !== 'server_hello') return
    this.#tracer = undefined
    try {
      const { key_share } = readExtensions('SH', message.extensions, extensionTypes(message.extensions))
      this.group = key_share && nameOf(NamedGroup, key_share.group)
    } catch {
      // The session judges.
    }
  }
}
