import type { Owner } from '../engines/engine.ts'
import { answerOf, BODY } from './answer.ts'
import { type Call, Client } from './client.ts'
import { Http2Client } from './http2-client.ts'
import type { LineOptions } from './line.ts'

/** What a wanderer needs to know of the place that it wanders in. */
export interface Place {
  /** Where to connect to, but for the name. */
  readonly options: Omit<LineOptions, 'serverName'>
  /** A number for each request that no other has. */
  nextNumber(): number
}

/** The functions of a kind, in the order of a tour: `raw-a`, `raw-b`, … */
export function tourOf(kind: 'raw' | 'fetch', length = 2): string[] {
  return Array.from({ length }, (_, index) => `${kind}-${String.fromCharCode(97 + index)}`)
}

/** Of functions with one container each. */
function ownersOf(tour: readonly string[]): Owner[] {
  return tour.map(name => ({ path: `/${name}`, name: `${name}-1` }))
}

/** An HTTP/2 connection, and where it is. */
export class Http2Wanderer {
  readonly #client: Http2Client
  readonly #road: Road

  private constructor(client: Http2Client, road: Road) {
    this.#client = client
    this.#road = road
  }

  /** Connects to the first of the tour. @returns undefined if it does not speak HTTP/2 */
  static async open(place: Place, tour: readonly string[]): Promise<Http2Wanderer | undefined> {
    const client = await Http2Client.open({ ...place.options, serverName: `${tour[0]}.local` })
    return client && new Http2Wanderer(client, new Road(place, ownersOf(tour)))
  }

  /** So many requests that stay, or move. @returns µs of each @throws WrongAnswer */
  measure(count: number, kind: 'stay' | 'move'): Promise<number[]> {
    return this.#client.measure(Array.from({ length: count }, () => this.#road[kind]()))
  }

  close(): void {
    this.#client.close()
  }
}

/** Where a connection is on its tour, and the requests that it can make there. */
class Road {
  readonly #place: Place
  readonly #owners: readonly Owner[]
  #at = 0
  #hops = 0

  constructor(place: Place, owners: readonly Owner[]) {
    this.#place = place
    this.#owners = owners
  }

  /** A request for the owner at hand. @param length bytes of content */
  stay(length = BODY): Call {
    const { path, name } = this.#owners[this.#at]!
    return call(path, this.#place.nextNumber(), name, this.#hops, length)
  }

  /** A request for the next owner: the connection has to move for it. */
  move(length = BODY): Call {
    this.#at = (this.#at + 1) % this.#owners.length
    this.#hops++
    return this.stay(length)
  }
}

/** A connection, and where it is on its tour. */
export class Wanderer {
  readonly #road: Road
  #client: Client | undefined
  #requests = 0

  private constructor(place: Place, owners: readonly Owner[]) {
    this.#road = new Road(place, owners)
  }

  /** Connects to the first of the tour. @throws WrongAnswer */
  static open(place: Place, tour: readonly string[]): Promise<Wanderer> {
    return Wanderer.visit(place, { ...place.options, serverName: `${tour[0]}.local` }, ownersOf(tour))
  }

  /** Connects to the first of some owners. @throws WrongAnswer */
  static async visit(place: Place, options: LineOptions, owners: readonly Owner[]): Promise<Wanderer> {
    const wanderer = new Wanderer(place, owners)
    wanderer.#client = (await Client.open(options, wanderer.stay())).client
    return wanderer
  }

  get client(): Client {
    return this.#client!
  }

  get cipherSuite(): string {
    return this.#client?.cipherSuite ?? ''
  }

  /** A request for the function at hand. @param length bytes of content */
  stay(length = BODY): Call {
    return this.#road.stay(length)
  }

  /** A request for the next function: the connection has to move for it. */
  move(length = BODY): Call {
    return this.#road.move(length)
  }

  /** A request that moves or stays, so that of all together `alpha` percent move, as evenly as can be. */
  moveAt(alpha: number): Call {
    const before = Math.floor((this.#requests * alpha) / 100)
    this.#requests++
    return Math.floor((this.#requests * alpha) / 100) > before ? this.move() : this.stay()
  }

  /** So many requests, one after the other. @returns µs of each @throws WrongAnswer */
  measure(count: number, next: () => Call): Promise<number[]> {
    return this.client.measure(Array.from({ length: count }, next))
  }

  close(): void {
    this.#client?.close()
  }
}

/**
 * A request of our own making. @param container who has to answer @param hops how often the connection has
 * moved by then
 */
export function call(path: string, number: number, container: string, hops: number, length = BODY): Call {
  return { path, number, length, expected: { body: answerOf(number, length), container, hops } }
}
