import { type FunctionModule, functionModule } from '../../functions/module.ts'
import type { WebSocketFunction } from '../../functions/web-socket.ts'
import type { Field, RequestView, ResponseView } from '../../http/message.ts'
import type { Log } from '../../platform/log.ts'
import type { RouteEntry } from '../../platform/routes.ts'
import { SUPERVISOR } from '../../transfer/channel.ts'
import { createPair, NativeChannel, type PairEnd } from '../../transfer/channels/native.ts'
import { type ControlMessage, type Peer, writeControl } from '../../transfer/control.ts'
import { Courier } from '../../transfer/courier.ts'
import { createIdentity, Sealer } from '../../transfer/seal.ts'
import { utf8 } from '../../wire/index.ts'
import { handlersOf, Place } from './handlers.ts'
import { Host } from './host.ts'
import type { HostOptions } from './host-options.ts'
import { KeyRing } from './key-ring.ts'
import { connectionLimits, containerTls } from './shapes.ts'
import { pretended } from './signing.ts'

/** What a rehearsal takes from the container that it is for. */
export type RehearsalOptions = Pick<HostOptions, 'tls' | 'limits' | 'clock'> & {
  readonly kind: FunctionModule['kind']
  /**
   * Connections are of several kinds, come and go, and ask for different things, as a container has to
   * expect. Default: one connection, by TCP, whose requests are all alike.
   */
  readonly varied?: boolean
  /** The two keep seats for each other's connections, as containers of a trust group do. */
  readonly warm?: boolean
}

/**
 * The names of the two sides, and of the functions that they say they have. As a container has them: strings
 * that were read, which the engine compares in another way than its own.
 */
export const NAMES = ['one', 'other'].map(name => new TextDecoder().decode(utf8(name)))
/** Of two shapes, so that nothing is compiled for one alone: a container's own log is of a third. */
const SILENT: readonly Log[] = [
  { debug() {}, info() {}, warn() {}, error() {} },
  { error() {}, warn() {}, info() {}, debug() {} },
]
const ROUTES: readonly RouteEntry[] = NAMES.map(name => ({ host: `${name}.invalid`, function: name }))
/** Bytes after which a peer gets its credit: in a few messages what takes hundreds otherwise. */
const PORTION = 4096

/** Speaks to the hosts as a supervisor does, by messages. */
export class RehearsalSupervisor {
  readonly #channel = NativeChannel.open(SUPERVISOR)

  /** @returns the other end of a pair with the process of that id */
  pairWith(id: number): PairEnd {
    const [ours, theirs] = createPair()
    this.#channel.addPeer(id, ours)
    return theirs
  }

  tell(id: number, message: ControlMessage): void {
    this.#channel.send(id, writeControl(message))
  }

  forget(id: number): void {
    this.#channel.forget(id)
  }

  close(): void {
    this.#channel.close()
  }
}

/** A host in this process, with all that it needs to send connections to another one and to take theirs. */
export class RehearsalHost {
  readonly host: Host
  readonly courier: Courier
  readonly peer: Peer
  readonly #options: RehearsalOptions
  readonly #supervisor: RehearsalSupervisor
  readonly #side: number

  /**
   * @param id of the process that it stands for @param side 0 or 1: which of the two functions it has
   * @param keyRing that of the host before it
   */
  constructor(
    options: RehearsalOptions,
    supervisor: RehearsalSupervisor,
    id: number,
    side: number,
    keyRing = makeKeyRing(options),
  ) {
    this.#options = options
    this.#supervisor = supervisor
    this.#side = side
    const { provider } = options.tls
    const functionName = NAMES[side]!
    const place = new Place()
    this.host = place.host = makeHost(options, functionName, keyRing)
    const identity = createIdentity(provider, id)
    const { publicKey } = identity
    this.peer = { id, role: 'container', name: NAMES[side]!, functionName, publicKey }
    const channel = NativeChannel.open(id, undefined, options.varied === true ? PORTION : undefined)
    channel.addPeer(SUPERVISOR, supervisor.pairWith(id))
    const control = (message: ControlMessage, from: number): void => this.#obey(message, from)
    // A copy, as a container's own are: see `join`.
    const handlers = {
      ...handlersOf(place, { control, nonsense() {} }),
      lost: (peer: number) => this.host.unreachable(peer),
    }
    this.courier = new Courier(channel, new Sealer(provider, identity), handlers)
    this.host.connect(this.courier)
  }

