import type { ResumptionTicket } from '../tls13/index.ts'
import type { Target } from './connector.ts'

/** Servers whose tickets are kept; the one that was met longest ago is forgotten first. */
const SERVERS = 1000
/** Tickets of one server: each is used once (RFC 8446 appendix C.4), and servers send two or so at a time. */
const TICKETS = 4

/** Where clients of TLS keep tickets for their next connections. */
export class Tickets {
  readonly #servers = new Map<string, ResumptionTicket[]>()

  /** A ticket for that server, which is not given again. @param now milliseconds since 1970 */
  take(target: Target, now: number): ResumptionTicket | undefined {
    this.peek(target, now)
    return this.#servers.get(keyOf(target))?.pop()
  }

  /** The ticket that {@link take} would give. */
  peek(target: Target, now: number): ResumptionTicket | undefined {
    const kept = this.#servers.get(keyOf(target))
    const good = kept?.filter(({ receivedAt, lifetime }) => Number(receivedAt) + lifetime * 1000 > now)
    if (kept !== undefined) this.#servers.set(keyOf(target), good ?? [])
    return good?.at(-1)
  }

  put(target: Target, ticket: ResumptionTicket): void {
    const key = keyOf(target)
    const kept = [...(this.#servers.get(key) ?? []), ticket].slice(-TICKETS)
    this.#servers.delete(key)
    this.#servers.set(key, kept)
    if (this.#servers.size > SERVERS) this.#servers.delete(this.#servers.keys().next().value!)
  }
}

/** Whom a ticket is for: the name that the certificate was held against, and where it was met. */
function keyOf({ host, port, path, serverName }: Target): string {
  return JSON.stringify([serverName ?? host, path ?? host, port])
}
