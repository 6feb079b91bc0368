import { randomFillSync } from 'node:crypto'
import { type CryptoProvider, recycle, Session } from '../../tls13/index.ts'
import type { ByteStream } from '../../transfer/byte-stream.ts'
import { SESSION_ID_LENGTH } from '../../transfer/envelope.ts'
import { type Descriptor, openStream } from '../../transfer/stream.ts'
import { concat, utf8 } from '../../wire/index.ts'
import { NAMES } from './rehearsal-host.ts'

const BODY = new Uint8Array(100)

/** What is asked, in turns: one host, then the other; with content and by path, then without and by name. */
const REQUESTS = [
  ...NAMES.map(name =>
    concat(utf8(`POST /${name} HTTP/1.1\r\nhost: a\r\ncontent-length: ${BODY.length}\r\n\r\n`), BODY),
  ),
  ...NAMES.map(name => utf8(`GET / HTTP/1.1\r\nhost: ${name}.invalid\r\n\r\n`)),
]

/** Clients so far: every other one says what it speaks, as some do and some do not. */
let clients = 0

/** The client, which trusts any server and looks at no more of an answer than its end. */
export class RehearsalClient {
  readonly sessionId = randomFillSync(new Uint8Array(SESSION_ID_LENGTH))
  /** Which one has it. */
  host = 0
  readonly #session: Session
  readonly #stream: ByteStream
  readonly #requests: readonly Uint8Array[]
  readonly #answered: () => void
  readonly #failed: (error: Error) => void
  #asked = 0
  #closed = false
  /** Asked before the handshake is over. */
  #early: Uint8Array | undefined

  /**
   * @param varied requests differ
   * @param answered called with each answer @param failed called when there are no more
   */
  constructor(
    provider: CryptoProvider,
    end: Descriptor,
    varied: boolean,
    answered: () => void,
    failed: (error: Error) => void,
  ) {
    this.#requests = varied ? REQUESTS : REQUESTS.slice(0, 2)
    this.#answered = answered
    this.#failed = failed
    const trusting = {
      ...provider,
      signatureAlgorithms: provider.signatureAlgorithms.map(one => ({ ...one, verify: () => true })),
    }
    this.#session = Session.client({
      provider: trusting,
      ...(varied && clients++ % 2 === 1 ? {} : { alpn: ['http/1.1'] }),
      serverName: 'rehearsal.invalid',
      sharesMemory: true,
      verify: () => ({ publicKey: Uint8Array.of(0) }),
    })
    this.#stream = openStream(end)
    const cut = (): void => this.#fail(new Error('the rehearsal was cut off'))
    this.#stream.read({ bytes: view => this.#receive(view), end: cut, error: cut })
  }

  /** Asks the host that does not have the connection; the first time, the one that does. */
  ask(): void {
    this.host = this.#asked % 2
    const request = this.#requests[this.#asked++ % this.#requests.length]!
    if (this.#session.connected) this.#session.send(request)
    else this.#early = request
    this.#flush()
  }

  close(): void {
    this.#closed = true
    this.#stream.destroy()
  }

  #fail(error: Error): void {
    if (!this.#closed) this.#failed(error)
  }

  #receive(view: Uint8Array): void {
    this.#session.feed(view)
    for (let event = this.#session.next(); event !== undefined; event = this.#session.next()) {
      if (event.type === 'alert') this.#fail(event.error)
      if (event.type === 'handshake_complete' && this.#early !== undefined) this.#session.send(this.#early)
      // The whole response is one record.
      if (event.type === 'application_data') this.#answered()
    }
    this.#flush()
  }

  #flush(): void {
    const records = this.#session.takeOutput()
    if (records.length > 0 && this.#stream.write(records) === 'flushed') recycle(records)
  }
}
