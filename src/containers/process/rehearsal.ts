import { randomFillSync } from 'node:crypto'
import { type FunctionModule, functionModule } from '../../functions/module.ts'
import type { Field, RequestView, ResponseView } from '../../http/message.ts'
import type { Log } from '../../platform/log.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import { type CryptoProvider, Session } from '../../tls13/index.ts'
import type { ByteStream } from '../../transfer/byte-stream.ts'
import { createPair, NativeChannel } from '../../transfer/channels/native.ts'
import type { Peer } from '../../transfer/control.ts'
import { Courier } from '../../transfer/courier.ts'
import { SESSION_ID_LENGTH } from '../../transfer/envelope.ts'
import { openPair, openTcpPair, type Pair } from '../../transfer/pair.ts'
import { freshTls } from '../../transfer/parcel.ts'
import { createIdentity, Sealer } from '../../transfer/seal.ts'
import { type Descriptor, openStream } from '../../transfer/stream.ts'
import { concat, EMPTY, utf8 } from '../../wire/index.ts'
import { handlersOf, Place } from './handlers.ts'
import { Host, type HostOptions } from './host.ts'
import { KeyRing } from './key-ring.ts'
import { containerTls } from './tls-config.ts'

/**
 * The two ids, and the functions that the two hosts say they have: what is asked for next decides who must
 * have the connection.
 */
const SIDES = [1, 2] as const
/** As a container has them: strings that were read, which the engine compares in another way than its own. */
const NAMES = ['one', 'other'].map(name => new TextDecoder().decode(utf8(name)))
/** From whom the connection comes at first: neither of these. */
const CLIENT = 0
/** Moves without a pause. */
const BATCH = 20
/** Milliseconds for one move; one that takes longer is given up, and the rehearsal with it. */
const PATIENCE = 2000
/** Clients: all of them ask in turns, and are idle then together. */
const CLIENTS = 8
/** Rounds after which one of them goes, and another comes in its place. */
const LIFE = 8
/** Of two shapes, so that nothing is compiled for one alone: a container's own log is of a third. */
const SILENT: readonly Log[] = [
  { debug() {}, info() {}, warn() {}, error() {} },
  { error() {}, warn() {}, info() {}, debug() {} },
]

/** A move took longer than it may: the machine has other work, and a rehearsal is no reason to add to it. */
export class BusyError extends Error {
  override readonly name = 'BusyError'

  constructor() {
    super(`one move took more than ${PATIENCE / 1000} s`)
  }
}

/** What a rehearsal takes from the container that it is for. */
export type RehearsalOptions = Pick<HostOptions, 'tls' | 'limits' | 'clock'> & {
  readonly kind: FunctionModule['kind']
  /**
   * Connections are of several kinds, come and go, and ask for different things, as a container has to
   * expect. Default: one connection, by TCP, whose requests are all alike.
   */
  readonly varied?: boolean
}

/**
 * Connections that two hosts in this process hand to and fro, by the code and the kernel calls that real
 * ones take: sealing, messages, descriptors, raw streams, TLS, HTTP and a function. After some hundred moves
 * the engine has compiled all of it, for the kinds of objects that it has seen. So, if asked for, one is
 * TCP, as a client's is, and others are Unix streams, as legs are; clients come and go; they move over a
 * request, and together while they are idle, as in a roll-out; requests, answers and functions are not all
 * alike; and what a container has made of its settings is made here by the same code. It needs the native
 * channel.
 */
export class Rehearsal {
  readonly #couriers: Courier[] = []
  readonly #hosts: Host[] = []
  readonly #clients: Client[] = []
  readonly #options: RehearsalOptions
  readonly #clock: Clock
  #moves = 0
  /** Requests. */
  #asked = 0
  #answered: () => void = () => {}
  #failed: (error: Error) => void = () => {}

  /** Makes both hosts. */
  constructor(options: RehearsalOptions) {
    this.#options = options
    this.#clock = options.clock
    const { provider } = options.tls
    const ends = createPair()
    const identities = SIDES.map(id => createIdentity(provider, id))
    const peer = (side: number): Peer => ({
      id: SIDES[side]!,
      role: 'container',
      name: NAMES[side]!,
      functionName: NAMES[side]!,
      publicKey: identities[side]!.publicKey,
    })
    for (const side of [0, 1]) {
      const place = new Place()
      const host = makeHost(options, NAMES[side]!)
      place.host = host
      const sealer = new Sealer(provider, identities[side]!)
      const channel = NativeChannel.open(SIDES[side]!)
      const courier = new Courier(channel, sealer, handlersOf(place, OTHERS))
      host.connect(courier)
      const other = peer(1 - side)
      courier.introduce(other, ends[side]!)
      host.introduced(other)
      this.#hosts.push(host)
      this.#couriers.push(courier)
    }
  }

  /** How often connections have moved. */
  get moves(): number {
    return this.#moves
  }

