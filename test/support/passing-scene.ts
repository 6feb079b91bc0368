import { Connection } from '../../src/containers/connection/connection.ts'
import { Upstreams } from '../../src/containers/upstream/upstreams.ts'
import type { Context, FetchHandler, ResumeFunction } from '../../src/functions/contract.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { decodeEnvelope } from '../../src/transfer/envelope.ts'
import { freshHttp } from '../../src/transfer/parcel.ts'
import { Descriptor } from '../../src/transfer/stream.ts'
import { concat, EMPTY, utf8 } from '../../src/wire/index.ts'
import { FakeStream, type Offer, responses } from './connection-scene.ts'
import { offered, ResponseHost } from './response-scene.ts'

/** What a function that passes on has in its hands. */
export interface Passed {
  readonly upstream: Response
}

/** As a function of an author's does it. */
export const pass: ResumeFunction = (state, ctx) => {
  const { upstream } = state as Passed
  const reader = upstream.body!.getReader()
  return ctx.resumable({
    async pull(controller) {
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    freeze: () => ({ upstream }),
  })
}

/** A container whose function passes on what an upstream says. */
export class PassingHost extends ResponseHost {
  readonly upstreams = new Upstreams(SYSTEM_CLOCK)

  /** @param url of the upstream @param ca whom to trust there */
  static async of(
    name: string,
    url: string,
    ca?: string,
    resume: ResumeFunction | undefined = pass,
    ask: (url: string, ctx: Context) => Promise<Response> = async (url, ctx) => {
      const upstream = await ctx.fetch(url, ca === undefined ? {} : { ca })
      return new Response(
        (await pass({ upstream }, ctx, {}, undefined as never)) as ReadableStream<Uint8Array>,
      )
    },
  ): Promise<PassingHost> {
    const fetch: FetchHandler['fetch'] = (_request, _env, ctx) => ask(url, ctx)
    const host = new PassingHost(fetch, resume, name)
    host.upstreams.most = 16
    await host.upstreams.load()
    return host
  }
}

/** One client, whose request is passed on, and the connection that it has, wherever that is. */
export class Passenger {
  stream = new FakeStream()
  connection: Connection
  host: PassingHost
  #heard: Uint8Array = EMPTY

  constructor(host: PassingHost) {
    this.host = host
    const inbound = utf8('GET /echo HTTP/1.1\r\nHost: a\r\n\r\n')
    this.connection = new Connection(
      host,
      freshHttp({ sessionId: new Uint8Array(16), idleLeft: 30_000, inbound }),
      this.stream,
    )
    this.connection.start()
  }

  /** Leaves, and is taken in by another container. */
  async move(host: PassingHost): Promise<void> {
    const { offer, frozen } = await this.leave()
    this.arrive(host, frozen, offer.companions)
    offer.settle({ state: 'gone' })
  }

  leave(): ReturnType<typeof offered> {
    return offered(this.host, this.connection)
  }

  arrive(host: PassingHost, frozen: Uint8Array, companions: Offer['companions']): void {
    this.heard()
    this.stream = new FakeStream()
    this.host = host
    const envelope = decodeEnvelope(frozen)
    // In one process there is one of each: it changes hands.
    const upstreams = host.upstreams.read(envelope.upstreams, companions.map(handedOver))
    this.connection = new Connection(host, envelope, this.stream, { upstreams })
    this.connection.start()
  }

  /** All that it has got. */
  heard(): Uint8Array {
    this.#heard = concat(this.#heard, this.stream.take())
    return this.#heard
  }

  /** The content of it, and whether that is whole. */
  get answer(): { readonly body: string; readonly ended: boolean } {
    const heard = this.heard()
    return { body: responses(heard, 1)[0]?.body ?? '', ended: this.ended }
  }

  get ended(): boolean {
    return new TextDecoder('latin1').decode(this.heard().subarray(-5)) === '0\r\n\r\n'
  }
}

function handedOver(descriptor: Descriptor): Descriptor {
  const owned = descriptor.take()
  return owned.kind === 'fd' ? Descriptor.fromFd(owned.fd) : Descriptor.fromHandle(owned.handle)
}
