import { randomFillSync } from 'node:crypto'
import type { FunctionModule } from '../../functions/module.ts'
import type { Log } from '../../platform/log.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import { type ServerConfig, Session } from '../../tls13/index.ts'
import type { ByteStream } from '../../transfer/byte-stream.ts'
import { createPair, NativeChannel } from '../../transfer/channels/native.ts'
import type { Peer } from '../../transfer/control.ts'
import { Courier } from '../../transfer/courier.ts'
import { SESSION_ID_LENGTH } from '../../transfer/envelope.ts'
import { openPair } from '../../transfer/pair.ts'
import { freshTls } from '../../transfer/parcel.ts'
import { createIdentity, Sealer } from '../../transfer/seal.ts'
import { type Descriptor, openStream } from '../../transfer/stream.ts'
import { concat, EMPTY, utf8 } from '../../wire/index.ts'
import { Host, type HostOptions } from './host.ts'
import { KeyRing } from './key-ring.ts'

/**
 * The two ids, and the functions that the two hosts say they have: what is asked for next decides who must
 * have the connection.
 */
const SIDES = [1, 2] as const
const NAMES = ['one', 'other'] as const
const TARGETS = NAMES.map(name => `/${name}`)
/** From whom the connection comes at first: neither of these. */
const CLIENT = 0
/** Moves without a pause. */
const BATCH = 20
/** Milliseconds for one move; one that takes longer is given up, and the rehearsal with it. */
const PATIENCE = 2000
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
}

/**
 * A connection that two hosts in this process hand to and fro, by the code and the kernel calls that real
 * ones take: sealing, messages, descriptors, raw streams, TLS, HTTP and a function. After some hundred moves
 * the engine has compiled all of it, and the first connection that a container is given is taken as fast as
 * its thousandth. It needs the native channel.
 */
export class Rehearsal {
  readonly #couriers: Courier[] = []
  readonly #hosts: Host[] = []
  readonly #client: Client
  readonly #clock: Clock
  #moves = 0

  /** Makes both hosts, and a connection at the first one. */
  constructor(options: RehearsalOptions) {
    this.#clock = options.clock
    const { provider, certificates } = options.tls
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
      const courier = new Courier(channel, sealer, {
        parcel: (...what) => host.take(...what),
        introduced() {},
        gone() {},
        control() {},
        nonsense() {},
      })
      host.connect(courier)
      const other = peer(1 - side)
      courier.introduce(other, ends[side]!)
      host.introduced(other)
      this.#hosts.push(host)
      this.#couriers.push(courier)
    }
    const [mine, theirs] = openPair() as readonly [Descriptor, Descriptor]
    this.#client = new Client({ provider, certificates }, mine)
    const sessionId = randomFillSync(new Uint8Array(SESSION_ID_LENGTH))
    const envelope = freshTls({ sessionId, idleLeft: options.limits.timers['keep-alive'], inbound: EMPTY })
    this.#hosts[0]!.take({ envelope, descriptor: theirs }, CLIENT)
  }

  /** How often the connection has moved. */
  get moves(): number {
    return this.#moves
  }

  /**
   * Has the connection move until there is enough of it, then closes everything.
   * @param pause milliseconds after every {@link BATCH} moves
   * @throws Error it does not move
   */
  async run(pause: number, enough: () => boolean): Promise<void> {
    try {
      await this.#moveOn(pause, enough)
    } finally {
      // The answer came before the verdict: until then the one who had the connection keeps its descriptor.
      const end = this.#clock.steady() + PATIENCE
      while (this.#couriers.some(({ inCustody }) => inCustody > 0) && this.#clock.steady() < end)
        await this.#pass(1)
      this.#client.close()
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
        else this.#client.ask(TARGETS[this.#moves % 2]!)
      }
      this.#client.watch(
        () => {
          this.#moves++
          if (pause > 0 && this.#moves % BATCH === 0) this.#clock.after(pause, ask)
          else ask()
        },
        error => over(() => reject(error)),
      )
      look()
      // The first one asks who has it already, and finishes the handshake.
      ask()
    })
  }

  #pass(milliseconds: number): Promise<void> {
    return new Promise(resolve => this.#clock.after(milliseconds, resolve))
  }
}

function makeHost({ tls, limits, kind, clock }: RehearsalOptions, name: string): Host {
  const { provider, certificates } = tls
  const lifetimeSeconds = 60
  const keyRing = new KeyRing(provider, { rotationSeconds: 60, lifetimeSeconds, now: () => clock.steady() })
  // Nothing of this is written down, and no ticket is valid elsewhere.
  const config: ServerConfig = {
    provider,
    certificates,
    alpn: ['http/1.1'],
    tickets: { sealer: keyRing.tickets, count: 1, lifetimeSeconds },
  }
  const module: FunctionModule =
    kind === 'raw'
      ? { kind, file: 'rehearsal', handle: ({ path }) => ({ status: 200, body: path }) }
      : { kind, file: 'rehearsal', fetch: async request => new Response(await request.arrayBuffer()) }
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
    log: SILENT,
    keyRing,
  })
}

/** The client, which trusts any server and looks at no more of an answer than its end. */
class Client {
  readonly #session: Session
  readonly #stream: ByteStream
  readonly #requests = new Map<string, Uint8Array>()
  #answered: (() => void) | undefined
  #failed: ((error: Error) => void) | undefined
  /** Asked before the handshake is over. */
  #early: Uint8Array | undefined

  constructor({ provider }: Pick<ServerConfig, 'provider' | 'certificates'>, end: Descriptor) {
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
    const failed = (): void => this.fail(new Error('the rehearsal was cut off'))
    this.#stream.read({ bytes: view => this.#receive(view), end: failed, error: failed })
  }

  /** @param answered called with each answer @param failed called when there are no more */
  watch(answered: () => void, failed: (error: Error) => void): void {
    this.#answered = answered
    this.#failed = failed
  }

  ask(target: string): void {
    let request = this.#requests.get(target)
    if (request === undefined) {
      const head = `POST ${target} HTTP/1.1\r\nhost: a\r\ncontent-length: ${BODY.length}\r\n\r\n`
      request = concat(utf8(head), BODY)
      this.#requests.set(target, request)
    }
    if (this.#session.connected) this.#session.send(request)
    else this.#early = request
    this.#flush()
  }

  fail(error: Error): void {
    this.#failed?.(error)
  }

  close(): void {
    this.#failed = undefined
    this.#stream.destroy()
  }

  #receive(view: Uint8Array): void {
    this.#session.feed(view)
    for (let event = this.#session.next(); event !== undefined; event = this.#session.next()) {
      if (event.type === 'alert') this.fail(event.error)
      if (event.type === 'handshake_complete' && this.#early !== undefined) this.#session.send(this.#early)
      // The whole response is one record.
      if (event.type === 'application_data') this.#answered?.()
    }
    this.#flush()
  }

  #flush(): void {
    const records = this.#session.takeOutput()
    if (records.length > 0) this.#stream.write(records)
  }
}

const BODY = new Uint8Array(100)
