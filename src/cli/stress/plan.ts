import type { ProviderName } from '../../platform/membership.ts'

/** A request of the load. */
export interface Asked {
  /** Absolute. Its host is what Host and `:authority` say; where the connection leads, the plan says. */
  readonly url: string
  readonly method: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly content: Uint8Array | undefined
}

/** All that one thread has to know; it can be sent to one. */
export interface Plan {
  /** Each connection makes them in turn, again and again. */
  readonly asked: readonly Asked[]
  /** Where connections lead: the URL of the first request. */
  readonly origin: string
  /** HTTP/2, and nothing else; else HTTP/1.1. */
  readonly http2: boolean
  /** Whose TLS. */
  readonly tls: 'ours' | 'node'
  /** Whose cryptography our TLS has. */
  readonly provider: ProviderName
  readonly connections: number
  /** Requests at a time on each. */
  readonly streams: number
  /** A connection for each request; whether TLS is resumed then. */
  readonly reconnect: boolean
  readonly resume: boolean
  /** Milliseconds for one answer. */
  readonly timeout: number
  /** PEM of authorities; undefined: the roots that come with Node. */
  readonly ca: string | undefined
  readonly insecure: boolean
  /** As `--resolve` has them. */
  readonly resolve: readonly string[]
  /** That are measured, and milliseconds for them; infinite: as many, or as long, as it takes. */
  readonly requests: number
  readonly milliseconds: number
  /** Milliseconds that are not measured. */
  readonly warmup: number
  /** Milliseconds between requests, and until the first; undefined: one after the other. */
  readonly rate: { readonly every: number; readonly phase: number } | undefined
  /** Whether times are kept second by second, for a log. */
  readonly log: boolean
}

/** The part of each of so many threads: connections, requests and rate are shared as evenly as can be. */
export function shares(plan: Plan, threads: number): Plan[] {
  return Array.from({ length: threads }, (_, i) => ({
    ...plan,
    connections: part(plan.connections, threads, i),
    requests: part(plan.requests, threads, i),
    rate: plan.rate && { every: plan.rate.every * threads, phase: plan.rate.phase + plan.rate.every * i },
  }))
}

function part(whole: number, parts: number, index: number): number {
  return Number.isFinite(whole) ? Math.floor((whole + parts - 1 - index) / parts) : whole
}