  /**
   * Has connections move in turns until there is enough of it, then closes everything.
   * @param pause milliseconds after every {@link BATCH} moves
   * @throws Error one does not move
   */
  async run(pause: number, enough: () => boolean): Promise<void> {
    try {
      const tcp = await openTcpPair().catch(() => undefined)
      if (tcp !== undefined) this.#connect(tcp)
      while (this.#clients.length < (this.#options.varied === true ? CLIENTS : 1)) this.#connect(unixPair())
      await this.#moveOn(pause, enough)
    } finally {
      // The answer came before the verdict: until then the one who had the connection keeps its descriptor.
      const end = this.#clock.steady() + PATIENCE
      while (this.#couriers.some(({ inCustody }) => inCustody > 0) && this.#clock.steady() < end)
        await this.#pass(1)
      for (const client of this.#clients) client.close()
      for (const host of this.#hosts) await host.stop()
      for (const courier of this.#couriers) courier.close()
    }
  }

  /** One move after the other, each begun by the answer to the one before. */
  #moveOn(pause: number, enough: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let patience: Timer | undefined
      let seen = -1
      const over = (end: () => void): void => {
        patience?.stop()
        end()
      }
      // Looked at now and then: one timer for all of them.
      const look = (): void => {
        if (seen === this.#moves) over(() => reject(new BusyError()))
        else {
          seen = this.#moves
          patience = this.#clock.after(PATIENCE, look)
        }
      }
      const ask = (): void => {
        if (enough()) over(resolve)
        else this.#clients[this.#asked++ % this.#clients.length]!.ask()
      }
      const goOn = (): void => {
        if (pause > 0 && this.#asked % BATCH === 0) this.#clock.after(pause, ask)
        else ask()
      }
      this.#answered = () => {
        this.#moves++
        if (this.#options.varied !== true || this.#asked % this.#clients.length > 0) goOn()
        else this.#roundOver(goOn)
      }
      this.#failed = error => over(() => reject(error))
      look()
      ask()
    })
  }

  /** Every client has its answer, and is idle. */
  #roundOver(then: () => void): void {
    const rounds = this.#asked / this.#clients.length
    if (rounds % LIFE === 0) {
      this.#clients.pop()?.close()
      this.#connect(unixPair())
      then()
      // Back again, so that each is where its next request is not for.
    } else this.#handOver(() => this.#handOver(then))
  }

  /** Moves all clients to the other host, as they are. */
  #handOver(then: () => void): void {
    let missing = this.#clients.length
    for (const { sessionId, host } of this.#clients) {
      this.#hosts[host]!.move(sessionId, SIDES[1 - host]!, ({ outcome, detail }) => {
        if (outcome !== 'moved') this.#failed(new Error(`an idle connection was ${outcome}: ${detail}`))
        this.#moves++
        if (--missing === 0) then()
      })
    }
    for (const client of this.#clients) client.host = 1 - client.host
  }

  /** A connection at the first host. */
  #connect([mine, theirs]: Pair): void {
    const { tls, limits, varied = false } = this.#options
    const client = new Client(
      tls.provider,
      mine,
      varied,
      () => this.#answered(),
      error => this.#failed(error),
    )
    this.#clients.push(client)
    const { sessionId } = client
    const envelope = freshTls({ sessionId, idleLeft: limits.timers['keep-alive'], inbound: EMPTY })
    this.#hosts[0]!.take({ envelope, descriptor: theirs }, CLIENT)
  }

  #pass(milliseconds: number): Promise<void> {
    return new Promise(resolve => this.#clock.after(milliseconds, resolve))
  }
}

const OTHERS = { control() {}, nonsense() {} } as const

function unixPair(): Pair {
  return openPair() as Pair
}

function makeHost({ tls, limits, kind, clock }: RehearsalOptions, name: string): Host {
  const { provider, certificates } = tls
  const lifetimeSeconds = 60
  const keyRing = new KeyRing(provider, { rotationSeconds: 60, lifetimeSeconds, now: () => clock.steady() })
  // Nothing of this is written down, and no ticket is valid elsewhere.
  const config = containerTls({
    provider,
    certificates,
    alpn: ['http/1.1'],
    tickets: { sealer: keyRing.tickets, count: 1, lifetimeSeconds },
  })
  const file = 'rehearsal'
  const side = name === NAMES[0] ? 0 : 1
  const { handle, fetch } = FUNCTIONS[side]
  const module = functionModule(kind === 'raw' ? { kind, file, handle } : { kind, file, fetch })
  const http = { ...limits.http, requests: Number.MAX_SAFE_INTEGER }
  return new Host({
    container: name,
    functionName: name,
    module,
    environment: {},
    functionNames: new Set(NAMES),
    tls: config,
    limits: { ...limits, http },
    clock,
    log: SILENT[side]!,
    keyRing,
  })
}

const BODY = new Uint8Array(100)
const TEXT: readonly Field[] = [['content-type', 'text/plain']]

/** What the hosts answer with: two functions, because what calls one alone is compiled for that one. */
const FUNCTIONS = [
  {
    handle: ({ path }: RequestView): ResponseView => ({ status: 200, body: path }),
    fetch: (): Response => new Response('rehearsed', { headers: { 'content-type': 'text/plain' } }),
  },
  {
    handle: ({ body }: RequestView): ResponseView => ({ status: 200, headers: TEXT, body }),
    fetch: async (request: Request): Promise<Response> => new Response(await request.arrayBuffer()),
  },
] as const

/** What is asked, in turns: one host and then the other, with content and then without. */
const REQUESTS = ['POST', 'GET'].flatMap(method =>
  NAMES.map(name => {
    const length = method === 'POST' ? `content-length: ${BODY.length}\r\n` : ''
    const head = utf8(`${method} /${name} HTTP/1.1\r\nhost: a\r\n${length}\r\n`)
    return method === 'POST' ? concat(head, BODY) : head
  }),
)

/** The client, which trusts any server and looks at no more of an answer than its end. */
class Client {
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
      alpn: ['http/1.1'],
      serverName: 'rehearsal.invalid',
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
    if (records.length > 0) this.#stream.write(records)
  }
}
