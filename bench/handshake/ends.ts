import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import {
  connect as connectTls,
  createSecureContext,
  createServer as createTlsServer,
  type SecureContext,
} from 'node:tls'
import { loadProvider } from '../../src/platform/membership.ts'
import { select } from '../../src/tls13/crypto/selection.ts'
import {
  type Answer,
  type ClientConfig,
  createTicketKey,
  createTicketSealer,
  type ResumptionTicket,
  recycle,
  type ServerConfig,
  Session,
  type SessionEvent,
} from '../../src/tls13/index.ts'
import { certificateFromPem } from '../../src/tls13/io/pem.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import type { ByteStream } from '../../src/transfer/byte-stream.ts'
import { adopt } from '../../src/transfer/stream.ts'
import { said } from '../tamper/lie.ts'
import {
  ANSWER,
  GROUP,
  hasSigner,
  type Kind,
  providerOf,
  REQUEST,
  SERVER_NAME,
  type Stack,
  SUITE,
} from './rows.ts'
import { startSigner } from './signer.ts'

/** What resumes a connection: a ticket of ours, or a session of Node's. */
export type Ticket = ResumptionTicket | Buffer

/** One connection that has been used. */
export interface Visit {
  readonly resumed: boolean
  readonly ticket: Ticket | undefined
}

/**
 * Connects, sends one byte, waits for one, and goes. @param wantsTicket wait for one, too @throws Error
 * anything is not as it should be
 */
export type Visitor = (ticket: Ticket | undefined, wantsTicket: boolean) => Promise<Visit>

/** A client of some server, for each kind of handshake. */
export type Visitors = Readonly<Record<Kind, Visitor>>

/** What servers answer. */
const GIVEN = said(Uint8Array.of(ANSWER))

const NODE_OPTIONS = { minVersion: 'TLSv1.3', ciphers: SUITE, ecdhCurve: 'X25519' } as const

/** A server that answers one byte with another. It listens on a port of its own. @returns the port */
export async function listen(
  stack: Stack,
  pem: { readonly certificate: string; readonly key: string },
): Promise<number> {
  const server = stack === 'node:tls' ? nodeServer(pem) : await ourServer(stack, pem)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A client of such a server; the certificate must be signed by `authority`, which is read once. */
export async function visitors(stack: Stack, port: number, authority: string): Promise<Visitors> {
  if (stack === 'node:tls') {
    const secureContext = createSecureContext({ ...NODE_OPTIONS, ca: authority })
    const visit: Visitor = (ticket, wantsTicket) =>
      nodeVisit(port, secureContext, ticket as Buffer, wantsTicket)
    return { full: visit, 'full, new chain': visit, resumed: visit }
  }
  const config = { provider: await provider(stack), serverName: SERVER_NAME }
  const visitorWith =
    (verify: ClientConfig['verify']): Visitor =>
    (ticket, wantsTicket) =>
      ourVisit(port, { ...config, verify }, ticket as ResumptionTicket, wantsTicket)
  const visit = visitorWith(verifier({ ca: authority }))
  const anew = visitorWith(verifier({ ca: authority, remember: false }))
  return { full: visit, 'full, new chain': anew, resumed: visit }
}

function nodeServer(pem: { readonly certificate: string; readonly key: string }): Server {
  return createTlsServer({ ...NODE_OPTIONS, cert: pem.certificate, key: pem.key }, socket => {
    socket.on('data', () => socket.write(GIVEN.slice()))
    socket.on('error', () => {}) // clients leave without a goodbye
  })
}

async function ourServer(
  stack: Stack,
  pem: { readonly certificate: string; readonly key: string },
): Promise<Server> {
  const ours = await provider(stack)
  const signing = hasSigner(stack) ? await startSigner(providerOf(stack), ours, pem) : undefined
  const config: ServerConfig = {
    provider: ours,
    certificates: signing?.certificates ?? [certificateFromPem(ours, pem.certificate, pem.key)],
    // As many as OpenSSL sends.
    tickets: { sealer: createTicketSealer(ours, [createTicketKey(ours)]), count: 2 },
  }
  return createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket: Socket) => {
    const end = new End(adopt(socket), Session.server(config))
    end.onEvent = event => {
      if (event.type === 'application_data') end.send(GIVEN.slice())
      else if (event.type === 'question' && event.question.kind === 'signature')
        signing?.ask(event.question, answer => end.answer(event.id, answer))
    }
    end.start()
  })
}

