import { randomUUID } from 'node:crypto'
import type { Client } from '../../client/client.ts'
import type { Arriving, Journey } from '../../client/journey.ts'
import type { ClientOptions } from '../../client/options.ts'
import type { UpstreamInit } from '../../functions/contract.ts'
import type { Clock } from '../../time/clock.ts'
import type { Envelope, Upstream } from '../../transfer/envelope.ts'
import type { Descriptor } from '../../transfer/stream.ts'

/** Authorities that clients trust apart from each other: beyond them the first one is forgotten. */
const CLIENTS = 16

/** A response on its way out of this container, of the call on that stream. */
export interface Leaving {
  /** 0 over HTTP/1. */
  readonly streamId: number
  readonly journey: Journey
}

/** One that has come with the client's connection. */
export interface Arrived {
  readonly streamId: number
  readonly arriving: Arriving
}

type Modules = typeof import('../../client/client.ts') & typeof import('../../client/journey.ts')

/** The connections of one container to upstreams, and the responses that come over them. */
export class Upstreams {
  readonly #clock: Clock
  #modules: Modules | undefined
  /** Connections that can go along with one client's, as far as it is known. */
  most = 0
  readonly #clients = new Map<string, Client>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Loads the client. Until then nothing is asked, and nothing is taken in: a function without `resume` does
   * not need it at its start.
   */
  async load(): Promise<Modules> {
    this.#modules ??= {
      ...(await import('../../client/client.ts')),
      ...(await import('../../client/journey.ts')),
    }
    return this.#modules
  }

  /**
   * Asks an upstream. @throws (as rejection) as the client's `fetch`
   */
  async fetch(
    input: string | URL | Request,
    { ca, ...init }: UpstreamInit,
    signal: AbortSignal,
  ): Promise<Journey> {
    const modules = await this.load()
    const both = init.signal ? AbortSignal.any([init.signal, signal]) : signal
    return modules.journey(this.#client(modules, ca), randomUUID(), input, { ...init, signal: both })
  }

  /**
   * Reads what came with an envelope. The descriptors are the result's from then on, unless it throws.
   * @param companions of those that are live, in their order
   * @throws DecodeError, TlsError, TypeError for what is none
   */
  read(upstreams: Envelope['upstreams'], companions: readonly Descriptor[]): Arrived[] {
    if (upstreams.length === 0) return []
    const modules = this.#modules
    if (modules === undefined) throw new TypeError('this container goes on with no upstream')
    let next = 0
    return upstreams.map(({ streamId, live, state }) => {
      const descriptor = live ? companions[next++] : undefined
      return { streamId, arriving: modules.arriving({ state, descriptor }, this.#options(undefined)) }
    })
  }

  /** Goes on with one. */
  async begin(arriving: Arriving): Promise<Journey> {
    const modules = await this.load()
    return arriving.begin(this.#client(modules, undefined))
  }

  #options(ca: UpstreamInit['ca']): ClientOptions {
    const tls = ca === undefined ? {} : { tls: { ca } }
    // What travels is what comes: nothing is decoded on its way.
    return { ...tls, exclusive: true, decode: false, clock: this.#clock }
  }

  #client({ Client }: Modules, ca: UpstreamInit['ca']): Client {
    const key = ca ?? ''
    const there = this.#clients.get(key)
    if (there !== undefined) return there
    const [oldest] = this.#clients.keys()
    if (this.#clients.size >= CLIENTS && oldest !== undefined) this.#clients.delete(oldest)
    const client = new Client(this.#options(ca))
    this.#clients.set(key, client)
    return client
  }
}

/** All of them leave. @returns what an envelope says of them, and the descriptors of those that are live */
export async function departed(
  leaving: readonly Leaving[],
): Promise<{ readonly upstreams: Upstream[]; readonly companions: Descriptor[] }> {
  const all = await Promise.all(leaving.map(({ journey }) => journey.depart()))
  const upstreams = all.map(({ state, descriptor }, i) => {
    const { streamId } = leaving[i]!
    return { streamId, live: descriptor !== undefined, state }
  })
  return { upstreams, companions: all.flatMap(({ descriptor }) => descriptor ?? []) }
}

/** Bytes that have come of them and that no function has read. */
export function unreadOf(leaving: readonly Leaving[]): number {
  let bytes = 0
  for (const { journey } of leaving) bytes += journey.unread
  return bytes
}