  /** Makes the two known to each other. */
  meet(other: RehearsalHost): void {
    const ends = createPair()
    this.courier.introduce(other.peer, ends[0])
    other.courier.introduce(this.peer, ends[1])
    this.host.introduced(other.peer)
    other.host.introduced(this.peer)
  }

  /** A replica that knows the same peers, as a container has in a roll-out. @param id of its process */
  successor(id: number, others: readonly RehearsalHost[]): RehearsalHost {
    const successor = new RehearsalHost(this.#options, this.#supervisor, id, this.#side, this.host.keyRing)
    for (const other of [this, ...others]) successor.meet(other)
    return successor
  }

  /** Hands all its connections to its replicas. @param then called when it has none any more */
  drain(then: () => void): void {
    const look = (): void => {
      if (this.host.draining && this.host.size === 0) then()
      else this.host.loop.later(look)
    }
    this.#supervisor.tell(this.peer.id, { kind: 'drain' })
    look()
  }

  #obey(message: ControlMessage, from: number): void {
    if (message.kind === 'drain') this.host.drain()
    else if (message.kind === 'draining') this.host.leaves(message.id)
    else if (message.kind === 'vacate') this.host.vacated(message.sessionId, from)
    else if (message.kind === 'loads') this.host.loads(message.loads)
    else if (message.kind === 'statusRequest')
      this.courier.tell(SUPERVISOR, { kind: 'status', counters: [{ name: 'size', value: this.host.size }] })
  }

  /** That host is no more. */
  forget(other: RehearsalHost): void {
    this.courier.forget(other.peer.id)
    this.host.gone(other.peer.id)
  }

  /** Ends what lives here. */
  async close(): Promise<void> {
    await this.host.stop()
    this.courier.close()
    this.#supervisor.forget(this.peer.id)
  }
}

const LIFETIME = 60

/** The ring of a function that is not real. */
export function makeKeyRing({ tls, clock }: Pick<RehearsalOptions, 'tls' | 'clock'>): KeyRing {
  const spans = { rotationSeconds: LIFETIME, lifetimeSeconds: LIFETIME }
  return new KeyRing(tls.provider, { ...spans, now: () => clock.steady() })
}

/** A host that has one of the functions that are rehearsed. @param name one of {@link NAMES} */
export function makeHost(options: RehearsalOptions, name: string, keyRing: KeyRing): Host {
  const { tls, limits, kind, clock, warm = false } = options
  const { provider, certificates } = tls
  // Nothing of this is written down, and no ticket is valid elsewhere.
  const config = containerTls({
    provider,
    certificates: pretended(certificates),
    alpn: ['http/1.1'],
    sharesMemory: true,
    tickets: { sealer: keyRing.tickets, count: 1, lifetimeSeconds: LIFETIME },
  })
  const file = 'rehearsal'
  const side = name === NAMES[0] ? 0 : 1
  const { handle, fetch, webSocket } = FUNCTIONS[side]
  const module = functionModule(
    kind === 'raw' ? { kind, file, handle, webSocket } : { kind, file, fetch, webSocket },
  )
  const http = { ...limits.http, requests: Number.MAX_SAFE_INTEGER }
  return new Host({
    container: name,
    functionName: name,
    module,
    environment: {},
    functionNames: new Set(NAMES),
    routes: ROUTES,
    tls: config,
    limits: connectionLimits({ ...limits, http }),
    clock,
    log: SILENT[side]!,
    keyRing,
    warm: warm ? NAMES : [],
  })
}

const TEXT: readonly Field[] = [['content-type', 'text/plain']]

/** Says back what it is told. */
const webSocket: WebSocketFunction = (socket, _context, state) => ({
  message: data => void socket.send(data),
  freeze: () => state,
})

/** What the hosts answer with: two functions, because what calls one alone is compiled for that one. */
const FUNCTIONS = [
  {
    handle: ({ path }: RequestView): ResponseView => ({ status: 200, body: path }),
    fetch: (): Response => new Response('rehearsed', { headers: { 'content-type': 'text/plain' } }),
    webSocket,
  },
  {
    handle: ({ body }: RequestView): ResponseView => ({ status: 200, headers: TEXT, body }),
    fetch: async (request: Request): Promise<Response> => new Response(await request.arrayBuffer()),
    webSocket,
  },
] as const
