import { type FunctionModule, functionModule } from '../../functions/module.ts'
import type { Field, RequestView, ResponseView } from '../../http/message.ts'
import type { Log } from '../../platform/log.ts'
import { createPair, NativeChannel } from '../../transfer/channels/native.ts'
import type { Peer } from '../../transfer/control.ts'
import { Courier } from '../../transfer/courier.ts'
import { createIdentity, Sealer } from '../../transfer/seal.ts'
import { utf8 } from '../../wire/index.ts'
import { handlersOf, Place } from './handlers.ts'
import { Host, type HostOptions } from './host.ts'
import { KeyRing } from './key-ring.ts'
import { containerTls } from './tls-config.ts'

/** What the hosts of a rehearsal take from the container that it is for. */
export type RehearsalHostOptions = Pick<HostOptions, 'tls' | 'limits' | 'clock'> & {
  readonly kind: FunctionModule['kind']
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
const OTHERS = { control() {}, nonsense() {} } as const

/** A host in this process, with all that it needs to send connections to another one and to take theirs. */
export class RehearsalHost {
  readonly host: Host
  readonly courier: Courier
  readonly peer: Peer

  /** @param id of the process that it stands for @param side 0 or 1: which of the two functions it has */
  constructor(options: RehearsalHostOptions, id: number, side: number, functionName = NAMES[side]!) {
    const { provider } = options.tls
    const place = new Place()
    this.host = place.host = makeHost(options, functionName, side)
    const identity = createIdentity(provider, id)
    const { publicKey } = identity
    this.peer = { id, role: 'container', name: NAMES[side]!, functionName, publicKey }
    const channel = NativeChannel.open(id)
    this.courier = new Courier(channel, new Sealer(provider, identity), handlersOf(place, OTHERS))
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

  /** Ends what lives here. */
  async close(): Promise<void> {
    await this.host.stop()
    this.courier.close()
  }
}

function makeHost({ tls, limits, kind, clock }: RehearsalHostOptions, name: string, side: number): Host {
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
  const { handle, fetch } = FUNCTIONS[side]!
  const module = functionModule(kind === 'raw' ? { kind, file, handle } : { kind, file, fetch })
  const http = { ...limits.http, requests: Number.MAX_SAFE_INTEGER }
  return new Host({
    container: NAMES[side]!,
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
