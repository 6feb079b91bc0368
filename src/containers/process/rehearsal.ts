import { randomFillSync } from 'node:crypto'
import { type FunctionModule, functionModule } from '../../functions/module.ts'
import { H1Client } from '../../http/h1/index.ts'
import type { Field, RequestView, ResponseView } from '../../http/message.ts'
import type { Log } from '../../platform/log.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import { type ServerConfig, Session } from '../../tls13/index.ts'
import type { ByteStream } from '../../transfer/byte-stream.ts'
import { createPair, NativeChannel } from '../../transfer/channels/native.ts'
import type { Peer } from '../../transfer/control.ts'
import { Courier } from '../../transfer/courier.ts'
import { SESSION_ID_LENGTH } from '../../transfer/envelope.ts'
import { openPair, openTcpPair, type Pair } from '../../transfer/pair.ts'
import { freshTls } from '../../transfer/parcel.ts'
import { createIdentity, Sealer } from '../../transfer/seal.ts'
import { type Descriptor, openStream } from '../../transfer/stream.ts'
import { EMPTY, utf8 } from '../../wire/index.ts'
import { handlersOf } from './handlers.ts'
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
/** Moves in which a connection grows old: then its client closes it, and opens another one. */
const LIFE = 50
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} }

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
  /** One connection is enough, by TCP, with requests that are all alike: for benches that count. */
  readonly plain?: boolean
}

/**
 * Connections that two hosts in this process hand to and fro, by the code and the kernel calls that real
 * ones take: sealing, messages, descriptors, raw streams, TLS, HTTP and a function. After some hundred moves
 * the engine has compiled all of it, for the kinds of objects that it has seen: so one connection is TCP, as a
 * client's is, and one a Unix stream, as a leg is, and requests and answers are of the usual kinds in turn. It
 * needs the native channel.
 */
export class Rehearsal {
  readonly #couriers: Courier[] = []
  readonly #hosts: Host[] = []
  readonly #options: RehearsalOptions
  readonly #clock: Clock
  #moves = 0

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
      const host = makeHost(options, NAMES[side]!)
      const sealer = new Sealer(provider, identities[side]!)
      const channel = NativeChannel.open(SIDES[side]!)
      const courier = new Courier(
        channel,
        sealer,
        handlersOf(() => host, { control() {}, nonsense() {} }),
      )
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
    const clients: Client[] = []
    try {
      const { plain = false } = this.#options
      for (const pair of await pairs(plain)) clients.push(this.#begin(pair, plain))
      while (!enough()) {
        await clients[this.#moves % clients.length]!.ask()
        this.#moves++
        if (!plain && this.#moves % LIFE === 0) {
          clients.pop()!.close()
          clients.push(this.#begin(await openPair(), false))
        }
        if (pause > 0 && this.#moves % BATCH === 0) await this.#pass(pause)
      }
    } finally {
      // The answer came before the verdict: until then the one who had the connection keeps its descriptor.
      const end = this.#clock.steady() + PATIENCE
      while (this.#couriers.some(({ inCustody }) => inCustody > 0) && this.#clock.steady() < end)
        await this.#pass(1)
      for (const client of clients) client.close()
      for (const host of this.#hosts) await host.stop()
      for (const courier of this.#couriers) courier.close()
    }
  }

  /** A connection at the first host. */
  #begin([mine, theirs]: Pair, plain: boolean): Client {
    const { tls, clock, limits } = this.#options
    const client = new Client(tls, clock, mine, plain)
    const sessionId = randomFillSync(new Uint8Array(SESSION_ID_LENGTH))
    const envelope = freshTls({ sessionId, idleLeft: limits.timers['keep-alive'], inbound: EMPTY })
    this.#hosts[0]!.take({ envelope, descriptor: theirs }, CLIENT)
    return client
  }

  #pass(milliseconds: number): Promise<void> {
    return new Promise(resolve => this.#clock.after(milliseconds, resolve))
  }
}

/** The two ends of each connection: by TCP where there is a loopback, and by a Unix stream. */
async function pairs(plain: boolean): Promise<Pair[]> {
  const tcp = await openTcpPair().catch(() => undefined)
  if (tcp === undefined) return [await openPair()]
  return plain ? [tcp] : [tcp, await openPair()]
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
  const { handle, fetch } = FUNCTIONS[name === NAMES[0] ? 0 : 1]
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
    // Objects of two shapes, so that nothing is compiled for one alone: the container's own is of a third.
    log: name === NAMES[0] ? SILENT : LOUD_SHAPE,
    keyRing,
  })
}

const BODY = new Uint8Array(100)
const TEXT: readonly Field[] = [['content-type', 'text/plain']]

/**
 * What the hosts answer with: by code of two kinds, because what calls one function alone is compiled for that
 * one.
 */
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

/** The client, which trusts any server. */
class Client {
  readonly #session: Session
  readonly #late: Timer
  readonly #http = new H1Client()
  readonly #stream: ByteStream
  readonly #plain: boolean
  #asked = 0
  #waiting: { resolve(): void; reject(error: Error): void } | undefined
  /** Asked before the handshake is over. */
  #early: Uint8Array | undefined

  constructor({ provider }: Pick<ServerConfig, 'provider'>, clock: Clock, end: Descriptor, plain: boolean) {
    this.#plain = plain
    this.#late = clock.timer(() => this.#fail(new BusyError()))
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
    const failed = (): void => this.#fail(new Error('the rehearsal was cut off'))
    this.#stream.read({ bytes: view => this.#receive(view), end: failed, error: failed })
  }

  /**
   * Asks one host and then the other, by turns with content and without. The first time it asks who has the
   * connection already, and finishes the handshake.
   */
  ask(): Promise<void> {
    const target = `/${NAMES[this.#asked % 2]}`
    const content = this.#plain || this.#asked % 4 < 2 ? BODY : EMPTY
    this.#asked++
    const answered = new Promise<void>((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
    this.#late.after(PATIENCE)
    const request = this.#http.request(
      { method: content === BODY ? 'POST' : 'GET', target, headers: [['host', 'a']] },
      content,
    )
    if (this.#session.connected) this.#session.send(request)
    else this.#early = request
    this.#flush()
    return answered
  }

  close(): void {
    this.#late.stop()
    this.#stream.destroy()
  }

  #answered(): void {
    this.#late.stop()
    this.#waiting?.resolve()
  }

  #fail(error: Error): void {
    this.#late.stop()
    this.#waiting?.reject(error)
  }

  #receive(view: Uint8Array): void {
    for (const event of this.#session.receive(view)) {
      if (event.type === 'alert') this.#fail(event.error)
      if (event.type === 'handshake_complete' && this.#early !== undefined) this.#session.send(this.#early)
      if (event.type !== 'application_data') continue
      for (const { type } of this.#http.receive(event.data)) if (type === 'end') this.#answered()
    }
    this.#flush()
  }

  #flush(): void {
    const records = this.#session.takeOutput()
    if (records.length > 0) this.#stream.write(records)
  }
}
