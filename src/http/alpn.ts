import { concat, EMPTY } from '../wire/index.ts'
import { DEFAULT_LIMITS, type H1Limits } from './h1/index.ts'
import { H1Pump } from './h1/pump.ts'
import { CLIENT_PREFACE, DEFAULT_H2_LIMITS, type H2Limits } from './h2/index.ts'
import { H2Pump } from './h2/pump.ts'
import type { Scheme } from './origin.ts'
import type { Problem } from './problem.ts'
import type { HttpServing, ServingContext } from './serving.ts'

/**
 * What we speak by its names in ALPN (RFC 7301), in the order of preference. `curl --http1.0` offers the last
 * one alone.
 */
export const ALPN_PROTOCOLS = ['h2', 'http/1.1', 'http/1.0'] as const

/** How much one client may ask of one connection, by version; what is left out is as by default. */
export interface ServingLimits {
  readonly http1?: Partial<H1Limits>
  readonly http2?: Partial<H2Limits>
}

/**
 * One dispatcher: what ALPN chose → the connection that speaks it. It knows no TLS library: `alpn` is what
 * any of them says.
 * @param alpn the protocol's name; `undefined`, `null`, `false` or empty: the client asked for none, or there
 * is no TLS
 * @param plain no TLS: then the first bytes may be those of HTTP/2 with prior knowledge (RFC 9113 §3.3); over
 * TLS they may not
 * @throws TypeError for a protocol that is not HTTP
 */
export function serving(
  alpn: string | undefined | null | false,
  plain: boolean,
  context: ServingContext,
  given: ServingLimits = {},
): HttpServing {
  const limits = whole(given)
  const scheme = plain ? 'http' : 'https'
  if (alpn === 'h2') return http2(context, scheme, limits)
  if (alpn === 'http/1.1' || alpn === 'http/1.0') return new H1Pump(context, scheme, limits.http1)
  if (alpn) throw new TypeError(`no version of HTTP is called ${JSON.stringify(alpn)}`)
  return plain ? new Undecided(context, limits) : new H1Pump(context, scheme, limits.http1)
}

interface Limits {
  readonly http1: H1Limits
  readonly http2: H2Limits
}

function whole({ http1, http2 }: ServingLimits): Limits {
  return {
    http1: http1 === undefined ? DEFAULT_LIMITS : { ...DEFAULT_LIMITS, ...http1 },
    http2: http2 === undefined ? DEFAULT_H2_LIMITS : { ...DEFAULT_H2_LIMITS, ...http2 },
  }
}

/** A request may have as much content as over HTTP/1. */
function http2(context: ServingContext, scheme: Scheme, { http1, http2 }: Limits): HttpServing {
  return new H2Pump(context, scheme, http2, http1.bodyBytes, http1.tunnels)
}

/** What every HTTP/2 client sends first, and no HTTP/1 client: PRI is not a method. */
const PREFACE: Uint8Array = Uint8Array.from(CLIENT_PREFACE, character => character.charCodeAt(0))

/**
 * A plain connection whose protocol is not known yet: its first bytes tell, mostly the very first.
 */
class Undecided implements HttpServing {
  readonly #context: ServingContext
  readonly #limits: Limits
  #first: Uint8Array = EMPTY
  /** Who serves it. Until that is known for certain, HTTP/1, whose timers run. */
  #serving: HttpServing
  #decided = false

  constructor(context: ServingContext, limits: Limits) {
    this.#context = context
    this.#limits = limits
    this.#serving = new H1Pump(context, 'http', limits.http1)
  }

  get protocol(): 'http/1.1' | 'h2' | undefined {
    return this.#decided ? this.#serving.protocol : undefined
  }
  get wantsInput(): boolean {
    return this.#serving.wantsInput
  }
  get shouldClose(): boolean {
    return this.#serving.shouldClose
  }
  get outputEnded(): boolean {
    return this.#serving.outputEnded
  }
  get aborted(): boolean {
    return this.#serving.aborted
  }

  receive(bytes: Uint8Array): void {
    if (this.#decided) {
      this.#serving.receive(bytes)
      return
    }
    const first = concat(this.#first, bytes)
    const same = commonLength(first)
    if (same === first.length && same < PREFACE.length) {
      this.#first = first
      return
    }
    if (same === PREFACE.length) this.#serving = http2(this.#context, 'http', this.#limits)
    this.#decide(first)
  }

  get held(): number {
    return this.#first.length + this.#serving.held
  }
  get pending(): boolean {
    return this.#serving.pending
  }

  shed(what: Problem): void {
    this.#serving.shed(what)
  }

  takeOutput(): readonly Uint8Array[] {
    return this.#serving.takeOutput()
  }

  finish(): void {
    if (!this.#decided) this.#decide(this.#first)
    this.#serving.finish()
  }

  broken(reason: Error): void {
    this.#serving.broken(reason)
  }

  tick(): void {
    this.#serving.tick()
  }

  drain(): void {
    this.#serving.drain()
  }

  #decide(first: Uint8Array): void {
    this.#decided = true
    this.#first = EMPTY
    this.#serving.receive(first)
  }
}

/** How many bytes are those of the preface. */
function commonLength(bytes: Uint8Array): number {
  const most = Math.min(bytes.length, PREFACE.length)
  let at = 0
  while (at < most && bytes[at] === PREFACE[at]) at++
  return at
}
