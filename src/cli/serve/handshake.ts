import { X509Certificate } from 'node:crypto'
import { NamedGroup, nameOf, SignatureScheme } from '../../tls13/codepoints.ts'
import { extensionTypes, readExtensions } from '../../tls13/extensions.ts'
import type { Session } from '../../tls13/index.ts'
import type { HandshakeMessage } from '../../tls13/messages.ts'

/**
 * What a server says in its handshake, noted as it goes out: a session forgets what it does not need any
 * more.
 */
export class Handshake {
  #group: string | undefined
  #scheme: string | undefined
  #retried = false
  #early = false

  /** A `shape` of a configuration that changes nothing. */
  see(message: HandshakeMessage): HandshakeMessage {
    if (message.type === 'hello_retry_request') this.#retried = true
    if (message.type === 'server_hello') {
      const { key_share } = readExtensions('SH', message.extensions, extensionTypes(message.extensions))
      this.#group = key_share && nameOf(NamedGroup, key_share.group)
    }
    if (message.type === 'certificate_verify') this.#scheme = nameOf(SignatureScheme, message.algorithm)
    if (message.type === 'encrypted_extensions')
      this.#early = message.extensions.some(({ extensionType }) => extensionType === EARLY_DATA)
    return message
  }

  /** What was negotiated, in words. */
  describe(session: Session): object {
    const { cipherSuite, alpn, serverName, peerCertificate } = session
    return {
      version: 'TLSv1.3',
      cipherSuite,
      // psk_ke exchanges no key.
      group: this.#group ?? null,
      helloRetryRequest: this.#retried,
      signatureScheme: this.#scheme ?? null,
      resumed: session.inspect().resumed,
      earlyData: this.#early,
      alpn: alpn ?? null,
      serverName: serverName ?? null,
      clientCertificate: peerCertificate === undefined ? null : subjectOf(peerCertificate),
    }
  }
}

const EARLY_DATA = 42

function subjectOf(certificate: Uint8Array): string {
  return new X509Certificate(certificate).subject.replaceAll('\n', ', ')
}