async function provider(stack: Stack) {
  const loaded = await loadProvider(providerOf(stack))
  return select(loaded, { groups: [GROUP], cipherSuites: [SUITE] })
}

/** As a container does it: a raw stream, a session, and nothing in between. */
class End {
  onEvent: (event: SessionEvent) => void = () => {}
  onEnd: (error?: Error) => void = () => {}
  readonly #stream: ByteStream
  readonly session: Session

  constructor(stream: ByteStream, session: Session) {
    this.#stream = stream
    this.session = session
  }

  start(): void {
    this.#stream.read({
      bytes: view => this.#receive(view),
      end: () => this.destroy(),
      error: error => this.destroy(error),
    })
    this.#flush()
  }

  send(bytes: Uint8Array): void {
    this.session.send(bytes)
  }

  answer(id: number, answer: Answer): void {
    this.session.answer(id, answer)
    this.#pump()
  }

  destroy(error?: Error): void {
    this.#stream.destroy()
    this.onEnd(error)
  }

  #receive(view: Uint8Array): void {
    const { session } = this
    session.feed(view)
    this.#pump()
  }

  #pump(): void {
    const { session } = this
    for (let event = session.next(); event !== undefined; event = session.next()) this.onEvent(event)
    this.#flush()
  }

  #flush(): void {
    const output = this.session.takeOutput()
    if (output.length > 0 && this.#stream.state === 'open' && this.#stream.write(output) !== 'queued')
      recycle(output)
  }
}

async function ourVisit(
  port: number,
  config: ClientConfig,
  resume: ResumptionTicket | undefined,
  wantsTicket: boolean,
): Promise<Visit> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return new Promise((resolve, reject) => {
    const end = new End(adopt(socket), Session.client(resume === undefined ? config : { ...config, resume }))
    let [answered, resumed, left]: [boolean, boolean, boolean] = [false, false, false]
    let ticket: ResumptionTicket | undefined
    end.onEvent = event => {
      if (event.type === 'handshake_complete') {
        resumed = event.resumed
        end.send(Uint8Array.of(REQUEST))
      }
      if (event.type === 'alert') reject(event.error)
      if (event.type === 'application_data') {
        answered = event.data.length === 1 && event.data[0] === ANSWER
        if (!answered) reject(wrong())
      }
      if (event.type === 'new_session_ticket') ticket = event.ticket
      if (!answered || left || (wantsTicket && ticket === undefined)) return
      left = true
      // Not from within the event: what it came from is still being read.
      setImmediate(() => end.destroy())
      resolve({ resumed, ticket })
    }
    end.onEnd = error => reject(error ?? new Error('the server is gone'))
    end.start()
  })
}

function wrong(): Error {
  return new Error('a wrong answer: the run does not count')
}

function nodeVisit(
  port: number,
  secureContext: SecureContext,
  session: Buffer | undefined,
  wantsTicket: boolean,
): Promise<Visit> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      secureContext,
      port,
      host: '127.0.0.1',
      servername: SERVER_NAME,
      ...(session === undefined ? {} : { session }),
    })
    let answered = false
    let ticket: Buffer | undefined
    const check = (): void => {
      if (!answered || (wantsTicket && ticket === undefined)) return
      const resumed = socket.isSessionReused()
      socket.destroy()
      resolve({ resumed, ticket })
    }
    if (wantsTicket) {
      socket.on('session', one => {
        ticket = one
        check()
      })
    }
    socket.once('secureConnect', () => socket.write(Uint8Array.of(REQUEST)))
    socket.on('data', data => {
      answered = data.length === 1 && data[0] === ANSWER
      if (!answered) reject(wrong())
      check()
    })
    socket.once('error', reject)
  })
}
