import type { Journey } from '../../client/journey.ts'
import type { UpstreamInit } from '../../functions/contract.ts'
import type { Arrived, Upstreams } from './upstreams.ts'

/** What stands for a response in what a function freezes; its value is a label that only we know. */
const MARK = 'hotpotato:upstream'

/** The responses of upstreams that one call has asked for, and how they go along with it. */
export class CallUpstreams {
  readonly #upstreams: Upstreams
  readonly #journeys = new WeakMap<Response, Journey>()
  /** Those of which something is to come, or to be read. */
  readonly #live = new Set<Journey>()
  /** What has come along, until `resume` is asked. */
  #arrived: readonly Arrived[] = []
  /** Those that were named when the call was frozen last: they stand still. */
  #named = new Set<Journey>()
  /** Why nothing of them is wanted any more. */
  #dropped: Error | undefined

  constructor(upstreams: Upstreams) {
    this.#upstreams = upstreams
  }

  /** @param signal of the call */
  async fetch(input: string | URL | Request, init: UpstreamInit, signal: AbortSignal): Promise<Response> {
    const journey = await this.#upstreams.fetch(input, init, signal)
    return this.#add(journey)
  }

  #add(journey: Journey): Response {
    this.#journeys.set(journey.response, journey)
    this.#live.add(journey)
    return journey.response
  }

  /** Bytes that have come of all of them and that the function has not read. */
  get unread(): number {
    let bytes = 0
    for (const journey of this.#live) {
      bytes += journey.unread
      if (journey.over && journey.unread === 0) this.#live.delete(journey)
    }
    return bytes
  }

  /** How many connections may have to go along. */
  get size(): number {
    let size = 0
    for (const { over } of this.#live) if (!over) size++
    return size
  }

  /**
   * Says as JSON what a function froze. The responses in it get no further from here on, until {@link goOn}.
   * @throws TypeError for a Response that cannot travel, or something that JSON cannot say
   */
  freeze(value: unknown): string {
    this.goOn()
    const named = new Set<Journey>()
    const text: string | undefined = JSON.stringify(value, (_, one: unknown) => {
      if (!isResponse(one)) return one
      const journey = this.#journeys.get(one)
      if (journey === undefined) throw new TypeError('a Response was frozen that is not of `ctx.fetch`')
      const { obstacle, label } = journey
      if (obstacle !== undefined) throw new TypeError(`the response of an upstream cannot move: ${obstacle}`)
      named.add(journey)
      return { [MARK]: label }
    })
    if (text === undefined) throw new TypeError('the frozen state of a stream is nothing that JSON can say')
    for (const journey of named) journey.stand()
    this.#named = named
    return text
  }

  /** It stays here after all. */
  goOn(): void {
    for (const journey of this.#named) journey.goOn()
    this.#named = new Set()
  }

  /** The call goes on elsewhere. @returns the responses that go along */
  leave(): readonly Journey[] {
    const leaving = [...this.#named]
    for (const journey of leaving) {
      journey.leave()
      this.#live.delete(journey)
    }
    this.#named = new Set()
    return leaving
  }

  /** They have come with the call's connection. */
  arrive(arrived: readonly Arrived[]): void {
    this.#arrived = arrived
  }

  /** What `resume` gets: what was frozen, with the rest of the responses in the places of them. */
  async revive(state: string): Promise<unknown> {
    const arrived = this.#arrived
    this.#arrived = []
    const responses = new Map<string, Response>()
    for (const { arriving } of arrived) {
      const journey = await this.#upstreams.begin(arriving)
      // The client went away meanwhile.
      if (this.#dropped !== undefined) journey.cancel(this.#dropped)
      responses.set(journey.label, this.#add(journey))
    }
    return JSON.parse(state, (_, one: unknown) => {
      const label = labelOf(one)
      return (label === undefined ? undefined : responses.get(label)) ?? one
    })
  }

  /** The call has ended: what has come along, and was not asked for, ends, too. */
  drop(reason: Error): void {
    this.#dropped = reason
    for (const { arriving } of this.#arrived) arriving.drop()
    this.#arrived = []
    for (const journey of this.#live) journey.cancel(reason)
    this.#live.clear()
  }
}

function isResponse(value: unknown): value is Response {
  return typeof value === 'object' && value !== null && value instanceof Response
}

function labelOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const label = (value as { readonly [MARK]?: unknown })[MARK]
  return typeof label === 'string' && Object.keys(value).length === 1 ? label : undefined
}
